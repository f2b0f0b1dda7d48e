//! A structure from named lists, as JSON lines and Parquet give them.
//!
//! | key                                      | holds                                        |
//! |------------------------------------------|----------------------------------------------|
//! | `atomic_numbers`, `numbers` or `Z`       | `[n]` whole numbers                          |
//! | `symbols` or `species`, instead          | `[n]` texts                                  |
//! | `positions` or `pos`                     | `[n, 3]`                                     |
//! | `cell` or `lattice` (may be absent)      | `[3, 3]`, rows are lattice vectors           |
//! | `pbc` or `periodic` (may be absent)      | three truths, or one; true where a cell is   |
//! | labels, `config_type`, `head`, weights   | by their keys, as in extended XYZ            |
//!
//! Lists may be nested or flat, row by row: `[[x, y, z], ..]` and `[x, y, z, ..]` are the same.

use std::collections::BTreeMap;

use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::elements::atomic_number;

use super::Refusal;
use super::raw_frame::{RawFrame, Value};

/// A value, lists flattened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Numbers(Vec<f64>),
    Truths(Vec<bool>),
    Text(String),
    Texts(Vec<String>),
}

/// Puts the lists together.
pub(crate) fn assemble(mut cells: BTreeMap<String, Cell>) -> Result<RawFrame, Refusal> {
    let atomic_numbers = elements(&mut cells)?;
    let positions = match take(&mut cells, &["positions", "pos"]) {
        Some(Cell::Numbers(numbers)) => vectors(&numbers, atomic_numbers.len()),
        _ => None,
    };
    let Some(positions) = positions else {
        let problem =
            format!("`positions` are not three numbers for each of {} atoms", atomic_numbers.len());
        return Err(Refusal::new("wrong_count", problem));
    };
    let cell = matrix(&mut cells)?;
    let periodic = truths(&mut cells)?.unwrap_or([cell.is_some(); 3]);
    let mut frame = RawFrame {
        atomic_numbers,
        positions,
        cell: cell.unwrap_or_default(),
        periodic,
        ..RawFrame::default()
    };
    for (key, cell) in cells {
        let value = match cell {
            Cell::Text(text) => Value::Text(text),
            Cell::Texts(texts) => Value::Text(texts.join(" ")),
            Cell::Truths(truths) => Value::Truths(truths),
            Cell::Numbers(numbers) => {
                // Three atoms with three components could be a tensor too: both names look.
                if let Some(vectors) = vectors(&numbers, frame.atomic_numbers.len()) {
                    frame.vectors.insert(key.clone(), vectors);
                }
                Value::Numbers(numbers)
            }
        };
        frame.info.insert(key, value);
    }
    check_forces(&frame)?;
    Ok(frame)
}

/// A list of forces of the wrong length would otherwise pass for a missing label.
fn check_forces(frame: &RawFrame) -> Result<(), Refusal> {
    let named = |key: &&String| key.to_ascii_lowercase().contains("force");
    let lost = |key: &&String| {
        !frame.vectors.contains_key(*key) && frame.info[*key].numbers().is_some_and(|n| n.len() > 2)
    };
    match frame.info.keys().filter(named).find(lost) {
        None => Ok(()),
        Some(key) => {
            let atoms = frame.atomic_numbers.len();
            let problem = format!("`{key}` is not three numbers for each of {atoms} atoms");
            Err(Refusal::new("wrong_count", problem))
        }
    }
}

fn take(cells: &mut BTreeMap<String, Cell>, names: &[&str]) -> Option<Cell> {
    names.iter().find_map(|name| cells.remove(*name))
}

fn elements(cells: &mut BTreeMap<String, Cell>) -> Result<Vec<u8>, Refusal> {
    let unknown =
        |shown: String| Refusal::new("unknown_element", format!("`{shown}` is not an element"));
    if let Some(Cell::Numbers(numbers)) = take(cells, &["atomic_numbers", "numbers", "Z"]) {
        return numbers.iter().map(|&z| element(z).ok_or_else(|| unknown(z.to_string()))).collect();
    }
    match take(cells, &["symbols", "species"]) {
        Some(Cell::Texts(symbols)) => symbols
            .iter()
            .map(|symbol| atomic_number(symbol).ok_or_else(|| unknown(symbol.clone())))
            .collect(),
        _ => Err(Refusal::new("no_elements", "there are neither `atomic_numbers` nor `symbols`")),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be 1 to 118"
)]
pub(crate) fn element(z: f64) -> Option<u8> {
    ((1.0..=118.0).contains(&z) && z.fract() == 0.0).then_some(z as u8)
}

pub(crate) fn vectors(numbers: &[f64], atoms: usize) -> Option<Vec<Vector>> {
    let (triples, rest) = numbers.as_chunks::<3>();
    (rest.is_empty() && triples.len() == atoms).then(|| triples.to_vec())
}

fn matrix(cells: &mut BTreeMap<String, Cell>) -> Result<Option<Matrix>, Refusal> {
    match take(cells, &["cell", "lattice"]) {
        None => Ok(None),
        Some(Cell::Numbers(numbers)) if numbers.len() == 9 => {
            Ok(vectors(&numbers, 3).map(|rows| [rows[0], rows[1], rows[2]]))
        }
        Some(_) => Err(Refusal::new("bad_lattice", "`cell` is not 3 x 3 numbers")),
    }
}

fn truths(cells: &mut BTreeMap<String, Cell>) -> Result<Option<[bool; 3]>, Refusal> {
    match take(cells, &["pbc", "periodic"]) {
        None => Ok(None),
        Some(Cell::Numbers(numbers)) if numbers.iter().all(|x| [0.0, 1.0].contains(x)) => {
            three(&numbers.iter().map(|&x| x > 0.0).collect::<Vec<_>>()).map(Some)
        }
        Some(Cell::Truths(truths)) => three(&truths).map(Some),
        Some(_) => Err(Refusal::new("bad_pbc", "`pbc` is not made of truths")),
    }
}

fn three(truths: &[bool]) -> Result<[bool; 3], Refusal> {
    match *truths {
        [all] => Ok([all; 3]),
        [a, b, c] => Ok([a, b, c]),
        _ => Err(Refusal::new("bad_pbc", "`pbc` is neither one nor three truths")),
    }
}
