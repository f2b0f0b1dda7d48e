//! Named values of many structures as the columns of one table.

use genesis_data::formats::raw_frame::{Column, Values};

use super::Written;
use super::entries::{Entry, entries};

/// Values of one name; `None` where a structure has none.
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) of_atoms: bool,
    /// The type that holds all of its cells.
    pub(super) kind: Kind,
    /// Every structure that has it has one value.
    pub(super) single: bool,
    pub(super) cells: Vec<Option<Column>>,
}

/// A type of values, wider ones last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Truth,
    Integer,
    Real,
    Text,
}

impl Kind {
    fn of(values: &Values) -> Self {
        match values {
            Values::Truth(_) => Self::Truth,
            Values::Integer(_) => Self::Integer,
            Values::Real(_) => Self::Real,
            Values::Text(_) => Self::Text,
        }
    }

    /// The type that holds values of both; truths beside numbers are words.
    fn with(self, other: Self) -> Self {
        let mixed = self != other && (self == Self::Truth || other == Self::Truth);
        if mixed { Self::Text } else { self.max(other) }
    }
}

/// The columns in the order in which their names come up; those named in `own` are left out.
pub(super) fn columns(all: &[Written<'_>], own: &[&str]) -> Vec<TableColumn> {
    let mut columns: Vec<TableColumn> = Vec::new();
    for (row, written) in all.iter().enumerate() {
        for Entry { name, of_atoms, column, .. } in entries(written) {
            if own.contains(&&*name) {
                continue;
            }
            let kind = Kind::of(&column.values);
            let single = !of_atoms && column.values.len() == 1;
            let at = columns.iter().position(|known| known.name == name).unwrap_or_else(|| {
                let cells = Vec::new();
                columns.push(TableColumn { name, of_atoms, kind, single, cells });
                columns.len() - 1
            });
            let known = &mut columns[at];
            known.kind = known.kind.with(kind);
            known.single &= single;
            known.of_atoms &= of_atoms;
            known.cells.resize(row, None);
            known.cells.push(Some(column));
        }
    }
    for column in &mut columns {
        column.cells.resize(all.len(), None);
    }
    columns
}

/// Values as words.
pub(super) fn words(values: &Values) -> Vec<String> {
    match values {
        Values::Real(all) => all.iter().map(ToString::to_string).collect(),
        Values::Integer(all) => all.iter().map(ToString::to_string).collect(),
        Values::Truth(all) => all.iter().map(ToString::to_string).collect(),
        Values::Text(all) => all.clone(),
    }
}
