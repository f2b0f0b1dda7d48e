//! `genesis ingest` of structures of atoms.
//!
//! What a run file says under `[data.source]` is said here by `--set KEY=VALUE`, so that there is
//! one set of options with one documentation. Flags that both kinds have say the same of some keys.

use std::path::{Path, PathBuf};

use genesis_data::formats::{FORMATS, Format};
use genesis_data::structures::{StructuresIngest, ingest_structures};
use toml::{Table, Value};

use crate::console;
use crate::exit::{Code, Failure};
use crate::family::dataset::ingest;
use crate::signals::stop_flag;
use crate::structures::made::show;
use crate::structures::options::{merge, parse};

/// Keys that `--set` leaves to the command line itself, and what says them there.
const SAID_OTHERWISE: [(&str, &str); 5] = [
    ("inputs", "the files named before the options"),
    ("output", "--out"),
    ("overwrite", "--overwrite"),
    ("threads", "--threads"),
    ("generate", "--generate"),
];

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

/// A flag that was given: its name, and the key and value it stands for.
pub(super) type Flag = (&'static str, &'static str, Value);

/// `base` with `options` such as `units.energy=kcal_per_mol`, and with what flags say.
pub(super) fn with_options(
    base: &StructuresIngest,
    options: &[String],
    flags: Vec<Flag>,
) -> anyhow::Result<StructuresIngest> {
    let mut given = Table::new();
    for option in options {
        merge(&mut given, parse(option)?);
    }
    for (key, way) in SAID_OTHERWISE {
        if given.contains_key(key) {
            let message = format!("--set {key}: this key is not set here; use {way}");
            return Err(Failure::error(Code::Usage, message));
        }
    }
    for (flag, key, value) in flags {
        if given.insert(key.to_owned(), value).is_some() {
            let message = format!("{flag} and --set {key} say the same: leave one of them out");
            return Err(Failure::error(Code::Usage, message));
        }
    }
    let mut table = Table::try_from(base)?;
    merge_tagged(&mut table, given);
    let plan: StructuresIngest = table.try_into().map_err(|error| {
        Failure::error(Code::Usage, format!("--set: {error}; see docs/guides/atoms-data.md"))
    })?;
    Ok(plan)
}

/// Puts what is given into the defaults. Tables of alternatives are replaced as a whole: the keys
/// of one are not those of another.
fn merge_tagged(defaults: &mut Table, given: Table) {
    for (key, value) in given {
        let plain = matches!(key.as_str(), "units" | "keys");
        match (defaults.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if plain => merge(old, new),
            (_, value) => {
                defaults.insert(key, value);
            }
        }
    }
}

/// The plan of files, or of the generator, with every option at its default.
pub(super) fn base(
    inputs: &[PathBuf],
    output: &Path,
    generate: Option<genesis_data::structures::GenerateStructures>,
) -> StructuresIngest {
    match generate {
        Some(generate) => StructuresIngest::of_generated(generate, output.to_path_buf()),
        None => StructuresIngest::new(inputs.to_vec(), output.to_path_buf()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[&str], flags: Vec<Flag>) -> anyhow::Result<StructuresIngest> {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        with_options(&base(&[PathBuf::from("a.npz")], Path::new("out"), None), &options, flags)
    }

    #[test]
    fn structures_are_known_by_their_extension_compressed_or_not() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert!(are_structures(&paths(&["a.xyz", "b.extxyz.gz", "c.npz"])));
        assert!(!are_structures(&paths(&["a.xyz", "b.fasta"])));
        assert!(!are_structures(&paths(&["a.jsonl"])));
        assert!(!are_structures(&[]));
    }

    #[test]
    fn options_of_one_table_add_up_and_words_need_no_quotes() {
        let options = ["units.energy=kcal_per_mol", "units.length=\"bohr\"", "cutoff=6.0"];
        let plan = with(&options, Vec::new()).unwrap();
        assert_eq!(
            serde_json::to_value(plan.units).unwrap()["energy"],
            serde_json::json!("kcal_per_mol")
        );
        assert_eq!(serde_json::to_value(plan.units).unwrap()["length"], serde_json::json!("bohr"));
        assert!((plan.cutoff - 6.0).abs() < f64::EPSILON);
        assert_eq!((plan.inputs, plan.output), (vec!["a.npz".into()], "out".into()));
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = with(&["unit.energy=ev"], Vec::new());
        assert!(error.unwrap_err().to_string().contains("unit"));
    }

    #[test]
    fn what_is_said_twice_or_in_the_wrong_place_is_refused_by_name() {
        let flag = ("--max-rejected", "max_reject_fraction", Value::from(0.5));
        let error = with(&["max_reject_fraction=0.2"], vec![flag.clone()]).unwrap_err().to_string();
        assert!(error.contains("--max-rejected and --set max_reject_fraction"), "{error}");
        let error = with(&["output=elsewhere"], Vec::new()).unwrap_err().to_string();
        assert!(error.contains("--set output") && error.contains("--out"), "{error}");
        let plan = with(&["validation={ by = \"count\", frames = 5 }"], vec![flag]).unwrap();
        assert!((plan.max_reject_fraction - 0.5).abs() < f64::EPSILON);
    }
}
