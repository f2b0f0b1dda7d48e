//! `genesis checkpoints`: what a run keeps, why, and which branches led there.

use std::fs;
use std::path::{Path, PathBuf};

use genesis_train::checkpoint::{self, Manifest, PINNED_FILE, Reason, Retention, kept, naming};
use genesis_train::keys::CheckpointConfig;
use genesis_train::report::sessions::{self, Session};
use genesis_train::trainer::CHECKPOINTS_FOLDER;
use serde::Serialize;

use crate::console;
use crate::exit::{Code, Failure, OrExit};

/// List the checkpoints of a run: losses, size, and why each is kept; and the sessions and branches of the run.
///
/// A checkpoint that is pinned stays whatever `[checkpoint]` says. One without a reason goes when the next one is
/// written. `genesis verify` reads every byte of them; this command does not.
///
/// Examples:
///   genesis checkpoints runs/a
///   genesis checkpoints runs/a --pin 4000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder
    run: PathBuf,
    /// Keep the checkpoint of this step for good; may be repeated
    #[arg(long, value_name = "STEP")]
    pin: Vec<u64>,
    /// Let the checkpoint of this step go as `[checkpoint]` says; may be repeated
    #[arg(long, value_name = "STEP")]
    unpin: Vec<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a pinned folder says to whoever looks into it.
const PINNED_TEXT: &str = "Kept for good by `genesis checkpoints --pin`; `--unpin` lets it go.\n";

/// A checkpoint of the list.
#[derive(Debug, Serialize)]
struct Listed {
    step: u64,
    train_loss: Option<f64>,
    validation_loss: Option<f64>,
    bytes: u64,
    kept: Vec<Reason>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let folder = args.run.join(CHECKPOINTS_FOLDER);
    if !folder.is_dir() {
        let message = format!("{}: no folder of a run with checkpoints", args.run.display());
        return Err(Failure::error(Code::Data, message));
    }
    for step in &args.pin {
        pin(&folder, *step)?;
    }
    for step in &args.unpin {
        unpin(&folder, *step)?;
    }
    let listed = list(&folder)?;
    let sessions = sessions::read(&args.run);
    if args.json {
        let all = serde_json::json!({ "checkpoints": listed, "sessions": sessions });
        console::result(all.to_string());
        return Ok(Code::Done);
    }
    show(&listed);
    branches(&sessions).into_iter().for_each(console::result);
    Ok(Code::Done)
}

/// The folder of `step`, which has to be a checkpoint.
fn of_step(folder: &Path, step: u64) -> anyhow::Result<PathBuf> {
    let steps = naming::committed_steps(folder);
    if steps.contains(&step) {
        return Ok(naming::final_path(folder, step));
    }
    let there = steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("{}: no checkpoint of step {step}; there are {there}", folder.display());
    Err(Failure::error(Code::Usage, message))
}

fn pin(folder: &Path, step: u64) -> anyhow::Result<()> {
    let path = of_step(folder, step)?.join(PINNED_FILE);
    let written = fs::write(&path, PINNED_TEXT);
    written.map_err(|error| failed(&path, "write", &error))
}

fn unpin(folder: &Path, step: u64) -> anyhow::Result<()> {
    let path = of_step(folder, step)?.join(PINNED_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("step {step} is not pinned: there is no {}", path.display());
            Err(Failure::error(Code::Usage, message))
        }
        removed => removed.map_err(|error| failed(&path, "remove", &error)),
    }
}

fn failed(path: &Path, doing: &str, error: &std::io::Error) -> anyhow::Error {
    Failure::error(Code::Data, format!("{}: cannot {doing} it: {error}", path.display()))
}

/// All committed ones, oldest first.
fn list(folder: &Path) -> anyhow::Result<Vec<Listed>> {
    let steps = naming::committed_steps(folder).into_iter();
    let found = steps.filter_map(|step| {
        let path = naming::final_path(folder, step);
        match checkpoint::load::read_manifest(&path) {
            Ok(manifest) => Some((step, manifest)),
            Err(error) => {
                console::note(format!("note: left out: {error}"));
                None
            }
        }
    });
    let found: Vec<(u64, Manifest)> = found.collect();
    let reasons = kept(folder, policy(&found)).or_exit(Code::Data)?;
    let listed = found.into_iter().map(|(step, manifest)| {
        let metrics = manifest.description.metrics;
        let kept = reasons.get(&step).cloned().unwrap_or_default();
        let bytes = manifest.num_bytes();
        let (train_loss, validation_loss) = (metrics.train_loss, metrics.validation_loss);
        Listed { step, train_loss, validation_loss, bytes, kept }
    });
    Ok(listed.collect())
}

/// What the run that wrote the newest one keeps.
fn policy(found: &[(u64, Manifest)]) -> Retention {
    let config = found.last().and_then(|(_, it)| it.description.config.get("checkpoint").cloned());
    let config = config.map(serde_json::from_value::<CheckpointConfig>).transpose();
    let config = config.unwrap_or_else(|error| {
        console::note(format!("note: `[checkpoint]` of the run is of another version: {error}"));
        None
    });
    Retention::from(&config.unwrap_or_default())
}

fn show(listed: &[Listed]) {
    let line = |[step, loss, validation, size, kept]: [&str; 5]| {
        console::result(format!("{step:>10}  {loss:>10}  {validation:>10}  {size:>10}  {kept}"));
    };
    line(["step", "loss", "validation", "size", "kept as"]);
    for Listed { step, train_loss, validation_loss, bytes, kept } in listed {
        let loss =
            |loss: &Option<f64>| loss.map_or_else(|| "-".to_owned(), |it| format!("{it:.4}"));
        let why: Vec<&str> = kept.iter().map(|it| word(*it)).collect();
        let why = if why.is_empty() { "goes with the next".to_owned() } else { why.join(", ") };
        let (size, step) = (console::bytes(*bytes), step.to_string());
        line([&step, &loss(train_loss), &loss(validation_loss), &size, &why]);
    }
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Newest => "newest",
        Reason::Best => "best",
        Reason::Every => "every so many steps",
        Reason::Pinned => "pinned",
    }
}

/// A line a session, one under another that it branches off.
fn branches(sessions: &[Session]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        let Session { session: number, after_step, branch, end, .. } = session;
        let indent = "  ".repeat(depth(sessions, at));
        let ended = end.as_ref().map_or_else(
            || "no end was noted".to_owned(),
            |end| format!("{}: {}", end.how.told(), first_sentence(&end.message)),
        );
        lines.push(format!("session {number:>3}  {indent}from step {after_step}; {ended}"));
        lines.extend(branch.iter().map(|key| format!("             {indent}  with {key}")));
    }
    lines
}

/// Branches that a session is under: those of its line of descent.
fn depth(sessions: &[Session], at: usize) -> usize {
    let mut open: Vec<u64> = Vec::new();
    for session in &sessions[..=at] {
        // Whoever goes back to before a branch leaves it.
        open.retain(|&from| from <= session.after_step);
        if !session.branch.is_empty() {
            open.retain(|&from| from < session.after_step);
            open.push(session.after_step);
        }
    }
    open.len()
}

fn first_sentence(message: &str) -> &str {
    message.split(". ").next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64, after_step: u64, branch: &[&str]) -> Session {
        let branch: Vec<_> = branch.iter().map(ToString::to_string).collect();
        let began = serde_json::json!({
            "session": number, "time": "", "process": 1, "host": "n1", "threads": 1, "code_version": "",
            "after_step": after_step, "branch": branch,
        });
        serde_json::from_value(began).unwrap()
    }

    #[test]
    fn branches_stand_under_what_they_leave() {
        let sessions = [
            session(1, 0, &[]),
            session(2, 300, &[]),
            session(3, 200, &["schedule.peak_rate: 0.1, was 0.2"]),
            session(4, 250, &[]),
            session(5, 240, &["optimizer.clip_norm: 1, was none"]),
            session(6, 100, &["schedule.peak_rate: 0.3, was 0.2"]),
        ];
        let depths: Vec<usize> = (0..sessions.len()).map(|at| depth(&sessions, at)).collect();
        assert_eq!(depths, [0, 0, 1, 1, 2, 1]);
        let lines = branches(&sessions);
        assert!(lines[2].contains("    from step 200"), "{lines:?}");
        assert!(lines[3].ends_with("with schedule.peak_rate: 0.1, was 0.2"), "{lines:?}");
    }

    #[test]
    fn a_checkpoint_that_is_pinned_stays_and_one_that_is_not_there_is_told_with_those_that_are() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("step-00000010");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("COMMITTED"), "x").unwrap();
        pin(dir.path(), 10).unwrap();
        assert!(folder.join(PINNED_FILE).is_file());
        unpin(dir.path(), 10).unwrap();
        assert!(unpin(dir.path(), 10).unwrap_err().to_string().contains("not pinned"));
        let error = pin(dir.path(), 20).unwrap_err().to_string();
        assert!(error.contains("step 20") && error.contains("there are 10"), "{error}");
    }
}
