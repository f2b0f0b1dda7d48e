//! The training run on the console: one line now and then, evaluations, checkpoints, notes.

use std::time::{Duration, Instant};

use genesis_train::report::{
    CheckpointRecord, EvaluationRecord, Figures, Observer, SampleRecord, StepRecord, Work,
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
fn rate(work: &Work) -> String {
    let (value, unit) = match *work {
        Work::Tokens { tokens_per_s, .. } => (tokens_per_s, "tok/s"),
        Work::Atoms { atoms_per_s, .. } => (atoms_per_s, "atoms/s"),
    };
    format!("{:>7} {unit}", console::count(console::whole(value)))
}

/// The figures of an evaluation and, after a bracket, what they were measured on.
fn figures(figures: &Figures) -> String {
    let (known, measured_on) = match figures {
        Figures::Sequences(it) => (
            [
                it.perplexity.map(|p| format!("  perplexity {p:.2}")),
                it.bits_per_byte.map(|b| format!("  {b:.3} bits/byte")),
                None,
            ],
            format!("{} labels", console::count(it.val_labels)),
        ),
        Figures::Atoms(it) => (
            [
                it.val_energy_rmse_mev_per_atom.map(|e| format!("  E {e:.2} meV/atom")),
                it.val_forces_rmse_mev_per_a.map(|f| format!("  F {f:.1} meV/Å")),
                it.val_stress_rmse_mev_per_a3.map(|s| format!("  stress {s:.2} meV/Å^3")),
            ],
            format!("{} structures", console::count(it.val_frames)),
        ),
    };
    let known: String = known.into_iter().flatten().collect();
    format!("{known}  ({measured_on}")
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
            rate(&record.work),
        ));
    }

    fn evaluation(&mut self, record: &EvaluationRecord) {
        console::note(format!(
            "step {:>6}/{}  validation loss {:.4}{}, {})",
            record.step,
            self.num_steps,
            record.val_loss,
            figures(&record.figures),
            console::duration(record.val_s),
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
