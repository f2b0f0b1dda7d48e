//! The observer that writes the run folder: `events.jsonl`, `samples.jsonl`, `run.log`,
//! `sessions.jsonl`, `tensorboard/`.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::ReportError;
use super::events::{JsonLines, Line, Mark, Measured, cut_after};
use super::record::{
    CheckpointRecord, EvaluationRecord, FaultRecord, Observer, SampleRecord, StepRecord,
};
use super::sessions::{self, End, How};
use super::tensorboard::TensorBoard;
use super::{moment, sessions::Session};

/// Events of a run folder.
pub const EVENTS_FILE: &str = "events.jsonl";
/// Generated texts of a run folder.
pub const SAMPLES_FILE: &str = "samples.jsonl";
/// Steps that were not finite, in a run folder that had some.
pub const FAULTS_FILE: &str = "faults.jsonl";
/// Notes of a run folder.
pub const NOTES_FILE: &str = "run.log";
/// TensorBoard files of a run folder.
pub const TENSORBOARD_FOLDER: &str = "tensorboard";

/// Adds a line to the notes of the run in `run_dir`, if there are any, from outside of a session: why
/// none could begin.
///
/// # Errors
/// The file cannot be written.
pub fn note_in(run_dir: &Path, text: &str) -> Result<(), ReportError> {
    let path = run_dir.join(NOTES_FILE);
    match OpenOptions::new().append(true).open(&path) {
        Ok(mut notes) => {
            writeln!(notes, "{} {text}", moment::now()).map_err(ReportError::io(&path, "write"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ReportError::io(&path, "open")(error)),
    }
}

/// Writes everything an [`Observer`] hears into a run folder.
///
/// A write that fails (a full disk) is remembered and reported by [`Observer::failure`] and
/// [`RunLog::finish`]; nothing is written after it.
#[derive(Debug)]
pub struct RunLog {
    events: JsonLines,
    samples: JsonLines,
    notes_path: PathBuf,
    notes: File,
    tensorboard: Curves,
    run_dir: PathBuf,
    /// What the next line says of its session.
    mark: Option<Mark>,
    /// A step whose evaluation has not come yet.
    pending: Option<StepRecord>,
    failed: Option<ReportError>,
}

/// TensorBoard files of a session; the first value makes one.
#[derive(Debug)]
enum Curves {
    Off,
    Waiting { folder: PathBuf, resumed_step: Option<u64> },
    Open(TensorBoard),
}

impl Curves {
    fn scalars(
        &mut self,
        step: u64,
        values: &[(Cow<'static, str>, f64)],
    ) -> Result<(), ReportError> {
        if let Self::Waiting { folder, resumed_step } = self {
            *self = Self::Open(TensorBoard::start(folder, *resumed_step)?);
        }
        match self {
            Self::Open(file) => file.scalars(step, values),
            Self::Off | Self::Waiting { .. } => Ok(()),
        }
    }
}

impl RunLog {
    /// Starts logging into `run_dir`. `resumed_step` is the step of the checkpoint that training
    /// continues from (0: from the beginning); lines after it are cut away. `None` means a new
    /// run, whose folder must hold no events.
    pub fn start(
        run_dir: &Path,
        tensorboard: bool,
        resumed_step: Option<u64>,
    ) -> Result<Self, ReportError> {
        fs::create_dir_all(run_dir).map_err(ReportError::io(run_dir, "create"))?;
        let (events, samples) = (run_dir.join(EVENTS_FILE), run_dir.join(SAMPLES_FILE));
        match resumed_step {
            None if fs::metadata(&events).is_ok_and(|file| file.len() > 0) => {
                return Err(ReportError::Occupied { path: events });
            }
            None => {}
            Some(step) => {
                cut_after(&events, step)?;
                cut_after(&samples, step)?;
                cut_after(&run_dir.join(FAULTS_FILE), step)?;
            }
        }
        let notes_path = run_dir.join(NOTES_FILE);
        let notes = OpenOptions::new().create(true).append(true).open(&notes_path);
        let folder = run_dir.join(TENSORBOARD_FOLDER);
        let curves = Curves::Waiting { folder, resumed_step };
        Ok(Self {
            events: JsonLines::open(&events)?,
            samples: JsonLines::open(&samples)?,
            notes: notes.map_err(ReportError::io(&notes_path, "open"))?,
            notes_path,
            tensorboard: if tensorboard { curves } else { Curves::Off },
            run_dir: run_dir.to_owned(),
            mark: None,
            pending: None,
            failed: None,
        })
    }

    /// Notes in every record that a session of `threads` threads begins after `after_step` updates,
    /// with the changes of a branch, and the data that are declared for later steps.
    ///
    /// # Errors
    /// The records cannot be written.
    pub fn begin_session(
        &mut self,
        ranks: usize,
        threads: usize,
        after_step: u64,
        (branch, data): (&[String], &[String]),
    ) -> Result<(), ReportError> {
        let Session { session, process, host, .. } =
            sessions::begin(&self.run_dir, ranks, threads, after_step, branch)?;
        let ranks = if ranks > 1 { format!("{ranks} ranks, ") } else { String::new() };
        self.note(&format!(
            "session {session}: process {process} on {host}, {ranks}{threads} threads, after step \
             {after_step}"
        ));
        self.mark = Some(Mark { session, branch: branch.to_vec(), data: data.to_vec() });
        Ok(())
    }

    /// Notes in every record how the session ended.
    ///
    /// # Errors
    /// The first write that failed, here or before.
    pub fn end_session(mut self, end: &End) -> Result<(), ReportError> {
        self.write_pending(None);
        let failed = self.failed.take();
        self.note(&match end.how {
            How::Finished => format!("end: {}", end.message),
            How::Stopped => format!("stopped: {}", end.message),
            How::NotFinite | How::Failed => format!("error: {}", end.message),
        });
        if end.how != How::Finished {
            let ended = serde_json::json!({ "ended": end });
            self.attempt(|log| log.events.extend_last(None, &ended).map(|_| ()));
        }
        self.attempt(|log| sessions::end(&log.run_dir, end));
        failed.or(self.failed.take()).map_or(Ok(()), Err)
    }

    /// Writes what is pending and says whether everything was written.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn finish(mut self) -> Result<(), ReportError> {
        self.write_pending(None);
        self.failed.take().map_or(Ok(()), Err)
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> Result<(), ReportError>) {
        if self.failed.is_none() {
            self.failed = write(self).err();
        }
    }

    /// An evaluation that was made up belongs to the line of its step.
    fn measure_again(&mut self, record: &EvaluationRecord) -> Result<(), ReportError> {
        let measured = Measured::from(record);
        if self.events.extend_last(Some(record.step), &measured)? {
            return Ok(());
        }
        self.events.append(record)
    }

    fn write_pending(&mut self, evaluation: Option<Measured>) {
        if let Some(step) = self.pending.take() {
            let session = self.mark.take();
            self.attempt(|log| log.events.append(&Line { step, evaluation, session }));
        }
    }

    fn scalars(&mut self, step: u64, values: &[(Cow<'static, str>, f64)]) {
        self.attempt(|log| log.tensorboard.scalars(step, values));
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        self.write_pending(None);
    }
}

impl Observer for RunLog {
    fn step(&mut self, record: &StepRecord) {
        self.write_pending(None);
        self.pending = Some(record.clone());
        if !record.evaluation_follows {
            self.write_pending(None);
        }
        let mut values = vec![
            ("train/loss".into(), record.loss),
            ("train/learning_rate".into(), record.lr),
            ("train/grad_norm".into(), record.grad_norm),
            ("throughput/data_wait_s".into(), record.data_wait_s),
        ];
        values.extend(record.figures.scalars());
        self.scalars(record.step, &values);
    }

    fn evaluation(&mut self, record: &EvaluationRecord) {
        if self.pending.as_ref().is_some_and(|step| step.step == record.step) {
            self.write_pending(Some(Measured::from(record)));
        } else {
            self.write_pending(None);
            self.attempt(|log| log.measure_again(record));
        }
        let mut values = vec![("validation/loss".into(), record.val_loss)];
        let of_sources = record.val_losses.iter();
        values.extend(
            of_sources.map(|(name, loss)| (format!("validation/loss/{name}").into(), *loss)),
        );
        values.extend(record.figures.scalars());
        self.scalars(record.step, &values);
    }

    fn checkpoint(&mut self, record: &CheckpointRecord) {
        self.write_pending(None);
        let best = if record.is_best { ", the best so far" } else { "" };
        let name = record.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let CheckpointRecord { bytes, seconds, written_s, .. } = record;
        self.note(&format!(
            "checkpoint {name}: {bytes} bytes in {written_s:.2} s, for which steps waited {seconds:.2} s{best}"
        ));
    }

    fn fault(&mut self, record: &FaultRecord) {
        self.write_pending(None);
        self.note(&record.sentence());
        self.attempt(|log| JsonLines::open(&log.run_dir.join(FAULTS_FILE))?.append(record));
    }

    fn sample(&mut self, record: &SampleRecord) {
        self.write_pending(None);
        self.attempt(|log| log.samples.append(record));
    }

    fn note(&mut self, text: &str) {
        self.attempt(|log| {
            let line = format!("{} {text}\n", moment::now());
            let written = log.notes.write_all(line.as_bytes()).and_then(|()| log.notes.flush());
            written.map_err(ReportError::io(&log.notes_path, "write"))
        });
    }

    fn failure(&self) -> Option<String> {
        self.failed.as_ref().map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::read_events;
    use super::super::figure::Figures;
    use super::super::tests::{COUNT, ERROR, RATE};
    use super::*;

    pub(crate) fn step(step: u64, evaluation_follows: bool) -> StepRecord {
        StepRecord {
            step,
            loss: 5.0 / step as f64,
            lr: 1e-3,
            grad_norm: 1.0,
            figures: Figures::default().with(&RATE, 100.0).with(&COUNT, step * 10),
            wall_s: step as f64,
            data_wait_s: 0.0,
            evaluation_follows,
        }
    }

    fn evaluation(step: u64) -> EvaluationRecord {
        EvaluationRecord {
            step,
            val_loss: 2.0,
            val_losses: [("a".to_owned(), 1.5)].into(),
            figures: Figures::default().with(&ERROR, 2f64.exp()),
            val_s: 0.5,
        }
    }

    #[test]
    fn an_evaluated_step_is_one_line_with_both_losses() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), true, None).unwrap();
        log.step(&step(1, false));
        log.step(&step(2, true));
        log.evaluation(&evaluation(2));
        log.finish().unwrap();
        let text = fs::read_to_string(folder.path().join(EVENTS_FILE)).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].get("val_loss").is_none() && lines[0].get("step").is_some());
        assert_eq!(lines[1]["step"], 2);
        assert_eq!(lines[1]["val_loss"], 2.0);
        assert_eq!(lines[1]["loss"], 2.5);
        assert!(lines[1].get("evaluation_follows").is_none(), "internal fields stay inside");
    }

    #[test]
    fn resuming_leaves_each_step_exactly_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), false, None).unwrap();
        (1..=7).for_each(|at| log.step(&step(at, at == 7)));
        log.sample(&SampleRecord { step: 7, prompt: "a".into(), text: "b".into() });
        drop(log);
        let mut log = RunLog::start(folder.path(), false, Some(4)).unwrap();
        (5..=8).for_each(|at| log.step(&step(at, false)));
        log.finish().unwrap();
        let events = read_events(&folder.path().join(EVENTS_FILE)).unwrap();
        let steps: Vec<u64> = events.iter().map(|event| event.step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(fs::read_to_string(folder.path().join(SAMPLES_FILE)).unwrap(), "");
    }

    #[test]
    fn a_session_leaves_its_number_its_branch_and_its_end_in_every_record() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), true, None).unwrap();
        log.begin_session(1, 3, 0, (&[], &[])).unwrap();
        (1..=4).for_each(|at| log.step(&step(at, false)));
        log.end_session(&End::now(How::NotFinite, "step 5: loss NaN")).unwrap();
        let mut log = RunLog::start(folder.path(), true, Some(4)).unwrap();
        let changed = ["optimizer.clip_norm was 1.0 and is now 0.1".to_owned()];
        let declared = ["from step 7 on a 1, b 2".to_owned()];
        log.begin_session(1, 3, 4, (&changed, &declared)).unwrap();
        log.step(&step(5, false));
        log.end_session(&End::now(How::Finished, "5 steps")).unwrap();

        let events = read_events(&folder.path().join(EVENTS_FILE)).unwrap();
        let marks: Vec<_> = events.iter().map(|event| event.session).collect();
        assert_eq!(marks, [Some(1), None, None, None, Some(2)]);
        assert_eq!(events[3].ended.as_ref().map(|end| end.how), Some(How::NotFinite));
        assert_eq!((events[4].branch.as_slice(), &events[4].ended), (&changed[..], &None));
        assert_eq!(events[4].data, declared);
        let notes = fs::read_to_string(folder.path().join(NOTES_FILE)).unwrap();
        assert!(notes.lines().all(|line| line.as_bytes()[19] == b'Z'), "every line has a time");
        for part in ["session 1: process", "error: step 5: loss NaN", "session 2", "end: 5 steps"] {
            assert!(notes.contains(part), "{part} in {notes}");
        }
    }

    #[test]
    fn an_evaluation_that_is_made_up_joins_the_line_of_its_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), false, None).unwrap();
        log.step(&step(1, false));
        log.step(&step(2, false));
        drop(log);
        let mut log = RunLog::start(folder.path(), false, Some(2)).unwrap();
        log.evaluation(&evaluation(2));
        log.step(&step(3, false));
        log.finish().unwrap();
        let events = read_events(&folder.path().join(EVENTS_FILE)).unwrap();
        assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((events[1].loss, events[1].val_loss), (Some(2.5), Some(2.0)));
    }

    #[test]
    fn a_session_without_steps_starts_no_tensorboard_file() {
        let folder = tempfile::tempdir().unwrap();
        RunLog::start(folder.path(), true, Some(0)).unwrap().finish().unwrap();
        assert!(!folder.path().join(TENSORBOARD_FOLDER).exists());
    }

    #[test]
    fn a_new_run_refuses_the_folder_of_another() {
        let folder = tempfile::tempdir().unwrap();
        RunLog::start(folder.path(), false, None).unwrap().step(&step(1, false));
        let error = RunLog::start(folder.path(), false, None).unwrap_err().to_string();
        assert!(error.contains("--resume") && error.contains("run.dir"), "{error}");
    }

    #[test]
    fn a_full_disk_is_remembered_and_reported() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            println!("SKIPPED: no /dev/full on this system");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), false, None).unwrap();
        log.events = JsonLines::open(full).unwrap();
        log.step(&step(1, false));
        log.step(&step(2, false));
        let reason = log.failure().expect("the first write failed");
        assert!(reason.contains("/dev/full: cannot write"), "{reason}");
        assert!(log.finish().is_err());
    }
}
