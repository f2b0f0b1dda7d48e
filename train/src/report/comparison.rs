//! Runs side by side: what they came to, in which keys they differ, and where their losses part.
//!
//! Works from what a run folder holds, so runs of any family, machine and number of ranks can be compared. Not here:
//! whether they got the same samples ([`super::audit`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::ReportError;
use super::events::Event;
use super::figure::Declaration;
use super::summary::RunSummary;
use crate::keys::leaves;

/// A value of each run, in their order; none where it has none.
pub type Row = (String, Vec<Option<String>>);

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Names of the runs.
    pub runs: Vec<String>,
    /// What the report says of each.
    pub facts: Vec<Row>,
    /// Keys of `plan.toml` that are not the same in all, but for where a run lies.
    pub keys: Vec<Row>,
    /// Losses of each other run beside those of the first.
    pub losses: Vec<Parting>,
}

/// Losses of a run beside those of the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parting {
    /// Its name.
    pub run: String,
    /// Steps that both have.
    pub common: u64,
    /// The first of them whose loss is not the same, with that of the first run and its own.
    pub first: Option<(u64, f64, f64)>,
    /// The largest difference.
    pub largest: f64,
}

/// Compares the runs in `folders`, which are of any of `families`.
///
/// # Errors
/// A folder that holds no run, or whose events are damaged.
pub fn compare(
    folders: &[&Path],
    families: &[&'static Declaration],
) -> Result<Comparison, ReportError> {
    let read = folders.iter().map(|folder| RunSummary::read(folder, families));
    let runs = read.collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let facts: Vec<_> = runs.iter().map(RunSummary::facts).collect();
    let keys: Vec<_> = runs.iter().map(|run| keys_of(run.plan.as_deref())).collect();
    let others = runs.iter().zip(&names).skip(1);
    let losses = match runs.first() {
        Some(first) => {
            others.map(|(run, name)| parting(&first.events, &run.events, name)).collect()
        }
        None => Vec::new(),
    };
    Ok(Comparison { facts: side_by_side(&facts), keys: differing(&keys), losses, runs: names })
}

/// Rows in the order in which the runs have them.
fn side_by_side(facts: &[Vec<(String, String)>]) -> Vec<Row> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in facts.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let value = |of: &Vec<(String, String)>, name: &str| {
        of.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    };
    let row = |name: &String| (name.clone(), facts.iter().map(|of| value(of, name)).collect());
    names.into_iter().map(row).collect()
}

/// Keys of a plan with their values; where the run lies makes no difference.
fn keys_of(plan: Option<&str>) -> BTreeMap<String, String> {
    let plan = plan.and_then(|text| toml::from_str::<Value>(text).ok()).unwrap_or_default();
    let mut keys = BTreeMap::new();
    leaves("", &plan, &mut keys);
    keys.remove("run.dir");
    keys.into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

fn differing(plans: &[BTreeMap<String, String>]) -> Vec<Row> {
    let all: BTreeSet<&String> = plans.iter().flat_map(BTreeMap::keys).collect();
    let rows = all.into_iter().map(|key| {
        let values: Vec<Option<String>> = plans.iter().map(|plan| plan.get(key).cloned()).collect();
        (key.clone(), values)
    });
    rows.filter(|(_, values)| values.iter().any(|value| value != &values[0])).collect()
}

fn parting(first: &[Event], other: &[Event], name: &str) -> Parting {
    let losses = |events: &[Event]| -> BTreeMap<u64, f64> {
        events.iter().filter_map(|it| Some((it.step, it.loss?))).collect()
    };
    let (first, other) = (losses(first), losses(other));
    let both: Vec<(u64, f64, f64)> =
        first.iter().filter_map(|(step, a)| Some((*step, *a, *other.get(step)?))).collect();
    let apart = |(_, a, b): &(u64, f64, f64)| (a - b).abs();
    Parting {
        run: name.to_owned(),
        common: both.len() as u64,
        first: both.iter().find(|(_, a, b)| a.to_bits() != b.to_bits()).copied(),
        largest: both.iter().map(apart).fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(losses: &[f64], plan: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let lines = losses.iter().enumerate();
        let lines = lines.map(|(at, loss)| format!("{{\"step\":{},\"loss\":{loss}}}\n", at + 1));
        fs::write(folder.path().join("events.jsonl"), lines.collect::<String>()).unwrap();
        fs::write(folder.path().join("plan.toml"), plan).unwrap();
        folder
    }

    #[test]
    fn runs_part_at_the_first_step_whose_loss_differs_and_name_the_keys_that_do() {
        let a = run(&[3.0, 2.0, 1.0], "[run]\ndir = \"a\"\nseed = 1\n[batch]\nsequences = 4\n");
        let b =
            run(&[3.0, 2.5, 1.25, 1.0], "[run]\ndir = \"b\"\nseed = 2\n[batch]\nsequences = 4\n");
        let found = compare(&[a.path(), b.path(), a.path()], &[]).unwrap();
        let values = |all: [&str; 3]| all.map(|it| Some(it.to_owned())).to_vec();
        assert_eq!(found.keys, [("run.seed".to_owned(), values(["1", "2", "1"]))]);
        let [b, again] = found.losses.as_slice() else { unreachable!("{:?}", found.losses) };
        assert_eq!((b.common, b.first, b.largest), (3, Some((2, 2.0, 2.5)), 0.5));
        assert_eq!((again.common, again.first, again.largest), (3, None, 0.0));
        let steps = found.facts.iter().find(|(name, _)| name == "Steps done").unwrap();
        assert_eq!(steps.1, values(["3", "4", "3"]));
    }

    #[test]
    fn a_key_that_only_one_run_has_differs_and_runs_without_a_common_step_have_none() {
        let a = run(&[3.0], "[run]\nseed = 1\n");
        let b = run(&[], "[run]\nseed = 1\nthreads = 2\n");
        let found = compare(&[a.path(), b.path()], &[]).unwrap();
        assert_eq!(found.keys, [("run.threads".to_owned(), vec![None, Some("2".to_owned())])]);
        assert_eq!((found.losses[0].common, found.losses[0].first), (0, None));
        assert!(compare(&[a.path(), Path::new("/nowhere")], &[]).is_err());
    }
}
