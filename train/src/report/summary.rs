//! A run folder read back: what happened, in numbers. Works from `events.jsonl` alone; everything
//! else that is there adds to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ReportError;
use super::events::{Event, read_events};
use super::faults;
use super::figure::{Better, Declaration, Figure, Role};
use super::log::{EVENTS_FILE, SAMPLES_FILE};
use super::number::{bytes, duration, grouped, loss, significant, whole};
use super::record::SampleRecord;
use super::section::Section;
use super::sessions::{self, Session, Status};

pub use crate::keys::PLAN_FILE;

/// One checkpoint of the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointRow {
    /// Folder name.
    pub name: String,
    /// Size on disk.
    pub bytes: u64,
    /// Validation loss measured at its step.
    pub val_loss: Option<f64>,
    /// Whether it was committed; one that was not is the rest of an interrupted save.
    pub committed: bool,
}

/// What a run folder tells.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// Name of the folder.
    pub name: String,
    /// Every step.
    pub events: Vec<Event>,
    /// Which processes trained, and how they ended.
    pub sessions: Vec<Session>,
    /// How the run stands, if that is known.
    pub status: Option<Status>,
    /// Generated texts.
    pub samples: Vec<SampleRecord>,
    /// Checkpoints, oldest first.
    pub checkpoints: Vec<CheckpointRow>,
    /// `plan.toml`, if it is there.
    pub plan: Option<String>,
    /// The family whose figures the events have; none for events without.
    pub family: Option<&'static Declaration>,
    /// What there is to show beside: steps that could not be trusted, and what the family has.
    pub sections: Vec<Section>,
    /// Facts about the data, name and value.
    pub dataset: Vec<(String, String)>,
}

impl RunSummary {
    /// Reads the run folder `run_dir` of one of `families`.
    ///
    /// # Errors
    /// `events.jsonl` is missing, unreadable or broken before its last line.
    pub fn read(run_dir: &Path, families: &[&'static Declaration]) -> Result<Self, ReportError> {
        let events = read_events(&run_dir.join(EVENTS_FILE))?;
        let family = families.iter().copied().find(|family| wrote(family, &events));
        let of_family = family.map_or_else(Vec::new, |family| (family.sections)(run_dir));
        let plan = fs::read_to_string(run_dir.join(PLAN_FILE)).ok();
        let resolved = run_dir.canonicalize().unwrap_or_else(|_| run_dir.to_owned());
        let name = resolved.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sessions = sessions::read(run_dir);
        let steps = events.last().map_or(0, |event| event.step);
        Ok(Self {
            name,
            status: sessions::status(run_dir, &sessions, steps),
            sessions,
            samples: read_samples(&run_dir.join(SAMPLES_FILE)),
            checkpoints: read_checkpoints(&run_dir.join("checkpoints"), &events),
            sections: faults::section(run_dir).into_iter().chain(of_family).collect(),
            dataset: read_dataset(run_dir, plan.as_deref(), families),
            family,
            plan,
            events,
        })
    }

    /// Optimizer steps done.
    pub fn steps(&self) -> u64 {
        self.events.last().map_or(0, |event| event.step)
    }

    /// Step and value of the lowest validation loss.
    pub fn best_validation(&self) -> Option<(u64, f64)> {
        let measured = self.events.iter().filter_map(|e| e.val_loss.map(|loss| (e.step, loss)));
        Better::Lower.best(measured, |(_, loss)| *loss)
    }

    /// Mean training loss of the last twentieth of the run.
    pub fn final_loss(&self) -> Option<f64> {
        let losses: Vec<f64> = self.events.iter().filter_map(|event| event.loss).collect();
        let tail = &losses[losses.len() - losses.len().div_ceil(20)..];
        (!tail.is_empty()).then(|| tail.iter().sum::<f64>() / tail.len() as f64)
    }

    /// The loss with its unit: `loss, nats`.
    pub fn loss_heading(&self) -> String {
        self.family.map_or_else(|| "loss".to_owned(), |family| family.loss.heading())
    }

    /// Unit of its losses; empty for a weighted sum.
    pub fn loss_unit(&self) -> &'static str {
        self.family.map_or("", |family| family.loss.unit)
    }

    /// The rate that stands for its speed.
    pub fn throughput(&self) -> Option<&'static Figure> {
        self.family.and_then(Declaration::throughput)
    }

    /// Median of that rate.
    pub fn median_rate(&self) -> Option<f64> {
        let figure = self.throughput()?;
        let mut rates: Vec<f64> = self.events.iter().filter_map(|e| e.figure(figure.key)).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }

    /// The table at the top of the report: name and value.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = self.plan.as_deref().map_or_else(Vec::new, plan_facts);
        let last = self.events.last();
        let mut add = |name: &str, value: Option<String>| {
            facts.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("Steps done", Some(grouped(self.steps())));
        for figure in self.figures().filter(|figure| figure.role == Role::Seen) {
            let seen = last.and_then(|event| event.figures.get(figure.key)?.as_u64());
            add(&format!("{} seen", capitalized(figure.label)), seen.map(grouped));
        }
        let with_unit =
            |value: f64| format!("{} {}", loss(value), self.loss_unit()).trim_end().to_owned();
        add("Training loss, last 5 % of steps", self.final_loss().map(with_unit));
        if let Some((step, best)) = self.best_validation() {
            let text = format!("{} at step {}", with_unit(best), grouped(step));
            add("Best validation loss", Some(text));
        }
        self.last_figures().for_each(|(name, value)| add(&format!("Last {name}"), Some(value)));
        add("Wall time", last.and_then(|event| event.wall_s).map(duration));
        let rate = self.throughput().zip(self.median_rate());
        add("Median throughput", rate.map(|(it, rate)| format!("{} {}", whole(rate), it.unit)));
        add("Time waiting for data", self.data_wait_share().map(|s| format!("{:.1} %", 100.0 * s)));
        facts
    }

    /// Figures that the family declares.
    fn figures(&self) -> impl Iterator<Item = &'static Figure> {
        self.family.map_or(&[][..], |family| family.figures).iter().copied()
    }

    /// The newest value of every figure of quality, and of everything that no one declares.
    fn last_figures(&self) -> impl Iterator<Item = (String, String)> {
        let measured = self.events.iter().rev().find(|event| event.val_loss.is_some());
        let shown =
            |figure: &&Figure| matches!(figure.role, Role::Quality(_)) && figure.brief.is_some();
        let declared = self.figures().filter(shown).filter_map(move |figure| {
            Some((figure.heading(), significant(measured?.figure(figure.key)?)))
        });
        declared.chain(self.undeclared())
    }

    /// Numbers of the events that no one declares, by key: a newer program wrote them.
    fn undeclared(&self) -> BTreeMap<String, String> {
        let all = self.events.iter().flat_map(|event| &event.figures);
        let unknown = all.filter(|(key, _)| self.figures().all(|figure| figure.key != *key));
        unknown.filter_map(|(key, value)| Some((key.clone(), readable(value)?))).collect()
    }

    fn data_wait_share(&self) -> Option<f64> {
        let wall = self.events.last()?.wall_s.filter(|wall| *wall > 0.0)?;
        Some(self.events.iter().filter_map(|event| event.data_wait_s).sum::<f64>() / wall)
    }
}

/// Whether `events` have a figure of `family`.
fn wrote(family: &Declaration, events: &[Event]) -> bool {
    let has = |event: &Event| family.figures.iter().any(|it| event.figures.contains_key(it.key));
    events.iter().any(has)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A value that no one declares; nothing for one that was not finite.
fn readable(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(match (value.as_u64(), value.as_f64()) {
            (Some(count), _) => grouped(count),
            (None, Some(number)) => significant(number),
            (None, None) => value.to_string(),
        }),
    }
}

/// Derived numbers that `plan.toml` carries as comments above its first table: `# name: value`.
fn plan_facts(plan: &str) -> Vec<(String, String)> {
    plan.lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.strip_prefix("# ")?.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Generated texts of a run folder; lines that are no sample are left out.
pub fn read_samples(path: &Path) -> Vec<SampleRecord> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn read_checkpoints(folder: &Path, events: &[Event]) -> Vec<CheckpointRow> {
    let losses: BTreeMap<u64, f64> =
        events.iter().filter_map(|event| Some((event.step, event.val_loss?))).collect();
    let mut rows: Vec<CheckpointRow> = subfolders(folder)
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let step = name.strip_prefix("step-")?.parse::<u64>().ok();
            Some(CheckpointRow {
                bytes: folder_bytes(&path),
                val_loss: step.and_then(|step| losses.get(&step).copied()),
                committed: path.join("COMMITTED").is_file(),
                name,
            })
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// Facts of the dataset card, from the run's own dataset or from where the plan says.
fn read_dataset(
    run_dir: &Path,
    plan: Option<&str>,
    families: &[&Declaration],
) -> Vec<(String, String)> {
    let named = plan
        .and_then(|plan| plan.parse::<toml::Table>().ok())
        .and_then(|plan| Some(PathBuf::from(plan.get("data")?.get("dataset")?.as_str()?)));
    let folders = [Some(run_dir.join("dataset")), named];
    folders
        .into_iter()
        .flatten()
        .filter_map(|folder| fs::read_to_string(folder.join("dataset.json")).ok())
        .find_map(|text| serde_json::from_str::<Value>(&text).ok())
        .map_or_else(Vec::new, |card| dataset_facts(&card, families))
}

fn dataset_facts(card: &Value, families: &[&Declaration]) -> Vec<(String, String)> {
    let text = |at: &str| card.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let count = |at: &str| card.pointer(at).and_then(Value::as_u64);
    let split = |name: &str| {
        let counted = |(key, label): &(&str, &str)| {
            count(&format!("/splits/{name}/{key}")).map(|n| format!("{} {label}", grouped(n)))
        };
        let of = |family: &&Declaration| family.counts.iter().map(counted).collect();
        families.iter().find_map(of).map(|counts: Vec<String>| counts.join(", "))
    };
    let vocabulary = count("/tokenizer/vocab_size").map(|n| format!(", {} tokens", grouped(n)));
    let tokenizer =
        text("/tokenizer/kind").map(|kind| format!("{kind}{}", vocabulary.unwrap_or_default()));
    let sources = card.pointer("/sources").and_then(Value::as_array).map(|sources| {
        let total = sources.iter().filter_map(|s| s.get("bytes")?.as_u64()).sum();
        format!("{} ({})", sources.len(), bytes(total))
    });
    let rejected = card
        .pointer("/rejects/reasons")
        .and_then(Value::as_object)
        .map(|reasons| grouped(reasons.values().filter_map(Value::as_u64).sum()));
    [
        ("Name", text("/name")),
        ("Description", text("/description")),
        ("Tokenizer", tokenizer),
        ("Train", split("train")),
        ("Validation", split("validation")),
        ("Test", split("test")),
        ("Raw files", sources),
        ("Rejected records", rejected),
        ("Licence", text("/licence")),
        ("Classification", text("/classification")),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value))
    })
    .collect()
}
