//! One numpy array in the npy format: a header in Python's notation, then the numbers.
//!
//! Strict: little-endian, C order, plain numbers. Never pickles. Source: NEP 1.

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array, its numbers widened to f64.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    /// In C order.
    pub(crate) values: Vec<f64>,
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
    if value(header, "fortran_order") != Some("False") {
        return Err("it is not in C order (fortran_order: False)".to_owned());
    }
    let shape = shape(header).ok_or_else(|| format!("its shape cannot be read from {header}"))?;
    let kind = value(header, "descr").unwrap_or_default().trim_matches(['\'', '"']);
    let count = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let values = numbers(kind, data)?;
    if count == Some(values.len()) {
        return Ok(Array { shape, values });
    }
    Err(format!("its shape {shape:?} does not match its {} numbers", values.len()))
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

fn numbers(kind: &str, data: &[u8]) -> Result<Vec<f64>, String> {
    fn each<const W: usize>(data: &[u8], read: impl Fn([u8; W]) -> f64) -> Option<Vec<f64>> {
        let (chunks, rest) = data.as_chunks::<W>();
        rest.is_empty().then(|| chunks.iter().map(|&chunk| read(chunk)).collect())
    }
    let values = match kind {
        "<f8" => each(data, f64::from_le_bytes),
        "<f4" => each(data, |b| f64::from(f32::from_le_bytes(b))),
        "<i8" => each(data, |b| i64::from_le_bytes(b) as f64),
        "<i4" => each(data, |b| f64::from(i32::from_le_bytes(b))),
        "|u1" => each(data, |b: [u8; 1]| f64::from(b[0])),
        "|i1" => each(data, |b: [u8; 1]| f64::from(i8::from_le_bytes(b))),
        _ => return Err(format!("its type {kind} is none of <f8, <f4, <i8, <i4, |u1, |i1")),
    };
    values.ok_or_else(|| format!("its {} bytes are not whole numbers of type {kind}", data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn plain_arrays_are_read_and_anything_else_is_refused_by_what_it_is() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n";
        let data = [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat();
        let array = read_array(&npy(good, &data)).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 1], vec![1.5, -2.0]));
        let refused = |header: &str| read_array(&npy(header, &data)).unwrap_err();
        assert!(refused(&good.replace("False", "True")).contains("C order"));
        assert!(refused(&good.replace("(2, 1)", "(3,)")).contains("does not match"));
        assert!(refused(&good.replace("<f4", "|O")).contains("|O"));
        assert!(read_array(b"PK").is_err());
        assert!(read_array(&npy(good, &data)[..20]).is_err());
    }
}
