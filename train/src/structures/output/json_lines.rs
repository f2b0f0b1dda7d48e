//! A structure as one JSON object a line.

use genesis_data::formats::ATOM_COLUMNS;
use genesis_data::formats::raw_frame::{Column, Values};
use serde_json::{Map, Value, json};

use super::Written;
use super::entries::{Entry, entries};

/// Appends a structure.
pub(super) fn append(out: &mut String, written: &Written<'_>) {
    let mut object = Map::new();
    let entries = entries(written);
    object.insert(ATOM_COLUMNS.to_owned(), json!(of_atoms(&entries)));
    for entry in entries {
        object.insert(entry.name.clone(), values(&entry.column, entry.of_atoms));
    }
    // What the structure is; nothing that came in under these names means anything else.
    for (name, value) in structure(written) {
        object.insert(name.to_owned(), value);
    }
    out.push_str(&Value::Object(object).to_string());
    out.push('\n');
}

/// Names of the values that each atom has, so that lists are read as what they were.
pub(super) fn of_atoms(entries: &[Entry]) -> Vec<String> {
    entries.iter().filter(|it| it.of_atoms).map(|it| it.name.clone()).collect()
}

/// Atoms, positions, cell and which directions are periodic.
pub(super) fn structure(written: &Written<'_>) -> [(&'static str, Value); 4] {
    let frame = written.frame;
    let has_cell = frame.periodic != [false; 3] || frame.cell != [[0.0; 3]; 3];
    [
        ("atomic_numbers", json!(frame.atomic_numbers)),
        ("positions", json!(frame.positions)),
        ("cell", if has_cell { json!(frame.cell) } else { Value::Null }),
        ("pbc", json!(frame.periodic)),
    ]
}

/// One value, or a list; of atoms with more than one value each, a list of lists.
pub(super) fn values(column: &Column, of_atoms: bool) -> Value {
    let flat: Vec<Value> = match &column.values {
        Values::Real(all) => all.iter().map(|&x| json!(x)).collect(),
        Values::Integer(all) => all.iter().map(|&x| json!(x)).collect(),
        Values::Truth(all) => all.iter().map(|&x| json!(x)).collect(),
        Values::Text(all) => all.iter().map(|x| json!(x)).collect(),
    };
    match (of_atoms, &flat[..]) {
        (false, [one]) => one.clone(),
        (true, _) if column.width > 1 => {
            flat.chunks(column.width).map(|row| Value::from(row.to_vec())).collect()
        }
        _ => Value::from(flat),
    }
}
