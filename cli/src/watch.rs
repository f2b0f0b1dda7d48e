//! The training run on the console: one line now and then, evaluations, checkpoints, notes.

use std::fmt::Write;
use std::time::{Duration, Instant};

use genesis_train::report::{
    CheckpointRecord, EvaluationRecord, FaultRecord, Figures, Observer, Role, SampleRecord,
    StepRecord,
};

use crate::console;

/// Time between two lines about steps.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Prints a run as it goes.
pub(crate) struct ConsoleWatch {
    num_steps: u64,
    started: Instant,
    first_step: Option<u64>,
    last_line: Option<Instant>,
}

impl ConsoleWatch {
    /// Watches a run of `num_steps` optimizer steps.
    pub(crate) fn new(num_steps: u64) -> Self {
        Self { num_steps, started: Instant::now(), first_step: None, last_line: None }
    }

    fn is_due(&self, step: u64) -> bool {
        step == self.num_steps || self.last_line.is_none_or(|line| line.elapsed() >= LINE_EVERY)
    }

    /// Seconds to the last step at the rate so far; evaluations and checkpoints included.
    fn seconds_left(&self, step: u64) -> Option<f64> {
        let done = step.checked_sub(self.first_step?)?;
        let per_step = self.started.elapsed().as_secs_f64() / done.max(1) as f64;
        (done > 0).then(|| per_step * self.num_steps.saturating_sub(step) as f64)
    }
}

/// The main rate of a step.
fn rate(figures: &Figures) -> String {
    let rates = figures.iter().filter(|(figure, _)| figure.role == Role::Rate);
    let mut briefs = rates.filter_map(|(figure, rate)| Some((figure.brief?, rate.as_f64())));
    briefs.next().map_or_else(String::new, |(brief, rate)| {
        format!("{:>7} {}", brief.number(rate), brief.unit)
    })
}

/// The figures of an evaluation and, in brackets, what they were measured on and for how long.
fn evaluated(record: &EvaluationRecord) -> String {
    let (mut qualities, mut measured_on) = (String::new(), String::new());
    for (figure, amount) in record.figures.iter() {
        let value = amount.as_f64();
        let _ = match (figure.role, figure.brief) {
            (Role::MeasuredOn, _) => {
                let count = console::count(console::whole(value));
                write!(measured_on, "{count} {}, ", figure.label)
            }
            (_, Some(brief)) => write!(qualities, "  {}", brief.text(value)),
            (_, None) => Ok(()),
        };
    }
    format!("{qualities}  ({measured_on}{})", console::duration(record.val_s))
}

impl Observer for ConsoleWatch {
    fn step(&mut self, record: &StepRecord) {
        if self.first_step.is_none() {
            self.first_step = Some(record.step);
            self.started = Instant::now();
        }
        if !self.is_due(record.step) {
            return;
        }
        self.last_line = Some(Instant::now());
        let left = self
            .seconds_left(record.step)
            .map_or_else(String::new, |s| format!("  {} left", console::duration(s)));
        console::note(format!(
            "step {:>6}/{}  loss {:.4}  lr {:.2e}  grad {:.2}  {}{left}",
            record.step,
            self.num_steps,
            record.loss,
            record.lr,
            record.grad_norm,
            rate(&record.figures),
        ));
    }

    fn evaluation(&mut self, record: &EvaluationRecord) {
        console::note(format!(
            "step {:>6}/{}  validation loss {:.4}{}",
            record.step,
            self.num_steps,
            record.val_loss,
            evaluated(record),
        ));
    }

    fn checkpoint(&mut self, record: &CheckpointRecord) {
        let best = if record.is_best { ", best so far" } else { "" };
        console::note(format!(
            "step {:>6}/{}  saved {} ({}{best})",
            record.step,
            self.num_steps,
            record.path.display(),
            console::bytes(record.bytes),
        ));
    }

    fn fault(&mut self, record: &FaultRecord) {
        console::note(record.sentence());
    }

    fn sample(&mut self, record: &SampleRecord) {
        console::note(format!(
            "step {:>6}/{}  sample: {}{}",
            record.step, self.num_steps, record.prompt, record.text
        ));
    }

    fn note(&mut self, text: &str) {
        console::note(format!("note: {text}"));
    }
}
