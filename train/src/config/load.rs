//! A run file and its overrides to a checked [`RunConfig`], or every problem at once.
//!
//! Order: TOML text, `--set` values, `${NAME}` in paths, structure, meaning. The environment is
//! read here and nowhere else in the crate.

use std::path::Path;

use super::check::check;
use super::environment::{PATH_KEYS, escape, expand_paths};
use super::path;
use super::problem::{ConfigProblem, ConfigProblems};
use super::repair::read;
use super::run::RunConfig;
use super::source::Source;

/// Reads the run file at `file` and applies `overrides` (`table.key=value`) in order.
///
/// # Errors
/// Every problem of the file: syntax, unknown keys and names with the nearest valid one, wrong
/// types, missing keys, values out of range, unset environment variables.
pub fn load(file: &Path, overrides: &[String]) -> Result<RunConfig, ConfigProblems> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| ConfigProblems::whole(&name, format!("cannot read it: {error}")))?;
    load_text(&name, &text, overrides, &environment)
}

/// As [`load`], from text. `name` stands for the file in messages, `lookup` for the environment.
pub fn load_text(
    name: &str,
    text: &str,
    overrides: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<RunConfig, ConfigProblems> {
    let mut source = Source::parse(text).map_err(|all| ConfigProblems::new(name, all))?;
    let mut problems: Vec<ConfigProblem> =
        overrides.iter().filter_map(|text| source.set(text).err()).collect();
    problems.extend(expand_paths(&mut source.tree, lookup));
    let reading = read::<RunConfig>(&source.tree);
    problems.extend(reading.problems);
    if let Some(config) = &reading.value {
        problems.extend(meaningful(check(config), &reading.muted));
    }
    source.locate(&mut problems);
    match reading.value {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigProblems::new(name, problems)),
    }
}

/// The text of a run file that reads back as `config`, every default written out.
pub fn to_text(config: &RunConfig) -> Result<String, ConfigProblems> {
    let fail = |error: &dyn std::fmt::Display| {
        ConfigProblems::whole("plan.toml", format!("cannot be written as TOML: {error}"))
    };
    let mut tree = toml::Value::try_from(config).map_err(|e| fail(&e))?;
    for key in PATH_KEYS {
        let at = key.split('.').fold(path::Path::default(), |path, key| path.key(key));
        for place in at.descend(&tree) {
            if let Some(toml::Value::String(text)) = place.find(&tree) {
                let escaped = toml::Value::String(escape(text));
                place.put(&mut tree, escaped);
            }
        }
    }
    toml::to_string_pretty(&tree).map_err(|e| fail(&e))
}

/// Problems of meaning, without those about stand-ins for values already complained about.
fn meaningful(
    problems: Vec<ConfigProblem>,
    muted: &[path::Path],
) -> impl Iterator<Item = ConfigProblem> {
    let muted: Vec<String> = muted.iter().map(ToString::to_string).collect();
    problems.into_iter().filter(move |problem| {
        !muted.iter().any(|m| problem.path.starts_with(m.as_str()) || problem.message.contains(m))
    })
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the place where it is read")]
    std::env::var(name).ok()
}
