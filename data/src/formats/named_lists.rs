//! A structure from named lists, as JSON lines and Parquet give them.
//!
//! | key                                      | holds                                        |
//! |------------------------------------------|----------------------------------------------|
//! | `atomic_numbers`, `numbers` or `Z`       | `[n]` whole numbers                          |
//! | `symbols` or `species`, instead          | `[n]` texts                                  |
//! | `positions` or `pos`                     | `[n, 3]`                                     |
//! | `cell` or `lattice` (may be absent)      | `[3, 3]`, rows are lattice vectors           |
//! | `pbc` or `periodic` (may be absent)      | three truths, or one; else where a row is    |
//! | labels, `config_type`, `head`, weights   | by their keys, as in extended XYZ            |
//!
//! Lists may be nested or flat, row by row: `[[x, y, z], ..]` and `[x, y, z, ..]` are the same. What a
//! list belongs to follows from its length, unless [`ATOM_COLUMNS`] names those that are of atoms, as
//! files of this program do.

use std::collections::BTreeMap;

use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::elements::spelled;

use super::Refusal;
use super::raw_frame::{Column, RawFrame, Value, Values, repeating};

/// Key of the names of lists that hold values of each atom.
pub const ATOM_COLUMNS: &str = "atom_columns";

/// A value, lists flattened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Numbers(Vec<f64>),
    Integers(Vec<i64>),
    Truths(Vec<bool>),
    Text(String),
    Texts(Vec<String>),
}

impl Cell {
    /// Whole numbers as numbers.
    fn widened(self) -> Self {
        match self {
            Self::Integers(all) => Self::Numbers(all.into_iter().map(|x| x as f64).collect()),
            other => other,
        }
    }

    /// As values of each of `atoms` atoms.
    fn column(&self, atoms: usize) -> Option<Column> {
        let values = match self {
            Self::Numbers(all) => Values::Real(all.clone()),
            Self::Integers(all) => Values::Integer(all.clone()),
            Self::Truths(all) => Values::Truth(all.clone()),
            Self::Texts(all) => Values::Text(all.clone()),
            Self::Text(one) => Values::Text(vec![one.clone()]),
        };
        let whole = !values.is_empty() && values.len() % atoms == 0;
        whole.then(|| Column { width: values.len() / atoms, values })
    }
}

/// Puts the lists together.
pub(crate) fn assemble(mut cells: BTreeMap<String, Cell>) -> Result<RawFrame, Refusal> {
    let (atomic_numbers, isotopes) = elements(&mut cells)?;
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
    let periodic = truths(&mut cells)?.unwrap_or_else(|| repeating(&cell.unwrap_or_default()));
    let mut frame = RawFrame {
        atomic_numbers,
        positions,
        cell: cell.unwrap_or_default(),
        periodic,
        ..RawFrame::default()
    };
    let listed = listed(&mut cells)?;
    let atoms = frame.atomic_numbers.len();
    for (key, cell) in cells {
        if listed.as_ref().is_some_and(|listed| listed.contains(&key)) {
            enter(&mut frame, key, &cell)?;
            continue;
        }
        let value = match cell.widened() {
            Cell::Integers(_) => unreachable!("they were widened"),
            Cell::Text(text) => Value::Text(text),
            Cell::Texts(texts) => Value::Text(texts.join(" ")),
            Cell::Truths(truths) => Value::Truths(truths),
            Cell::Numbers(numbers) => {
                // Three atoms with three components could be a tensor too: both names look.
                if let Some(vectors) = vectors(&numbers, atoms).filter(|_| listed.is_none()) {
                    frame.vectors.insert(key.clone(), vectors);
                }
                Value::Numbers(numbers)
            }
        };
        frame.info.insert(key, value);
    }
    check_forces(&frame)?;
    frame.weigh(&isotopes);
    Ok(frame)
}

/// The names that [`ATOM_COLUMNS`] lists; `None` where there is no such list.
fn listed(cells: &mut BTreeMap<String, Cell>) -> Result<Option<Vec<String>>, Refusal> {
    match cells.remove(ATOM_COLUMNS) {
        None => Ok(None),
        Some(Cell::Texts(names)) => Ok(Some(names)),
        Some(Cell::Text(name)) => Ok(Some(vec![name])),
        Some(Cell::Numbers(none)) if none.is_empty() => Ok(Some(Vec::new())),
        Some(_) => {
            let problem = format!("`{ATOM_COLUMNS}` is not a list of names");
            Err(Refusal::new("bad_value", problem))
        }
    }
}

/// Enters values of each atom.
fn enter(frame: &mut RawFrame, key: String, cell: &Cell) -> Result<(), Refusal> {
    let atoms = frame.atomic_numbers.len();
    let Some(column) = cell.column(atoms.max(1)) else {
        let problem =
            format!("`{key}` has not the same number of values for each of {atoms} atoms");
        return Err(Refusal::new("wrong_count", problem));
    };
    match &column.values {
        Values::Real(numbers) if column.width == 3 => {
            frame.vectors.insert(key, vectors(numbers, atoms).unwrap_or_default());
        }
        _ => drop(frame.columns.insert(key, column)),
    }
    Ok(())
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

/// The first of `names` that is there, in any case.
fn take(cells: &mut BTreeMap<String, Cell>, names: &[&str]) -> Option<Cell> {
    let find = |name: &&str| cells.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    let key = names.iter().find_map(find)?;
    cells.remove(&key).map(Cell::widened)
}

/// Atomic numbers, and the places of isotopes with their masses.
type Elements = (Vec<u8>, Vec<(usize, f64)>);

fn elements(cells: &mut BTreeMap<String, Cell>) -> Result<Elements, Refusal> {
    let unknown =
        |shown: String| Refusal::new("unknown_element", format!("`{shown}` is not an element"));
    if let Some(Cell::Numbers(numbers)) = take(cells, &["atomic_numbers", "numbers", "Z"]) {
        let one = |&z: &f64| element(z).ok_or_else(|| unknown(z.to_string()));
        return Ok((numbers.iter().map(one).collect::<Result<_, _>>()?, Vec::new()));
    }
    let symbols = match take(cells, &["symbols", "species"]) {
        Some(Cell::Texts(symbols)) => symbols,
        // A list of one symbol is one text.
        Some(Cell::Text(symbol)) => vec![symbol],
        _ => {
            let problem = "there are neither `atomic_numbers` nor `symbols`";
            return Err(Refusal::new("no_elements", problem));
        }
    };
    let one = |symbol: &String| spelled(symbol).ok_or_else(|| unknown(symbol.clone()));
    let found: Vec<_> = symbols.iter().map(one).collect::<Result<_, _>>()?;
    let isotopes = found.iter().enumerate().filter_map(|(at, it)| Some((at, it.1?))).collect();
    Ok((found.into_iter().map(|(z, _)| z).collect(), isotopes))
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
