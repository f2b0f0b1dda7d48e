//! Options as `KEY=VALUE`, and what an ingest is asked with them: flags and `--set KEY=VALUE` say keys of
//! `[data.source]`, so that there is one set of options with one documentation.

use genesis_train::keys::table_of;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::ingest::Takes;
use crate::exit::{Code, Failure};

/// Keys that `--set` leaves to the command line itself, and what says them there.
const SAID_OTHERWISE: [(&str, &str); 6] = [
    ("inputs", "the files named before the options"),
    ("output", "--out"),
    ("overwrite", "--overwrite"),
    ("threads", "--threads"),
    ("generate", "--generate"),
    ("tokenizer", "--tokenizer or --train-bpe"),
];

/// A flag that was given: its name, and the key and value it stands for.
pub(crate) type Flag = (&'static str, &'static str, Value);

/// `base` with `options` such as `units.energy=kcal_per_mol`, and with what flags say.
pub(super) fn with_options<P: Serialize + DeserializeOwned>(
    base: &P,
    options: &[String],
    flags: Vec<Flag>,
    takes: &Takes,
) -> anyhow::Result<P> {
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
    merge_tagged(&mut table, given, takes.tables);
    table.try_into().map_err(|error: toml::de::Error| {
        let message = format!("--set: {}; see docs/guides/{}", error.message(), takes.guide);
        Failure::error(Code::Usage, message)
    })
}

/// One option as a table, as in a run file; text without special meaning needs no quotes.
pub(crate) fn parse(option: &str) -> anyhow::Result<Table> {
    table_of(option).map_err(|problem| Failure::error(Code::Usage, problem.to_string()))
}

/// Puts `from` into `into`; tables are merged, other values replaced.
pub(crate) fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Puts what is given into the defaults. All tables but those `plain` ones are of alternatives, and replaced
/// as a whole: the keys of one are not those of another.
fn merge_tagged(defaults: &mut Table, given: Table, plain: &[&str]) {
    for (key, value) in given {
        let plain = plain.contains(&key.as_str());
        match (defaults.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if plain => merge(old, new),
            (_, value) => {
                defaults.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use genesis_data::sequences::{SequencesIngest, TokenizerChoice};
    use genesis_data::structures::StructuresIngest;

    use super::*;

    const STRUCTURES: Takes = Takes { tables: &["units", "keys"], ..Takes::of("atoms-data.md") };
    const SEQUENCES: Takes = Takes { tables: &["letters"], ..Takes::of("train-on-your-data.md") };

    fn with(options: &[&str], flags: Vec<Flag>) -> anyhow::Result<StructuresIngest> {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let base = StructuresIngest::new(vec![PathBuf::from("a.npz")], PathBuf::from("out"));
        with_options(&base, &options, flags, &STRUCTURES)
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

    #[test]
    fn options_of_sequences_are_said_the_same_way() {
        let base = SequencesIngest::new(
            vec![PathBuf::from("a.csv")],
            TokenizerChoice::TrainBpe { vocab_size: 300 },
            PathBuf::from("out"),
        );
        let with = |options: &[&str], flags| {
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            with_options(&base, &options, flags, &SEQUENCES)
        };
        assert_eq!(with(&[], Vec::new()).unwrap(), base);
        let flag = ("--max-rejected", "max_reject_fraction", Value::from(0.5));
        let plan = with(&["header=false", "quotes=text"], vec![flag]).unwrap();
        assert_eq!((plan.header, plan.tokenizer), (Some(false), base.tokenizer.clone()));
        let error = with(&["headers=false"], Vec::new()).unwrap_err().to_string();
        assert!(error.contains("headers") && error.contains("train-on-your-data"), "{error}");
        let error = with(&["tokenizer=byte"], Vec::new()).unwrap_err().to_string();
        assert!(error.contains("--tokenizer"), "{error}");
    }
}
