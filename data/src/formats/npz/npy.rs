//! One numpy array in the npy format: a header in Python's notation, then the values.
//!
//! Numbers of either byte order, truths and texts, in C or Fortran order. Never pickles; never more
//! values than there are bytes. Source: NEP 1. Why this is not a library: decision 13.

use crate::formats::raw_frame::Values;

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    /// In C order.
    pub(crate) values: Values,
}

/// Reads the bytes of an npy file.
pub(crate) fn read_array(bytes: &[u8]) -> Result<Array, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as an npy file")?;
    let (header, data) = match rest {
        [1, _, a, b, rest @ ..] => split(rest, usize::from(u16::from_le_bytes([*a, *b])))?,
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            split(rest, usize::try_from(length).map_err(|_| "its header is too long")?)?
        }
        _ => return Err("its npy version is none of 1, 2, 3".to_owned()),
    };
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    let fortran = match value(header, "fortran_order") {
        Some("False") => false,
        Some("True") => true,
        _ => return Err("its header does not say its order".to_owned()),
    };
    let shape = shape(header).ok_or_else(|| format!("its shape cannot be read from {header}"))?;
    let kind = value(header, "descr").unwrap_or_default().trim_matches(['\'', '"']);
    let count = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let values = values(kind, data)?;
    if count != Some(values.len()) {
        return Err(format!("its shape {shape:?} does not match its {} values", values.len()));
    }
    if !fortran {
        return Ok(Array { shape, values });
    }
    let values = match values {
        Values::Real(all) => Values::Real(in_c_order(&all, &shape)),
        Values::Integer(all) => Values::Integer(in_c_order(&all, &shape)),
        Values::Truth(all) => Values::Truth(in_c_order(&all, &shape)),
        Values::Text(all) => Values::Text(in_c_order(&all, &shape)),
    };
    Ok(Array { shape, values })
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), String> {
    bytes.split_at_checked(at).ok_or_else(|| "its header is cut off".to_owned())
}

/// The value of a key of the header's dictionary, as written.
fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, after) = header.split_once(&format!("'{key}':"))?;
    let end = if after.trim_start().starts_with('(') {
        after.find(')')? + 1
    } else {
        after.find([',', '}'])?
    };
    Some(after[..end].trim())
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let inside = value(header, "shape")?.strip_prefix('(')?.strip_suffix(')')?;
    inside.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
}

/// Values whose first index runs fastest, with the last running fastest.
fn in_c_order<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let places = index.iter().zip(shape).rev();
        let at = places.fold(0, |at, (&here, &side)| at * side + here);
        ordered.push(values[at].clone());
        for (here, &side) in index.iter_mut().zip(shape).rev() {
            *here += 1;
            if *here < side {
                break;
            }
            *here = 0;
        }
    }
    ordered
}

/// The values of a type such as `<f8`, `>i2`, `|b1` or `<U12`.
fn values(kind: &str, data: &[u8]) -> Result<Values, String> {
    fn each<const W: usize, T>(
        data: &[u8],
        big: bool,
        read: impl Fn([u8; W]) -> T,
    ) -> Option<Vec<T>> {
        let (chunks, rest) = data.as_chunks::<W>();
        let one = |&chunk: &[u8; W]| {
            let mut bytes = chunk;
            if big {
                bytes.reverse();
            }
            read(bytes)
        };
        rest.is_empty().then(|| chunks.iter().map(one).collect())
    }
    let (order, plain) = kind.split_at_checked(1).unwrap_or_default();
    let big = order == ">";
    if !matches!(order, "<" | ">" | "|" | "=") {
        return Err(unknown(kind));
    }
    let found = match plain {
        "f8" => each(data, big, f64::from_le_bytes).map(Values::Real),
        "f4" => each(data, big, |b| f64::from(f32::from_le_bytes(b))).map(Values::Real),
        "i8" => each(data, big, i64::from_le_bytes).map(Values::Integer),
        "i4" => each(data, big, |b| i64::from(i32::from_le_bytes(b))).map(Values::Integer),
        "i2" => each(data, big, |b| i64::from(i16::from_le_bytes(b))).map(Values::Integer),
        "i1" => each(data, big, |b| i64::from(i8::from_le_bytes(b))).map(Values::Integer),
        "u8" => each(data, big, |b| u64::from_le_bytes(b) as f64).map(Values::Real),
        "u4" => each(data, big, |b| i64::from(u32::from_le_bytes(b))).map(Values::Integer),
        "u2" => each(data, big, |b| i64::from(u16::from_le_bytes(b))).map(Values::Integer),
        "u1" => each(data, big, |b: [u8; 1]| i64::from(b[0])).map(Values::Integer),
        "b1" => each(data, big, |b: [u8; 1]| b[0] != 0).map(Values::Truth),
        _ => return texts(plain, data, big).ok_or_else(|| unknown(kind)),
    };
    let bytes = data.len();
    found.ok_or_else(|| format!("its {bytes} bytes are not whole numbers of type {kind}"))
}

fn unknown(kind: &str) -> String {
    format!("its type {kind} is none of f8, f4, i8 to i1, u8 to u1, b1, U, S")
}

/// Texts of `U` (UTF-32) or `S` (bytes) and their number of letters, padded with zeros.
fn texts(plain: &str, data: &[u8], big: bool) -> Option<Values> {
    let (letter, length) = plain.split_at_checked(1)?;
    let length: usize = length.parse().ok()?;
    let width = match letter {
        "U" => length.checked_mul(4)?,
        "S" => length,
        _ => return None,
    };
    if width == 0 || !data.len().is_multiple_of(width) {
        return None;
    }
    let one = |chunk: &[u8]| {
        if letter == "S" {
            return String::from_utf8(chunk.to_vec()).ok();
        }
        let letters = chunk.as_chunks::<4>().0.iter().map(|&b| {
            char::from_u32(if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
        });
        letters.collect::<Option<String>>()
    };
    let trimmed = |text: String| text.trim_end_matches('\0').to_owned();
    let texts = data.chunks(width).map(|chunk| one(chunk).map(trimmed));
    texts.collect::<Option<Vec<_>>>().map(Values::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    const GOOD: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n";

    #[test]
    fn structures_without_atoms_are_refused_however_many_they_are() {
        let array = |shape: &str| {
            let header =
                format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
            read_array(&npy(&header, &[]))
        };
        for shape in ["(1000000000000000000, 0, 3)", "(0, 3)"] {
            let named = [("z", "(0,)"), ("R", shape)];
            let arrays = named.map(|(name, shape)| (name.to_owned(), array(shape)));
            let error = super::super::Frames::new(arrays.into()).unwrap_err();
            assert!(error.contains("no atoms"), "{error}");
        }
    }

    #[test]
    fn plain_arrays_are_read_and_anything_else_is_refused_by_what_it_is() {
        let data = [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat();
        let array = read_array(&npy(GOOD, &data)).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 1], Values::Real(vec![1.5, -2.0])));
        let refused = |header: &str| read_array(&npy(header, &data)).unwrap_err();
        assert!(refused(&GOOD.replace("(2, 1)", "(3,)")).contains("does not match"));
        assert!(refused(&GOOD.replace("<f4", "|O")).contains("|O"));
        assert!(refused(&GOOD.replace("<f4", "<U0")).contains("<U0"));
        assert!(refused(&GOOD.replace("False", "Maybe")).contains("order"));
        assert!(read_array(b"PK").is_err());
        assert!(read_array(&npy(GOOD, &data)[..20]).is_err());
    }

    #[test]
    fn sizes_that_overflow_or_are_not_there_are_refused_and_reserve_nothing() {
        let huge = "(4294967296, 4294967296, 4294967296)";
        for (from, to) in [("(2, 1)", huge), ("(2, 1)", "(-1,)"), ("<f4", "<U99999999999999999999")]
        {
            assert!(read_array(&npy(&GOOD.replace(from, to), &[0; 8])).is_err(), "{to}");
        }
        let long = [MAGIC, &[2, 0], &u32::MAX.to_le_bytes(), b"{}"].concat();
        assert!(read_array(&long).unwrap_err().contains("cut off"));
    }

    #[test]
    fn any_order_of_bytes_and_of_indices_and_texts_are_what_numpy_shows() {
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
        // numpy.asfortranarray([[0, 1, 2], [3, 4, 5]]) lies as 0 3 1 4 2 5.
        let data: Vec<u8> = [0i16, 3, 1, 4, 2, 5].iter().flat_map(|x| x.to_be_bytes()).collect();
        let array = read_array(&npy(header, &data)).unwrap();
        assert_eq!(array.values, Values::Integer(vec![0, 1, 2, 3, 4, 5]));
        let header = "{'descr': '<U3', 'fortran_order': False, 'shape': (), }\n";
        let data: Vec<u8> =
            ['e', 'V', '\0'].iter().flat_map(|&c| u32::from(c).to_le_bytes()).collect();
        let array = read_array(&npy(header, &data)).unwrap();
        assert_eq!((array.shape, array.values), (vec![], Values::Text(vec!["eV".to_owned()])));
    }
}
