//! What the comment line says of the structure: its columns, its cell, its periodic directions; or
//! that it is words of a plain xyz file.
//!
//! A line without `Properties` that names no part of a structure is free text, as in the format
//! before it was extended, unless it can be read as pairs. A cell or periodicity under a name that
//! might mean something else is refused by that name, never passed over.

use std::collections::BTreeMap;

use genesis_schema::atoms::Matrix;

use super::comment;
use crate::formats::Refusal;
use crate::formats::raw_frame::repeating;

/// Key of the comment of a plain xyz file, as the format's own reader has it.
const COMMENT: &str = "comment";
/// Keys that seem to be a cell or its periodicity, and are not.
const DOUBTFUL: [&str; 6] =
    ["unit_cell", "box", "cell_vectors", "lattice_vectors", "cellpar", "boundary"];
/// Words before `=` by which a line is no free text.
const OF_STRUCTURE: [&str; 4] = ["lattice", "properties", "pbc", "cell"];

/// What was found.
pub(super) struct Head {
    /// `None`: a symbol, a position, and what follows is not read.
    pub(super) properties: Option<String>,
    /// Zero rows where there is none.
    pub(super) cell: Matrix,
    pub(super) periodic: [bool; 3],
    pub(super) info: BTreeMap<String, String>,
}

impl Head {
    /// Understands `line`; `vectors` are the lines `VEC1 x y z` below the atoms.
    pub(super) fn read(line: &str, vectors: &str) -> Result<Self, Refusal> {
        let mut info = pairs(line)?;
        let properties = info.remove("Properties");
        let written = agreeing(&[
            lattice("Lattice", info.remove("Lattice").as_deref())?,
            cell_key(&mut info)?,
            rows_below(vectors)?,
        ])?;
        let cell = written.map_or([[0.0; 3]; 3], |(_, cell)| cell);
        let pbc = periodic(&mut info)?;
        if written.is_none() {
            let doubtful = |key: &&String| DOUBTFUL.iter().any(|it| it.eq_ignore_ascii_case(key));
            if let Some(key) = info.keys().find(doubtful) {
                let problem = format!(
                    "`{key}` may be a cell, and there is no Lattice; write Lattice=\"ax ay az bx by \
                     bz cx cy cz\", or rename the key"
                );
                return Err(Refusal::new("bad_lattice", problem));
            }
        }
        Ok(Self { properties, cell, periodic: pbc.unwrap_or_else(|| repeating(&cell)), info })
    }
}

/// The pairs of `line`, or the whole of it as a comment.
fn pairs(line: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let text = line.trim();
    let lower = text.to_ascii_lowercase();
    // "# CELL(abcABC): a b c alpha beta gamma", the comment of i-PI.
    if lower.trim_start_matches(['#', ' ']).starts_with("cell(") {
        let problem = "the cell is written as CELL(..), which is not read; write Lattice=\"ax ay az \
                       bx by bz cx cy cz\"";
        return Err(Refusal::new("bad_lattice", problem));
    }
    let found = comment::pairs(line);
    let extended = found.as_ref().is_ok_and(|it| it.contains_key("Properties"));
    if extended || OF_STRUCTURE.iter().any(|key| is_assigned(&lower, key)) {
        return found;
    }
    match found {
        Ok(pairs) if text.contains('=') || text.is_empty() => Ok(pairs),
        _ => Ok([(COMMENT.to_owned(), text.to_owned())].into()),
    }
}

/// Whether `key` stands before an `=`.
fn is_assigned(lower: &str, key: &str) -> bool {
    lower.match_indices(key).any(|(at, _)| {
        let starts = !lower[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        starts && lower[at + key.len()..].trim_start_matches(['"', '\'', ' ']).starts_with('=')
    })
}

type Written = Option<(&'static str, Matrix)>;

/// The cell, when all that say one say the same.
fn agreeing(all: &[Written; 3]) -> Result<Written, Refusal> {
    let mut found: Written = None;
    for &(name, cell) in all.iter().flatten() {
        match found {
            Some((other, known)) if !close(&known, &cell) => {
                let problem = format!("{other} says {known:?}, {name} says {cell:?}");
                return Err(Refusal::new("bad_lattice", problem));
            }
            Some(_) => {}
            None => found = Some((name, cell)),
        }
    }
    Ok(found)
}

/// Equal but for the digits that a file may have cut.
fn close(one: &Matrix, other: &Matrix) -> bool {
    let pairs = one.as_flattened().iter().zip(other.as_flattened());
    pairs.into_iter().all(|(a, b)| (a - b).abs() <= 1e-5 * a.abs().max(1.0))
}

/// Nine numbers, row by row, or the three of a diagonal.
fn lattice(key: &'static str, value: Option<&str>) -> Result<Written, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let cell = match comment::numbers(value).as_deref() {
        Some(&[a, b, c, d, e, f, g, h, i]) => [[a, b, c], [d, e, f], [g, h, i]],
        Some(&[a, b, c]) => [[a, 0.0, 0.0], [0.0, b, 0.0], [0.0, 0.0, c]],
        _ => {
            let problem = format!("{key} is `{value}`, not nine numbers or three");
            return Err(Refusal::new("bad_lattice", problem));
        }
    };
    Ok(Some((key, cell)))
}

/// `cell` in any case, which other programs write for `Lattice`; lengths and angles are refused.
fn cell_key(info: &mut BTreeMap<String, String>) -> Result<Written, Refusal> {
    let Some(key) = info.keys().find(|key| key.eq_ignore_ascii_case("cell")).cloned() else {
        return Ok(None);
    };
    let value = info.remove(&key).unwrap_or_default();
    if comment::numbers(&value).is_some_and(|numbers| numbers.len() == 9) {
        return lattice("cell", Some(&value));
    }
    let problem = format!("{key} is `{value}`, not nine numbers; write the lattice vectors");
    Err(Refusal::new("bad_lattice", problem))
}

/// `VEC1 x y z` to `VEC3`, as ASE writes them with `vec_cell`.
fn rows_below(vectors: &str) -> Result<Written, Refusal> {
    let mut cell = [[0.0; 3]; 3];
    for (at, line) in vectors.lines().enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let row: Option<Vec<f64>> = words[1..].iter().map(|word| comment::number(word)).collect();
        let row = row.and_then(|row| <[f64; 3]>::try_from(row).ok());
        match (cell.get_mut(at), row) {
            (Some(place), Some(row)) if words[0] == format!("VEC{}", at + 1) => *place = row,
            _ => {
                let problem = format!("`{line}` is not VEC{} with three numbers", at + 1);
                return Err(Refusal::new("bad_lattice", problem));
            }
        }
    }
    Ok((!vectors.is_empty()).then_some(("VEC", cell)))
}

fn periodic(info: &mut BTreeMap<String, String>) -> Result<Option<[bool; 3]>, Refusal> {
    let mut said: Option<(&str, [bool; 3])> = None;
    for key in [comment::PBC, "periodic"] {
        let Some(value) = info.get(key) else { continue };
        let three = match comment::truths(value).as_deref() {
            Some(&[all]) => [all; 3],
            Some(&[a, b, c]) => [a, b, c],
            _ => {
                let problem = format!("{key} is `{value}`, not three of T and F");
                return Err(Refusal::new("bad_pbc", problem));
            }
        };
        if let Some((other, known)) = said.filter(|(_, known)| *known != three) {
            let problem = format!("{other} says {known:?}, {key} says {three:?}");
            return Err(Refusal::new("bad_pbc", problem));
        }
        said = Some((key, three));
        info.remove(key);
    }
    Ok(said.map(|(_, three)| three))
}
