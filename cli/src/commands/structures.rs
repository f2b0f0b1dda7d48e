//! `genesis ingest` of structures of atoms.
//!
//! What a run file says under `[data.source]` is said here by `--set KEY=VALUE`, so that there is
//! one set of options with one documentation.

use std::path::{Path, PathBuf};

use genesis_data::structures::{StructuresIngest, ingest_structures};
use toml::{Table, Value};

use crate::console::{self, IngestMeter};
use crate::exit::{Code, Failure, OrExit};
use crate::structures::made::show;

/// Extensions of files that hold structures and nothing else.
const EXTENSIONS: [&str; 3] = ["xyz", "extxyz", "npz"];

/// Whether all inputs are files of structures, by their names.
pub(super) fn are_structures(inputs: &[PathBuf]) -> bool {
    let holds = |path: &PathBuf| {
        let plain = if path.extension().is_some_and(|it| it == "gz") {
            path.with_extension("")
        } else {
            path.clone()
        };
        plain.extension().is_some_and(|it| EXTENSIONS.iter().any(|known| it == *known))
    };
    !inputs.is_empty() && inputs.iter().all(holds)
}

/// Reads the inputs of `plan` into its dataset folder.
pub(super) fn run(plan: &StructuresIngest, json: bool) -> anyhow::Result<Code> {
    let summary = ingest_structures(plan, &IngestMeter::default()).or_exit(Code::Data)?;
    if json {
        console::result(serde_json::to_string(&summary.card)?);
    } else {
        show(&summary, &plan.output);
    }
    Ok(Code::Done)
}

/// The plan with `options` such as `units.energy=kcal_per_mol` in place of its defaults.
pub(super) fn with_options(
    inputs: &[PathBuf],
    output: &Path,
    options: &[String],
) -> anyhow::Result<StructuresIngest> {
    let mut table = Table::new();
    for option in options {
        merge(&mut table, parse(option)?);
    }
    let plan: StructuresIngest = table.try_into().map_err(|error| {
        Failure::error(Code::Usage, format!("--set: {error}; see docs/guides/atoms-data.md"))
    })?;
    Ok(StructuresIngest { inputs: inputs.to_vec(), output: output.to_path_buf(), ..plan })
}

/// One option as a table; text without special meaning needs no quotes.
fn parse(option: &str) -> anyhow::Result<Table> {
    let wrong = || Failure::error(Code::Usage, format!("--set {option}: must be KEY=VALUE"));
    let (key, value) = option.split_once('=').ok_or_else(wrong)?;
    let as_given = toml::from_str::<Table>(&format!("{key} = {value}"));
    as_given
        .or_else(|_| toml::from_str(&format!("{key} = {}", Value::from(value))))
        .map_err(|_| wrong())
}

/// Puts `from` into `into`; tables are merged, other values replaced.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_known_by_their_extension_compressed_or_not() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(are_structures(&paths(&["a.xyz", "b.extxyz.gz", "c.npz"])));
        assert!(!are_structures(&paths(&["a.xyz", "b.fasta"])));
        assert!(!are_structures(&[]));
    }

    #[test]
    fn options_of_one_table_add_up_and_words_need_no_quotes() {
        let options = ["units.energy=kcal_per_mol", "units.length=\"bohr\"", "cutoff=6.0"];
        let options = options.map(str::to_owned);
        let plan = with_options(&[PathBuf::from("a.npz")], Path::new("out"), &options).unwrap();
        assert_eq!(
            serde_json::to_value(plan.units).unwrap()["energy"],
            serde_json::json!("kcal_per_mol")
        );
        assert_eq!(serde_json::to_value(plan.units).unwrap()["length"], serde_json::json!("bohr"));
        assert!((plan.cutoff - 6.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = with_options(&[], Path::new("out"), &["unit.energy=ev".to_owned()]);
        assert!(error.unwrap_err().to_string().contains("unit"));
    }
}
