//! `events.jsonl`: one JSON object per optimizer step, appended and flushed as it happens.
//!
//! A step that is evaluated carries `val_loss` in the same object, so each step is one line. A
//! line is written whole or not at all as far as readers see: a torn last line (the process died
//! while writing) is ignored. Resuming moves the lines after the resumed step to
//! `events.abandoned.jsonl`, so that the file never tells two stories of one step and nothing is lost.
//! The first line of a session says its number, the last one how it ended if that was not as planned.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ReportError;
use super::figure::Figures;
use super::record::{EvaluationRecord, StepRecord};
use super::sessions::End;

/// One line, as read back. Numbers that were not finite are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Optimizer steps done.
    pub step: u64,
    /// Training loss.
    pub loss: Option<f64>,
    /// Learning rate.
    pub lr: Option<f64>,
    /// Global gradient norm before clipping.
    pub grad_norm: Option<f64>,
    /// Seconds since the run began.
    pub wall_s: Option<f64>,
    /// Seconds spent waiting for data.
    pub data_wait_s: Option<f64>,
    /// Validation loss, in the unit of `loss`.
    pub val_loss: Option<f64>,
    /// That of each dataset by name, where several are measured; `None` where it was not finite.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub val_losses: BTreeMap<String, Option<f64>>,
    /// Seconds that the evaluation took.
    pub val_s: Option<f64>,
    /// Number of the session that begins with this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Keys that changed before this step, with both values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branch: Vec<String>,
    /// Data that were declared before this step, for later ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
    /// How the session ended after this step, where it did not end with the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<End>,
    /// Everything else: the figures of the family, and what other versions of the program wrote.
    #[serde(flatten)]
    pub figures: Map<String, Value>,
}

impl Event {
    /// The value of the figure `key`.
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.figures.get(key)?.as_f64()
    }
}

/// Appends lines to a file of JSON objects that each have a `step`.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens `path` for appending, creating it if need be.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(ReportError::io(path, "open"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one object as one line, in one write.
    pub fn append(&mut self, value: &impl Serialize) -> Result<(), ReportError> {
        let fail = ReportError::io(&self.path, "write");
        let mut line = match serde_json::to_vec(value) {
            Ok(line) => line,
            Err(error) => return Err(fail(error.into())),
        };
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.flush()).map_err(fail)
    }

    /// Adds the keys of `more` to the last line; to one of another step than `step`, where that is
    /// given, nothing is added. Whether something was.
    pub fn extend_last(
        &mut self,
        step: Option<u64>,
        more: &impl Serialize,
    ) -> Result<bool, ReportError> {
        let fail = |error: std::io::Error| ReportError::io(&self.path, "write")(error);
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path).map_err(fail)?;
        let Some((start, old)) = last_line(&mut file).map_err(fail)? else { return Ok(false) };
        let (Ok(mut line), Ok(more)) =
            (serde_json::from_slice::<Map<String, Value>>(&old), serde_json::to_value(more))
        else {
            return Ok(false);
        };
        if step.is_some() && line.get("step").and_then(Value::as_u64) != step {
            return Ok(false);
        }
        line.extend(more.as_object().cloned().unwrap_or_default());
        let new = Value::Object(line).to_string() + "\n";
        let written = overwrite(&mut file, start, new.as_bytes());
        if written.is_err() {
            // It was there a moment ago, so it has room.
            overwrite(&mut file, start, &old).map_err(fail)?;
        }
        written.map(|()| true).map_err(fail)
    }
}

fn overwrite(file: &mut File, start: u64, line: &[u8]) -> std::io::Result<()> {
    file.set_len(start)?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(line)
}

/// Where the last line begins, and its bytes with the line feed; nothing if it is torn.
fn last_line(file: &mut File) -> std::io::Result<Option<(u64, Vec<u8>)>> {
    // Longer than any line that is written here.
    const MOST: u64 = 1 << 16;
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(MOST);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(body) = tail.strip_suffix(b"\n") else { return Ok(None) };
    let start = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    Ok((start > 0 || from == 0).then(|| (from + start as u64, tail[start..].to_vec())))
}

/// A step and its evaluation as one object.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) step: StepRecord,
    #[serde(flatten)]
    pub(super) evaluation: Option<Measured>,
    #[serde(flatten)]
    pub(super) session: Option<Mark>,
}

/// What the first line of a session says of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Mark {
    pub(super) session: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) branch: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) data: Vec<String>,
}

/// An evaluation without its step, which the line already has.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    val_loss: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    val_losses: BTreeMap<String, f64>,
    #[serde(flatten)]
    figures: Figures,
    val_s: f64,
}

impl From<&EvaluationRecord> for Measured {
    fn from(record: &EvaluationRecord) -> Self {
        Self {
            val_loss: record.val_loss,
            val_losses: record.val_losses.clone(),
            figures: record.figures.clone(),
            val_s: record.val_s,
        }
    }
}

/// The events of a file, in order. A torn last line is left out.
///
/// # Errors
/// The file cannot be read, or a line that is not the last is not an event.
pub fn read_events(path: &Path) -> Result<Vec<Event>, ReportError> {
    let lines = complete_lines(path)?;
    lines.iter().map(|(number, line)| parse(path, *number, line)).collect()
}

/// Moves the lines after `last_step` to the file of abandoned ones and drops a torn last line, by
/// writing a new file and renaming it over the old one. No file is fine.
pub fn cut_after(path: &Path, last_step: u64) -> Result<(), ReportError> {
    if !path.exists() {
        return Ok(());
    }
    let (mut kept, mut cut) = (String::new(), String::new());
    for (number, line) in complete_lines(path)? {
        let step = parse::<Stepped>(path, number, &line)?.step;
        let to = if step <= last_step { &mut kept } else { &mut cut };
        to.push_str(&line);
        to.push('\n');
    }
    keep_abandoned(&path.with_extension("abandoned.jsonl"), &cut)?;
    let temporary = path.with_extension("jsonl.tmp");
    let mut file = File::create(&temporary).map_err(ReportError::io(&temporary, "create"))?;
    file.write_all(kept.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(ReportError::io(&temporary, "write"))?;
    fs::rename(&temporary, path).map_err(ReportError::io(path, "replace"))?;
    sync_folder(path)
}

/// Appends lines that a run takes back.
fn keep_abandoned(path: &Path, lines: &str) -> Result<(), ReportError> {
    if lines.is_empty() {
        return Ok(());
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(ReportError::io(path, "write"))
}

/// Makes a rename durable.
fn sync_folder(path: &Path) -> Result<(), ReportError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    File::open(folder).and_then(|f| f.sync_all()).map_err(ReportError::io(folder, "sync"))
}

#[derive(Deserialize)]
struct Stepped {
    step: u64,
}

/// Numbered lines that end in a newline and are not empty.
fn complete_lines(path: &Path) -> Result<Vec<(usize, String)>, ReportError> {
    let bytes = fs::read(path).map_err(ReportError::io(path, "read"))?;
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&bytes[..end]);
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned()));
    Ok(numbered.filter(|(_, line)| !line.trim().is_empty()).collect())
}

fn parse<T: serde::de::DeserializeOwned>(
    path: &Path,
    line: usize,
    text: &str,
) -> Result<T, ReportError> {
    serde_json::from_str(text).map_err(|error| ReportError::Corrupt {
        path: path.to_owned(),
        line,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_torn_last_line_is_ignored_and_cut_away() {
        let (_folder, path) = file_with("{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo");
        let events = read_events(&path).unwrap();
        assert_eq!(events, [Event { step: 1, loss: Some(2.5), ..Event::default() }]);
        cut_after(&path, 9).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":1,\"loss\":2.5}\n");
    }

    #[test]
    fn cutting_keeps_every_byte_up_to_the_resumed_step() {
        let (_folder, path) =
            file_with("{\"step\":1,\"loss\":0.1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":4}\n");
        cut_after(&path, 2).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":1,\"loss\":0.1}\n{\"step\":2}\n");
        let mut lines = JsonLines::open(&path).unwrap();
        lines.append(&Event { step: 3, ..Event::default() }).unwrap();
        let steps: Vec<_> = read_events(&path).unwrap().iter().map(|e| e.step).collect();
        assert_eq!(steps, [1, 2, 3]);
        let abandoned = fs::read_to_string(path.with_extension("abandoned.jsonl")).unwrap();
        assert_eq!(abandoned, "{\"step\":3}\n{\"step\":4}\n", "nothing is erased");
    }

    #[test]
    fn the_last_line_is_extended_if_it_is_of_the_step() {
        let (_folder, path) =
            file_with("{\"step\":1,\"loss\":0.1}\n{\"step\":2,\"val_loss\":null}\n");
        let mut lines = JsonLines::open(&path).unwrap();
        let measured = serde_json::json!({"val_loss": 0.5});
        assert!(!lines.extend_last(Some(1), &measured).unwrap());
        assert!(lines.extend_last(Some(2), &measured).unwrap());
        let end = End::now(super::super::How::Stopped, "SIGTERM");
        assert!(lines.extend_last(None, &serde_json::json!({ "ended": end })).unwrap());
        lines.append(&Event { step: 3, ..Event::default() }).unwrap();
        let events = read_events(&path).unwrap();
        assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((events[1].val_loss, events[1].ended.as_ref()), (Some(0.5), Some(&end)));
    }

    #[test]
    fn a_torn_last_line_and_an_empty_file_are_not_extended() {
        for text in ["", "{\"step\":1}\n{\"st"] {
            let (_folder, path) = file_with(text);
            let mut lines = JsonLines::open(&path).unwrap();
            assert!(!lines.extend_last(None, &serde_json::json!({"ended": 1})).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named_with_its_number() {
        let (_folder, path) = file_with("{\"step\":1}\nnonsense\n{\"step\":2}\n");
        let error = read_events(&path).unwrap_err().to_string();
        assert!(error.contains("line 2 is not an event"), "{error}");
    }

    #[test]
    fn numbers_that_are_not_finite_read_back_as_absent() {
        let (_folder, path) = file_with("{\"step\":1,\"loss\":null}\n");
        assert_eq!(read_events(&path).unwrap()[0].loss, None);
    }
}
