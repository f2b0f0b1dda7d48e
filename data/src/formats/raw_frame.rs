//! A structure as its file gives it: named values, units and meaning still open.
//!
//! Nothing that a file says is left out, so that what was read can be written again beside new
//! results.

use std::collections::BTreeMap;

use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::elements::mass;

/// What a reader of any format yields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawFrame {
    /// `[n]` atomic numbers.
    pub atomic_numbers: Vec<u8>,
    /// `[n]` positions in the file's unit.
    pub positions: Vec<Vector>,
    /// Lattice vectors as rows in the file's unit; zero rows where there is none.
    pub cell: Matrix,
    /// Which lattice vectors are periodic.
    pub periodic: [bool; 3],
    /// Values of the whole structure, by key.
    pub info: BTreeMap<String, Value>,
    /// One vector for each atom, by key.
    pub vectors: BTreeMap<String, Vec<Vector>>,
    /// Everything else that each atom has, by key.
    pub columns: BTreeMap<String, Column>,
}

/// Along which lattice vectors a cell repeats when its file does not say: those that are not zero, as a
/// vector of length zero is the idiom for molecules.
pub(super) fn repeating(cell: &Matrix) -> [bool; 3] {
    cell.map(|row| row.iter().any(|&x| x != 0.0))
}

/// A property of every atom that is not one vector of three numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Values of each atom.
    pub width: usize,
    /// `[n * width]`, atom by atom.
    pub values: Values,
}

/// Values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers.
    Real(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Truths.
    Truth(Vec<bool>),
    /// Words.
    Text(Vec<String>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Real(all) => all.len(),
            Self::Integer(all) => all.len(),
            Self::Truth(all) => all.len(),
            Self::Text(all) => all.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As numbers, truths as 0 and 1; `None` of words.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Real(all) => Some(all.clone()),
            Self::Integer(all) => Some(all.iter().map(|&x| x as f64).collect()),
            Self::Truth(all) => Some(all.iter().map(|&x| f64::from(u8::from(x))).collect()),
            Self::Text(_) => None,
        }
    }
}

impl RawFrame {
    /// The first of `names` that gives `width` numbers for each atom, with its numbers, atom by atom.
    pub fn of_atoms<'n>(&self, names: &[&'n str], width: usize) -> Option<(&'n str, Vec<f64>)> {
        let count = self.atomic_numbers.len() * width;
        let found = |name: &str| {
            let vectors = self.vectors.get(name).map(|rows| rows.as_flattened().to_vec());
            let column = || self.columns.get(name).and_then(|column| column.values.numbers());
            let info = || self.info.get(name).and_then(Value::numbers);
            vectors.or_else(column).or_else(info).filter(|numbers| numbers.len() == count)
        };
        names.iter().find_map(|&name| Some((name, found(name)?)))
    }

    /// Whether `key` names a value of the structure or of its atoms.
    pub fn has(&self, key: &str) -> bool {
        self.info.contains_key(key)
            || self.vectors.contains_key(key)
            || self.columns.contains_key(key)
    }

    /// Notes the masses of isotopes, given by place, unless the file says masses itself.
    pub(super) fn weigh(&mut self, isotopes: &[(usize, f64)]) {
        if isotopes.is_empty() || self.has("masses") || self.has("mass") {
            return;
        }
        let mut masses: Vec<f64> = self.atomic_numbers.iter().map(|&z| mass(z)).collect();
        for &(atom, special) in isotopes {
            masses[atom] = special;
        }
        let column = Column { width: 1, values: Values::Real(masses) };
        self.columns.insert("masses".to_owned(), column);
    }

    /// About what its numbers take: an element, a position and one vector for each atom.
    pub(super) fn bytes(&self) -> usize {
        49 * self.atomic_numbers.len()
    }
}

/// A value of the whole structure.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// As written.
    Text(String),
    /// From a format that has numbers.
    Numbers(Vec<f64>),
    /// From a format that has truths.
    Truths(Vec<bool>),
}

impl Value {
    /// The numbers it holds; `None` if it is something else.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Text(text) => super::extxyz::comment::numbers(text),
            Self::Numbers(numbers) => Some(numbers.clone()),
            Self::Truths(truths) => Some(truths.iter().map(|&x| f64::from(u8::from(x))).collect()),
        }
    }

    /// As text, whatever its length.
    pub(crate) fn shown_whole(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Numbers(numbers) => format!("{numbers:?}"),
            Self::Truths(truths) => format!("{truths:?}"),
        }
    }

    pub(crate) fn shown(&self) -> String {
        let text = self.shown_whole();
        if text.chars().count() <= 60 {
            text
        } else {
            text.chars().take(57).chain("...".chars()).collect()
        }
    }
}
