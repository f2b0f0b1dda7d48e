//! Structures of one set of atoms as arrays in a zip file, as `numpy.savez` writes them.
//!
//! `nuclear_charges [n]`, `coords [F, n, 3]`, `cell [F, 3, 3]`, `pbc [F, 3]`, and every other value
//! under its own name with `F` in front; `atom_columns` lists those of atoms. Source of the format: NEP 1.

use std::io::{Cursor, Write as _};

use genesis_data::formats::ATOM_COLUMNS;
use genesis_data::formats::raw_frame::{Column, Values};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Written;
use super::columns::{Kind, TableColumn, columns, words};

const OWN: [&str; 4] = ["nuclear_charges", "coords", "cell", "pbc"];

/// The whole file.
pub(super) fn archive(all: &[Written<'_>]) -> Result<Vec<u8>, String> {
    let numbers = all.first().map_or(&[][..], |first| &first.frame.atomic_numbers);
    if let Some(other) = all.iter().position(|it| it.frame.atomic_numbers != numbers) {
        return Err(format!(
            "npz holds structures of the same atoms in the same order, but structure {other} \
             (counted from 0) has others than structure 0; write .xyz, .jsonl or .parquet"
        ));
    }
    let (frames, atoms) = (all.len(), numbers.len());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, array: Vec<u8>| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(format!("{name}.npy"), options).map_err(|e| e.to_string())?;
        zip.write_all(&array).map_err(|e| e.to_string())
    };
    let charges = numbers.iter().map(|&z| i64::from(z)).collect();
    put(OWN[0], npy(&Values::Integer(charges), &[atoms]))?;
    let positions = all.iter().flat_map(|it| it.frame.positions.as_flattened()).copied().collect();
    put(OWN[1], npy(&Values::Real(positions), &[frames, atoms, 3]))?;
    let cells = all.iter().flat_map(|it| it.frame.cell.as_flattened()).copied().collect();
    put(OWN[2], npy(&Values::Real(cells), &[frames, 3, 3]))?;
    let periodic = all.iter().flat_map(|it| it.frame.periodic).collect();
    put(OWN[3], npy(&Values::Truth(periodic), &[frames, 3]))?;
    let columns = columns(all, &OWN);
    let listed = columns.iter().filter(|it| it.of_atoms).map(|it| it.name.clone());
    let listed: Vec<String> = listed.collect();
    put(ATOM_COLUMNS, npy(&Values::Text(listed.clone()), &[listed.len()]))?;
    for column in columns {
        let (values, shape) = stacked(&column, atoms)?;
        put(&column.name, npy(&values, &shape))?;
    }
    Ok(zip.finish().map_err(|e| e.to_string())?.into_inner())
}

/// The cells of a column behind each other, and their shape. A number that is absent is NaN.
fn stacked(column: &TableColumn, atoms: usize) -> Result<(Values, Vec<usize>), String> {
    let frames = column.cells.len();
    let lengths = column.cells.iter().flatten().map(|cell| cell.values.len());
    let length = lengths.clone().max().unwrap_or(0);
    let absent = column.cells.iter().position(Option::is_none);
    let refuse = |problem: String| format!("`{}` {problem}; write .jsonl or .parquet", column.name);
    if lengths.clone().any(|it| it != length) {
        return Err(refuse("has another number of values in some structures".to_owned()));
    }
    if let (Some(at), Kind::Truth) = (absent, column.kind) {
        return Err(refuse(format!("is absent in structure {at}, and a truth cannot be")));
    }
    let kind =
        if absent.is_some() && column.kind == Kind::Integer { Kind::Real } else { column.kind };
    let cells = column.cells.iter();
    let numbers = |cell: &Option<Column>| {
        let none = || vec![f64::NAN; length];
        cell.as_ref().and_then(|cell| cell.values.numbers()).unwrap_or_else(none)
    };
    let values = match kind {
        Kind::Real => Values::Real(cells.flat_map(numbers).collect()),
        Kind::Integer => Values::Integer(
            cells
                .flatten()
                .flat_map(|cell| match &cell.values {
                    Values::Integer(all) => all.clone(),
                    _ => Vec::new(),
                })
                .collect(),
        ),
        Kind::Truth => Values::Truth(
            cells
                .flatten()
                .flat_map(|cell| match &cell.values {
                    Values::Truth(all) => all.clone(),
                    _ => Vec::new(),
                })
                .collect(),
        ),
        Kind::Text => {
            let none = || vec![String::new(); length];
            let texts =
                cells.flat_map(|cell| cell.as_ref().map_or_else(none, |it| words(&it.values)));
            Values::Text(texts.collect())
        }
    };
    let mut shape = vec![frames];
    if column.of_atoms {
        shape.push(atoms);
        shape.extend((length > atoms).then(|| length / atoms.max(1)));
    } else if !column.single {
        shape.push(length);
    }
    Ok((values, shape))
}

/// An array in numpy's npy format, version 1.
fn npy(values: &Values, shape: &[usize]) -> Vec<u8> {
    let (kind, data): (String, Vec<u8>) = match values {
        Values::Real(all) => ("<f8".into(), all.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Values::Integer(all) => ("<i8".into(), all.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Values::Truth(all) => ("|b1".into(), all.iter().map(|&x| u8::from(x)).collect()),
        Values::Text(all) => {
            let width = all.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            let padded = |text: &String| {
                let letters: Vec<u32> = text.chars().map(u32::from).collect();
                let padding = vec![0; width - letters.len()];
                letters.into_iter().chain(padding).flat_map(u32::to_le_bytes).collect::<Vec<_>>()
            };
            (format!("<U{width}"), all.iter().flat_map(padded).collect())
        }
    };
    let sides: Vec<String> = shape.iter().map(|side| format!("{side},")).collect();
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", sides.join(" "));
    // Numbers begin at a multiple of 64 bytes; 10 bytes stand before the header, a line end ends it.
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a header of a few names is short");
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), &data].concat()
}
