//! `genesis ingest` of structures of atoms.

use std::path::PathBuf;

use genesis_data::formats::{FORMATS, Format};
use genesis_data::structures::{StructuresIngest, ingest_structures};

use crate::console;
use crate::exit::Code;
use crate::family::dataset::ingest;
use crate::signals::stop_flag;
use crate::structures::made::show;

/// Whether all inputs are files of structures and nothing else, by their names.
pub(super) fn are_structures(inputs: &[PathBuf]) -> bool {
    let holds = |path: &PathBuf| {
        let plain = if path.extension().is_some_and(|it| it == "gz") {
            path.with_extension("")
        } else {
            path.clone()
        };
        let extension = plain.extension().unwrap_or_default().to_string_lossy();
        let of = |format: &&&Format| format.extensions.contains(&&*extension);
        FORMATS.iter().find(of).is_some_and(|format| !format.holds_documents())
    };
    !inputs.is_empty() && inputs.iter().all(holds)
}

/// Reads the inputs of `plan` into its dataset folder.
pub(super) fn run(plan: &StructuresIngest, json: bool) -> anyhow::Result<Code> {
    let summary = ingest(&*stop_flag()?, |meter| ingest_structures(plan, meter))?;
    if json {
        console::result(serde_json::to_string(&summary.card)?);
    } else {
        show(&summary, &plan.output);
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_known_by_their_extension_compressed_or_not() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(are_structures(&paths(&["a.xyz", "b.extxyz.gz", "c.npz"])));
        assert!(!are_structures(&paths(&["a.xyz", "b.fasta"])));
        assert!(!are_structures(&paths(&["a.jsonl"])));
        assert!(!are_structures(&[]));
    }
}
