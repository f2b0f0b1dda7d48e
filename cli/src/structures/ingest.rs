//! What `ingest` asks of structures of atoms.

use genesis_data::structures::{GenerateStructures, StructuresIngest};
use toml::{Table, Value};

use crate::family::{Ingest, Takes};

pub(super) static TAKES: Takes = Takes {
    generators: &["silicon"],
    tables: &["units", "keys"],
    claims: |format| format.holds_structures() && !format.holds_documents(),
    ..Takes::of("atoms-data.md")
};

/// How the dataset is made that is asked for.
pub(super) fn plan(mut asked: Ingest) -> anyhow::Result<StructuresIngest> {
    const VALIDATION: &str = "--validation";
    if let Some(fraction) = asked.take(VALIDATION) {
        let by = [("by", Value::from("fraction")), ("fraction", fraction)];
        let by: Table = by.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        asked.flags.push((VALIDATION, "validation", by.into()));
    }
    let (inputs, out) = (asked.inputs.clone(), asked.out.clone());
    let base = match asked.generate {
        Some((_, frames)) => {
            StructuresIngest::of_generated(GenerateStructures::Silicon { frames, seed: 0 }, out)
        }
        None => StructuresIngest::new(inputs, out),
    };
    asked.over(&base, &TAKES)
}
