//! `sessions.jsonl`: when a process began to train in a run folder, where from, and how it ended.
//!
//! Two lines a session. One that has no second line is going on, or was killed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ReportError;
use super::events::JsonLines;
use super::folder_lock::{host, is_held};
use super::moment;

/// Sessions of a run folder.
pub const SESSIONS_FILE: &str = "sessions.jsonl";

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Every step is done.
    Finished,
    /// A signal, or the time that was given, asked for it; the run is saved.
    Stopped,
    /// A value was not finite.
    NotFinite,
    /// Something else: a full disk, a damaged file.
    Failed,
}

impl How {
    /// In a word.
    pub fn told(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::NotFinite => "diverged",
            Self::Failed => "failed",
        }
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How.
    pub how: How,
    /// When, UTC.
    pub time: String,
    /// What was said of it: the error, or the signal.
    pub message: String,
}

impl End {
    /// An end of now.
    pub fn now(how: How, message: impl Into<String>) -> Self {
        Self { how, time: moment::now(), message: message.into() }
    }
}

/// One process in a run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Number, from 1.
    pub session: u64,
    /// When it began, UTC.
    pub time: String,
    /// Number of the process.
    pub process: u32,
    /// Name of the machine.
    pub host: String,
    /// Ranks that trained together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// CPU threads of each rank.
    pub threads: usize,
    /// Version of the program.
    pub code_version: String,
    /// Updates done before.
    pub after_step: u64,
    /// Keys that changed at that step, with both values: a branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branch: Vec<String>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Began(Session),
    Ended(End),
}

/// The sessions of a run folder, oldest first; none where there is no such file. Lines that are torn
/// or of a newer program are left out.
pub fn read(run_dir: &Path) -> Vec<Session> {
    let text = fs::read_to_string(run_dir.join(SESSIONS_FILE)).unwrap_or_default();
    let mut sessions: Vec<Session> = Vec::new();
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Began(session) => sessions.push(session),
            Line::Ended(end) => {
                if let Some(session) = sessions.last_mut() {
                    session.end = Some(end);
                }
            }
        }
    }
    sessions
}

/// Notes that a session of this process begins.
///
/// # Errors
/// The file cannot be written.
pub fn begin(
    run_dir: &Path,
    ranks: usize,
    threads: usize,
    after_step: u64,
    branch: &[String],
) -> Result<Session, ReportError> {
    let session = Session {
        session: read(run_dir).last().map_or(1, |last| last.session + 1),
        time: moment::now(),
        process: std::process::id(),
        host: host(),
        ranks,
        threads,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        after_step,
        branch: branch.to_vec(),
        end: None,
    };
    append(run_dir, &Line::Began(session.clone()))?;
    Ok(session)
}

/// Notes how it ended.
///
/// # Errors
/// The file cannot be written.
pub fn end(run_dir: &Path, end: &End) -> Result<(), ReportError> {
    append(run_dir, &Line::Ended(end.clone()))
}

fn append(run_dir: &Path, line: &Line) -> Result<(), ReportError> {
    JsonLines::open(&run_dir.join(SESSIONS_FILE))?.append(line)
}

/// How a run stands, in a sentence for people; `None` where nothing is known.
pub(super) fn status(run_dir: &Path, sessions: &[Session], steps: u64) -> Option<Status> {
    let last = sessions.last()?;
    Some(match &last.end {
        None if is_held(run_dir) => Status::plain("Training goes on", steps),
        None => Status::bad("Killed: its last session ended without a word", steps),
        Some(End { how: How::Finished, .. }) => Status::plain("Finished", steps),
        Some(End { how: How::Stopped, message, .. }) => {
            Status::bad(&format!("Stopped before its end, saved: {message}"), steps)
        }
        Some(End { how: How::NotFinite, message, .. }) => {
            Status::bad(&format!("Stopped at a value that is not finite: {message}"), steps)
        }
        Some(End { how: How::Failed, message, .. }) => {
            Status::bad(&format!("Failed: {message}"), steps)
        }
    })
}

/// What is said first of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// In words.
    pub text: String,
    /// Whether somebody should look at it.
    pub is_bad: bool,
}

impl Status {
    fn plain(text: &str, steps: u64) -> Self {
        Self { text: format!("{text}, {steps} steps done."), is_bad: false }
    }

    fn bad(text: &str, steps: u64) -> Self {
        let text = text.trim_end_matches('.');
        Self { text: format!("{text}. {steps} steps done."), is_bad: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read_back_with_their_ends_and_a_torn_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path(), 1, 2, 0, &[]).unwrap();
        end(folder.path(), &End::now(How::NotFinite, "step 7")).unwrap();
        begin(folder.path(), 3, 4, 5, &["schedule.peak_rate was 1 and is now 0.1".to_owned()])
            .unwrap();
        let path = folder.path().join(SESSIONS_FILE);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"ended\":{{\"how")).unwrap();
        let sessions = read(folder.path());
        assert_eq!([sessions[0].session, sessions[1].session], [1, 2]);
        assert_eq!(sessions[0].end.as_ref().map(|end| end.how), Some(How::NotFinite));
        assert_eq!((sessions[1].after_step, sessions[1].branch.len()), (5, 1));
        assert_eq!(sessions[1].end, None);
        let status = status(folder.path(), &sessions, 6).unwrap();
        assert!(status.is_bad && status.text.starts_with("Killed"), "{status:?}");
    }

    #[test]
    fn how_the_last_session_ended_is_said_with_its_message() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(status(folder.path(), &[], 0), None);
        begin(folder.path(), 1, 1, 0, &[]).unwrap();
        for (how, word, is_bad) in [
            (How::Finished, "Finished", false),
            (How::Stopped, "SIGTERM", true),
            (How::NotFinite, "not finite", true),
            (How::Failed, "Failed", true),
        ] {
            end(folder.path(), &End::now(how, "SIGTERM")).unwrap();
            let status = status(folder.path(), &read(folder.path()), 3).unwrap();
            assert!(status.text.contains(word) && status.is_bad == is_bad, "{status:?}");
        }
    }
}
