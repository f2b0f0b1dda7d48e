//! A run file and its overrides to a checked configuration, or every problem at once.
//!
//! Order: TOML text, `--set` values, `${NAME}` in paths, structure, meaning. The environment is read
//! here and nowhere else in the crate. Not here: which family a file is of; `model.kind`, which
//! [`RunFile::kind`] gives, says it.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::environment::{escape, expand_paths};
use super::path;
use super::problem::{ConfigProblem, ConfigProblems};
use super::repair::read;
use super::source::Source;
use super::tables::RunTable;

/// Looks up a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a run file as a whole can be.
pub trait Root: Serialize + DeserializeOwned + JsonSchema {
    /// Keys whose text, or items of text, are paths.
    const PATHS: &'static [&'static str];

    /// What makes the run itself.
    fn run(&self) -> &RunTable;

    /// Every problem of meaning.
    fn problems(&self) -> Vec<ConfigProblem>;
}

/// A run file with its overrides, as text says it: not yet of any family.
pub struct RunFile {
    name: String,
    source: Source,
    problems: Vec<ConfigProblem>,
}

impl RunFile {
    /// Reads `file` and applies `overrides` (`table.key=value`) in order.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn read(file: &std::path::Path, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&name, &text, overrides),
            Err(error) => Err(ConfigProblems::whole(&name, format!("cannot read it: {error}"))),
        }
    }

    /// As [`RunFile::read`], from text. `name` stands for the file in messages.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let mut source = Source::parse(text).map_err(|all| ConfigProblems::new(name, all))?;
        let problems = overrides.iter().filter_map(|text| source.set(text).err()).collect();
        Ok(Self { name: name.to_owned(), source, problems })
    }

    /// What `model.kind` says.
    pub fn kind(&self) -> Option<&str> {
        self.source.tree.get("model")?.get("kind")?.as_str()
    }

    /// The file as a run of `R`; `lookup` stands for the environment.
    ///
    /// # Errors
    /// Every problem of the file: unknown keys and names with the nearest valid one, wrong types,
    /// missing keys, values out of range, unset environment variables.
    pub fn check<R: Root>(self, lookup: Lookup<'_>) -> Result<R, ConfigProblems> {
        let Self { name, mut source, mut problems } = self;
        problems.extend(expand_paths(&mut source.tree, R::PATHS, lookup));
        let reading = read::<R>(&source.tree);
        problems.extend(reading.problems);
        if let Some(config) = &reading.value {
            problems.extend(meaningful(config.problems(), &reading.muted));
        }
        source.locate(&mut problems);
        match reading.value {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigProblems::new(name, problems)),
        }
    }
}

/// The text of a run file that reads back as `config`, every default written out.
///
/// # Errors
/// A value that TOML cannot hold, such as a path that is not UTF-8.
pub fn to_text<R: Root>(config: &R) -> Result<String, ConfigProblems> {
    let fail = |error: &dyn std::fmt::Display| {
        ConfigProblems::whole("plan.toml", format!("cannot be written as TOML: {error}"))
    };
    let mut tree = toml::Value::try_from(config).map_err(|e| fail(&e))?;
    for place in path::places(&tree, R::PATHS) {
        if let Some(Value::String(text)) = place.find(&tree) {
            let escaped = Value::String(escape(text));
            place.put(&mut tree, escaped);
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

/// The environment of the process.
pub fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the place where it is read")]
    std::env::var(name).ok()
}
