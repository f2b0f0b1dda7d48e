//! A step that could not be trusted, computed again and laid beside what it came to then.

use genesis_kernels::Kernels;
use genesis_train::checkpoint::Checkpoint;
use genesis_train::device::OnDevice;
use genesis_train::keys::{PLAN_FILE, Root as _, RunFile, environment};
use genesis_train::trainer::capsule::{Attempt, Capsule, Told};
use genesis_train::trainer::{Found, Plan as _, Replayed, Shared};
use serde_json::json;

use super::Face;
use super::run::{failure, tell};
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};

/// How a step is to be computed again.
pub(crate) struct Asked {
    /// Every `--set`.
    pub(crate) overrides: Vec<String>,
    pub(crate) json: bool,
    pub(crate) device: DeviceArgs,
}

/// Gradients and slices that are shown.
const SHOWN: usize = 8;

pub(super) fn replay<F: Face>(kept: &Checkpoint, asked: &Asked) -> anyhow::Result<()> {
    let capsule = Capsule::of(kept).or_exit(Code::Data)?;
    let found = computed::<F>(kept, asked)?;
    if asked.json {
        let both = json!({ "then": capsule, "now": found, "device": asked.device.name() });
        console::result(both.to_string());
    } else {
        print(kept, &capsule, &found, asked.device);
    }
    Ok(())
}

fn computed<F: Face>(kept: &Checkpoint, asked: &Asked) -> anyhow::Result<Replayed> {
    let description = &kept.manifest.description;
    // <run>/faults/step-…
    let run = kept.path.ancestors().nth(2).filter(|run| run.join(PLAN_FILE).is_file());
    let mut file =
        RunFile::recorded::<F::Config>(&kept.path, &description.config, run, &asked.overrides)
            .or_exit(Code::Usage)?;
    tell(&file.notes);
    file.set(&format!("run.device={}", asked.device.device));
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let run_dir = config.run().dir.clone();
    let dataset = F::open(&F::folders(&config, &run_dir)).or_exit(Code::Data)?;
    let mut plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    plan.adopt(&description.model);
    let here = plan.course().map_err(|error| failure(&error))?.blend.digest();
    same_data(kept, &here)?;
    asked.device.run(Replaying::<F> { plan: &plan, dataset: &dataset, kept })
}

fn same_data(kept: &Checkpoint, here: &str) -> anyhow::Result<()> {
    let then = &kept.manifest.description.dataset_digest;
    if here == then {
        return Ok(());
    }
    let message = format!(
        "{}: the step was computed from data with the digest {then}, but those of the run are {here} now; \
         name the former with --set",
        kept.path.display()
    );
    Err(Failure::error(Code::Data, message))
}

struct Replaying<'a, F: Face> {
    plan: &'a F::Plan,
    dataset: &'a F::Dataset,
    kept: &'a Checkpoint,
}

impl<F: Face> OnDevice for Replaying<'_, F> {
    type Output = anyhow::Result<Replayed>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let Self { plan, dataset, kept } = self;
        F::replay::<B>(plan, dataset, device, kept).map_err(|error| failure(&error))
    }
}

fn print(kept: &Checkpoint, capsule: &Capsule, found: &Replayed, device: DeviceArgs) {
    let line = |name: &str, value: String| console::result(format!("{name:<10} {value}"));
    let step = kept.manifest.description.step;
    line("step", format!("{}, with the parameters after {step} updates", capsule.step));
    line("cause", capsule.cause.clone());
    line("then", both(&capsule.first));
    line("again", format!("{}: the run {}", both(&capsule.again), capsule.decision));
    line("by", format!("{}; {}", capsule.hosts.join(", "), capsule.computed_by));
    let now = format!("loss {}, gradient norm {}", found.loss, found.grad_norm);
    line("now", format!("{now}, on {}", device.name()));
    line("verdict", verdict(capsule, found));
    for (name, then, now) in gradients(capsule, found).into_iter().take(SHOWN) {
        line("gradient", format!("{name}: norm {:.6} then, {:.6} now", then.0, now.0));
    }
    let all = slices(&found.ranks);
    for Slice { rank, number, of, found: slice } in all.iter().take(SHOWN) {
        let host = capsule.hosts.get(*rank).map_or("", |host| host);
        let Found { loss, grad_norm, samples } = slice;
        let (are, samples) = (found.samples_are, shortened(samples));
        let which = format!("slice {number} of {of} on {host}");
        line(
            "alone",
            format!("{which}: loss {loss}, gradient norm {grad_norm}, from {are} {samples}"),
        );
    }
}

fn both(attempt: &Attempt) -> String {
    format!("loss {}, gradient norm {}", attempt.loss, attempt.grad_norm)
}

fn verdict(capsule: &Capsule, found: &Replayed) -> String {
    let transient = capsule.decision.starts_with("went on");
    match (&found.fault, transient) {
        (Some(fault), false) => {
            format!("it comes again here ({fault}): samples, parameters or the program make it so")
        }
        (Some(fault), true) => format!(
            "it comes again here ({fault}), and did not the second time then: the same numbers do not always \
             give the same result"
        ),
        (None, true) => {
            "it does not come again, as the second time then: a machine made an error".into()
        }
        (None, false) => {
            "it does not come again here, and did both times then: kernels or machine \
                          of that run make it so; try its device with --device"
                .into()
        }
    }
}

/// Gradients, those first that are not finite in either, then the largest.
fn gradients<'a>(capsule: &'a Capsule, found: &Replayed) -> Vec<(&'a str, Told, Told)> {
    let pairs = capsule.first.gradients.iter().zip(&found.gradients);
    let mut all: Vec<_> = pairs.map(|((name, then), (_, now))| (&**name, *then, *now)).collect();
    let weight = |then: f64, now: f64| {
        if then.is_finite() && now.is_finite() { then.max(now) } else { f64::INFINITY }
    };
    all.sort_by(|a, b| weight(b.1.0, b.2.0).total_cmp(&weight(a.1.0, a.2.0)));
    all
}

/// A slice of a rank.
struct Slice<'a> {
    rank: usize,
    /// From 1.
    number: usize,
    of: usize,
    found: &'a Found,
}

/// All slices, those that are not finite first, then by gradient norm.
fn slices(ranks: &[Shared]) -> Vec<Slice<'_>> {
    let of_rank = |(rank, share): (usize, &'_ Shared)| {
        let of = share.slices.len();
        (0..of).map(move |at| (rank, at, of))
    };
    let all = ranks.iter().enumerate().flat_map(of_rank);
    let mut all: Vec<_> = all
        .map(|(rank, at, of)| Slice { rank, number: at + 1, of, found: &ranks[rank].slices[at] })
        .collect();
    let weight = |slice: &Slice<'_>| {
        let Found { loss, grad_norm, .. } = slice.found;
        if loss.0.is_finite() && grad_norm.0.is_finite() { grad_norm.0 } else { f64::INFINITY }
    };
    all.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    all
}

fn shortened(ids: &[u64]) -> String {
    let shown: Vec<String> = ids.iter().take(SHOWN).map(u64::to_string).collect();
    let more = ids.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
