//! A structure as its file gives it: named values, units and meaning still open.

use std::collections::BTreeMap;

use genesis_schema::atoms::{Matrix, Vector};

/// What a reader of any format yields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawFrame {
    pub(crate) atomic_numbers: Vec<u8>,
    pub(crate) positions: Vec<Vector>,
    /// Zero rows where there is none.
    pub(crate) cell: Matrix,
    pub(crate) periodic: [bool; 3],
    /// Values of the whole structure, by key.
    pub(crate) info: BTreeMap<String, Value>,
    /// One vector for each atom, by key.
    pub(crate) vectors: BTreeMap<String, Vec<Vector>>,
}

impl RawFrame {
    /// About what its numbers take: an element, a position and one vector for each atom.
    pub(super) fn bytes(&self) -> usize {
        49 * self.atomic_numbers.len()
    }
}

/// A value of the whole structure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// As written.
    Text(String),
    /// From a format that has numbers.
    Numbers(Vec<f64>),
}

impl Value {
    /// The numbers it holds; `None` if it is something else.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Text(text) => super::extxyz::comment::numbers(text),
            Self::Numbers(numbers) => Some(numbers.clone()),
        }
    }

    pub(crate) fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Numbers(numbers) => format!("{numbers:?}"),
        };
        if text.chars().count() <= 60 {
            text
        } else {
            text.chars().take(57).chain("...".chars()).collect()
        }
    }
}
