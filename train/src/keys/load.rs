//! A run file and its overrides to a checked configuration, or every problem at once.
//!
//! Order: TOML text, `--set` values, `~` and `$NAME` in paths, structure, meaning. The environment is
//! read here and nowhere else in the crate. Not here: which family a file is of; `model.kind`, which
//! [`RunFile::kind`] gives, says it.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::environment::{escape, expand, expand_paths};
use super::parallel::ParallelConfig;
use super::path;
use super::problem::{ConfigProblem, ConfigProblems};
use super::repair::read;
use super::source::Source;
use super::tables::RunTable;

/// The resolved run file in a run folder.
pub const PLAN_FILE: &str = "plan.toml";

/// Looks up a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a run file as a whole can be.
pub trait Root: Serialize + DeserializeOwned + JsonSchema {
    /// Keys whose text, or items of text, are paths.
    const PATHS: &'static [&'static str];

    /// What makes the run itself.
    fn run(&self) -> &RunTable;

    /// As [`Root::run`], to be changed.
    fn run_mut(&mut self) -> &mut RunTable;

    /// How ranks train together.
    fn parallel(&self) -> &ParallelConfig;

    /// Every problem of meaning.
    fn problems(&self) -> Vec<ConfigProblem>;
}

/// A run file with its overrides, as text says it: not yet of any family.
pub struct RunFile {
    name: String,
    source: Source,
    problems: Vec<ConfigProblem>,
    /// What was read otherwise than it is written.
    pub notes: Vec<String>,
}

impl RunFile {
    /// Reads `file` and applies `overrides` (`table.key=value`) in order.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn read(file: &Path, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let name = file.display().to_string();
        let unread = |error| ConfigProblems::whole(&name, unreadable(file, &error));
        let text = std::fs::read_to_string(file).map_err(unread)?;
        let mut read = Self::parse(&name, &text, overrides)?;
        if let Some(folder) = run_folder_around(file) {
            read.settle_in(&folder);
        }
        Ok(read)
    }

    /// The plan of a run is of the run around it, which may have been moved or copied since.
    fn settle_in(&mut self, folder: &Path) {
        let place = path::Path::default().key("run").key("dir");
        let written = place.find(&self.source.tree).and_then(Value::as_str).map(str::to_owned);
        let Some(written) = written.filter(|_| !self.source.is_overridden("run.dir")) else {
            return;
        };
        let said = expand(&written, &environment).map(PathBuf::from);
        let resolved = |path: &Path| path.canonicalize().ok();
        if said.is_ok_and(|said| resolved(&said) == resolved(folder)) {
            return;
        }
        let Some(here) = folder.to_str() else { return };
        place.put(&mut self.source.tree, Value::String(escape(here)));
        self.notes.push(format!(
            "run.dir is {here}, where {} lies; it says {written}: the folder was moved or copied",
            self.name
        ));
    }

    /// Applies one `table.key=value` more.
    pub fn set(&mut self, text: &str) {
        self.problems.extend(self.source.set(text).err());
    }

    /// As [`RunFile::read`], from text. `name` stands for the file in messages.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self, ConfigProblems> {
        let mut source = Source::parse(text).map_err(|all| ConfigProblems::new(name, all))?;
        let problems = overrides.iter().filter_map(|text| source.set(text).err()).collect();
        Ok(Self { name: name.to_owned(), source, problems, notes: Vec::new() })
    }

    /// The run of `R` that a checkpoint in `name` recorded as `config`, in the run folder `run_dir`, where that is known.
    ///
    /// # Errors
    /// `config` is of another version of the program.
    pub fn recorded<R: Root>(
        name: &Path,
        config: &serde_json::Value,
        run_dir: Option<&Path>,
        overrides: &[String],
    ) -> Result<Self, ConfigProblems> {
        let name = name.display().to_string();
        let unread = |error: serde_json::Error| {
            let what = "its configuration is not of this version of genesis";
            ConfigProblems::whole(&name, format!("{what}: {error}"))
        };
        let config: R = serde_json::from_value(config.clone()).map_err(unread)?;
        let mut read = Self::parse(&name, &to_text(&config)?, overrides)?;
        if let Some(folder) = run_dir {
            read.settle_in(folder);
        }
        Ok(read)
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
        let Self { name, mut source, mut problems, notes: _ } = self;
        problems.extend(expand_paths(&mut source.tree, R::PATHS, lookup));
        let reading = read::<R>(&source.tree, &source.texts);
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

/// Why a run file cannot be read, and which file was meant where a folder is named.
fn unreadable(file: &Path, error: &std::io::Error) -> String {
    let plan = file.join(PLAN_FILE);
    if plan.is_file() {
        return format!("it is a run folder; name its run file, {}", plan.display());
    }
    format!("cannot read it: {error}")
}

/// The run folder that `file` is the plan of: one with events or checkpoints.
fn run_folder_around(file: &Path) -> Option<PathBuf> {
    if file.file_name()? != PLAN_FILE {
        return None;
    }
    let parent = file.parent()?;
    let folder = if parent.as_os_str().is_empty() {
        std::env::current_dir().ok()?
    } else {
        parent.to_path_buf()
    };
    let is_run = ["events.jsonl", "checkpoints"].iter().any(|name| folder.join(name).exists());
    is_run.then_some(folder)
}

/// The checkpoint that the run in `run_dir` began from, by its plan, and whether it gave its weights
/// alone; nothing for a run that has no plan yet, or began at no checkpoint.
///
/// # Errors
/// A plan that is there and cannot be read: it alone says where the run began.
pub fn remembered_start(run_dir: &Path) -> Result<Option<(PathBuf, bool)>, ConfigProblems> {
    let path = run_dir.join(PLAN_FILE);
    let damaged = |what: String| {
        let message = format!(
            "{what}; it says from which checkpoint the run began: restore it from a copy, or move \
             it away if the run began at none"
        );
        ConfigProblems::whole(path.display().to_string(), message)
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(format!("cannot read it: {error}"))),
    };
    let plan: toml::Table =
        text.parse().map_err(|e: toml::de::Error| damaged(format!("not TOML: {}", e.message())))?;
    let run = plan.get("run").and_then(Value::as_table);
    let run = run.ok_or_else(|| damaged("it has no table [run]".to_owned()))?;
    let Some(from) = run.get("from") else { return Ok(None) };
    let from = from.as_str().ok_or_else(|| damaged(format!("run.from is {from}, not a path")))?;
    let from = expand(from, &environment).map_err(|what| damaged(format!("run.from: {what}")))?;
    let weights_only = run.get("weights_only").and_then(Value::as_bool).unwrap_or(false);
    Ok(Some((PathBuf::from(from), weights_only)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(plan: Option<&[u8]>) -> Result<Option<(PathBuf, bool)>, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(plan) = plan {
            std::fs::write(folder.path().join(PLAN_FILE), plan).unwrap();
        }
        remembered_start(folder.path()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_start_of_a_run_is_what_its_plan_says() {
        assert_eq!(start_of(None), Ok(None), "killed before it was written");
        assert_eq!(start_of(Some(b"[run]\ndir = \"r\"\n")), Ok(None));
        let from = |weights_only| Ok(Some((PathBuf::from("old/step-00000010"), weights_only)));
        let plan = "[run]\nfrom = \"old/step-00000010\"\n";
        assert_eq!(start_of(Some(plan.as_bytes())), from(false));
        let weights_only = format!("{plan}weights_only = true\n");
        assert_eq!(start_of(Some(weights_only.as_bytes())), from(true));
    }

    #[test]
    fn a_damaged_plan_is_no_run_without_a_start() {
        let damages: [&[u8]; 6] = [
            b"",
            b"[run]\nfrom = \"old/step",
            b"[run]\nfrom = 7\n",
            b"[run]\nfrom = \"$NO_SUCH_VARIABLE/a\"\n",
            b"run = 1\n",
            b"\xff\xfe",
        ];
        for damage in damages {
            let error = start_of(Some(damage)).unwrap_err();
            assert!(error.contains(PLAN_FILE) && error.contains("restore"), "{error}");
        }
    }
}
