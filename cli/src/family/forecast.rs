//! What a run would take on many ranks: the forecast of `genesis plan --nodes`.

use std::path::Path;

use genesis_train::cluster::forecast::{
    Link, Links, RankBytes, Ranks, SHARED_MEMORY, States, Step, Work, step,
};
use genesis_train::cluster::preflight::{median, memory_rate, scaled};
use genesis_train::device::DeviceChoice;
use genesis_train::keys::Root;
use genesis_train::report::log::EVENTS_FILE;
use genesis_train::report::{read_events, sessions};
use genesis_train::trainer::Plan;
use serde_json::{Value, json};

use super::planning::states;
use super::{Cost, Face};
use crate::exit::{Code, Failure, OrExit};

/// The cluster that is asked about.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub(crate) struct Asked {
    /// Forecast the run on so many hosts, and on 1, 2, 4, ... up to them: time of a step, exchange of
    /// gradients, efficiency, memory. Needs --link and --step-seconds
    #[arg(long, value_name = "N", requires_all = ["link", "step_seconds"], value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    nodes: Option<u32>,
    /// Ranks on each host: GPUs, or processes
    #[arg(long, alias = "gpus-per-node", value_name = "M", default_value_t = 1, requires = "nodes", value_parser = clap::value_parser!(u32).range(1..=1024))]
    ranks_per_node: u32,
    /// What lies between hosts: a name such as 100gbe, hdr200, ndr400, slingshot200, or LATENCY:BANDWIDTH each
    /// way, as `genesis preflight` measures them: 25us:1.2GB/s
    #[arg(long, value_name = "LINK", requires = "nodes")]
    link: Option<Link>,
    /// What lies between ranks of a host, likewise: nvlink4, pcie5, ... [default: memory, 1us:5GB/s]
    #[arg(long, value_name = "LINK", requires = "nodes")]
    link_within: Option<Link>,
    /// Seconds of a step on one rank, or the folder of a run on one rank whose steps were timed
    #[arg(long, value_name = "SECONDS|RUN", requires = "nodes")]
    step_seconds: Option<String>,
    /// Let each rank have as many samples as the step of one has, so that steps grow with the ranks
    #[arg(long, requires = "nodes")]
    grow: bool,
}

/// Adds the forecast to `cost`, if one is asked for.
pub(super) fn add<F: Face>(cost: &mut Cost, plan: &F::Plan, asked: &Asked) -> anyhow::Result<()> {
    let (Some(nodes), Some(between), Some(given)) = (asked.nodes, asked.link, &asked.step_seconds)
    else {
        return Ok(());
    };
    let numbers = F::numbers(plan);
    let states = states::<F>(plan)?;
    let links = Links { between, within: asked.link_within.unwrap_or(SHARED_MEMORY) };
    let (step_s, was_measured) = seconds(given)?;
    // A number may be of any machine, whose memory is not known: its update counts as shared.
    let is_here = was_measured && plan.config().run().device == DeviceChoice::Cpu;
    let work = Work {
        step_s,
        update_s: if is_here { update_s(&states) } else { 0.0 },
        gradient_bytes: states.gradient_bytes(),
        bucket_bytes: numbers.parallel.bucket_bytes() as u64,
        grows: asked.grow,
    };
    let all: Vec<Ranks> = clusters(nodes, asked.ranks_per_node).collect();
    let most = Ranks { nodes: nodes.into(), per_node: asked.ranks_per_node.into() };
    if !asked.grow && !(numbers.samples as u64).is_multiple_of(most.count()) {
        let message = format!(
            "a step of {} {} cannot be shared by {} ranks: set a multiple of them, or --grow to give each rank as \
             many as one has now",
            numbers.samples,
            numbers.what,
            most.count()
        );
        return Err(Failure::error(Code::Usage, message));
    }
    let shared =
        |ranks: &Ranks| asked.grow || (numbers.samples as u64).is_multiple_of(ranks.count());
    let steps: Vec<Step> =
        all.into_iter().filter(shared).map(|ranks| step(&work, ranks, &links)).collect();
    let activations = if asked.grow {
        F::activations_bytes(plan, 1)
    } else {
        F::activations_bytes(plan, most.count())
    };
    cost.lines.push(("Forecast", words(&work, &links)));
    cost.tables.push(table(&steps));
    cost.tables.push(memory(&states, most, activations));
    if let Value::Object(object) = &mut cost.json {
        object.insert("forecast".to_owned(), as_json(&work, &links, &steps, &states, activations));
    }
    Ok(())
}

/// One rank, then all ranks of 1, 2, 4, ... hosts, then of all.
fn clusters(nodes: u32, per_node: u32) -> impl Iterator<Item = Ranks> {
    let of = |nodes: u32, per_node: u32| Ranks { nodes: nodes.into(), per_node: per_node.into() };
    let powers = (0..32).map(|power| 1_u32 << power).take_while(move |it| *it < nodes);
    let first = (nodes > 1 || per_node > 1).then(|| of(1, 1));
    let more = powers.chain([nodes]).map(move |nodes| of(nodes, per_node));
    first.into_iter().chain(more.filter(move |it| first != Some(*it)))
}

/// Seconds of AdamW or AMSGrad on this machine: it reads and writes each of its numbers once.
fn update_s(states: &States) -> f64 {
    // Parameters and moments are read and written, gradients read; an average is read and written.
    let numbers = 3 + 2 * states.num_moments + 2 * u64::from(states.has_average);
    (numbers * states.num_parameters * states.element_bytes) as f64 / memory_rate()
}

/// `--step-seconds`: a number, or the median of the steps of a run; and whether it is the latter.
fn seconds(given: &str) -> anyhow::Result<(f64, bool)> {
    match given.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok((seconds, false)),
        Ok(_) => Err(Failure::error(
            Code::Usage,
            format!("--step-seconds {given}: must be above 0, the seconds of a step on one rank"),
        )),
        Err(_) => of_run(Path::new(given)).map(|seconds| (seconds, true)),
    }
}

/// The median step of the last session in `run_dir`, which had one rank.
fn of_run(run_dir: &Path) -> anyhow::Result<f64> {
    let refused = |problem: &str| {
        let message = format!(
            "--step-seconds {}: {problem}; give the seconds of a step on one rank, or the folder of a run on one \
             rank with ten steps or more",
            run_dir.display()
        );
        Failure::error(Code::Usage, message)
    };
    let Some(session) = sessions::read(run_dir).pop() else {
        return Err(refused("neither a number nor the folder of a run"));
    };
    if session.ranks > 1 {
        return Err(refused(&format!("its last session had {} ranks", session.ranks)));
    }
    let events = read_events(&run_dir.join(EVENTS_FILE)).or_exit(Code::Data)?;
    let walls: Vec<f64> = events
        .iter()
        .filter(|event| event.step > session.after_step)
        .filter_map(|event| event.wall_s)
        .collect();
    // Times between steps; what is evaluated or saved between two is rare enough for a median.
    let steps: Vec<f64> = walls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if steps.len() < 9 {
        return Err(refused(&format!("its last session has {} steps", walls.len())));
    }
    Ok(median(steps))
}

fn words(work: &Work, links: &Links) -> String {
    let link = |link: Link| {
        format!("{:.1} us and {}", link.latency_s * 1e6, scaled(link.bytes_per_s, "B/s"))
    };
    format!(
        "a step on one rank {:.4} s, {:.4} s of it the update; {} of gradients in buckets of {}; links of {} between \
         hosts, {} within",
        work.step_s,
        work.update_s,
        scaled(work.gradient_bytes as f64, "B"),
        scaled(work.bucket_bytes as f64, "B"),
        link(links.between),
        link(links.within),
    )
}

fn table(steps: &[Step]) -> Vec<String> {
    let head =
        "   hosts   ranks     step s  computing   exposed  efficiency  if overlapped   sent a step";
    let row = |it: &Step| {
        let overlapped = it.efficiency * it.step_s / (it.compute_s + it.exposed_overlapped_s);
        format!(
            "{:>8}{:>8}{:>11.4}{:>11.4}{:>10.4}{:>11.1}%{:>14.1}%{:>14}",
            it.nodes,
            it.ranks,
            it.step_s,
            it.compute_s,
            it.exposed_s,
            100.0 * it.efficiency,
            100.0 * overlapped,
            scaled(it.sent_bytes, "B")
        )
    };
    std::iter::once(head.to_owned()).chain(steps.iter().map(row)).collect()
}

/// Memory of a rank where there are `most` of them, by stage of ZeRO.
fn memory(states: &States, most: Ranks, activations: Option<u64>) -> Vec<String> {
    let stage = |stage: u8| {
        let it = states.of_rank(stage, most.count());
        let bytes = [it.parameters, it.gradients, it.moments, it.average];
        let total = it.total() + activations.unwrap_or(0);
        let shown =
            bytes.into_iter().chain([total]).map(|it| format!("{:>14}", scaled(it as f64, "B")));
        format!("{stage:>8}{}", shown.collect::<String>())
    };
    let head =
        "    ZeRO    parameters     gradients       moments       average        in all".to_owned();
    let RankBytes { buckets, program, .. } = states.of_rank(0, most.count());
    let [buckets, program] = [buckets, program].map(|it| scaled(it as f64, "B"));
    let rest = match activations {
        Some(bytes) => format!("{} of activations (estimate)", scaled(bytes as f64, "B")),
        None => "without activations".to_owned(),
    };
    let rows = (0..3).map(stage);
    let place = format!(
        "Memory of a rank of {}; in all with {buckets} of buckets, {program} of the program, {rest}",
        most.count()
    );
    [place, head].into_iter().chain(rows).collect()
}

fn as_json(
    work: &Work,
    links: &Links,
    steps: &[Step],
    states: &States,
    activations: Option<u64>,
) -> Value {
    let stages: Vec<Value> = steps
        .iter()
        .map(|it| {
            let of = |stage| states.of_rank(stage, it.ranks);
            json!({ "ranks": it.ranks, "zero_0": of(0), "zero_1": of(1), "zero_2": of(2) })
        })
        .collect();
    json!({
        "step_s": work.step_s,
        "update_s": work.update_s,
        "gradient_bytes": work.gradient_bytes,
        "bucket_bytes": work.bucket_bytes,
        "grows": work.grows,
        "links": links,
        "steps": steps,
        "state_bytes": stages,
        "activations_bytes": activations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_begin_with_one_rank_and_end_with_what_was_asked() {
        let of = |nodes, per_node| -> Vec<(u64, u64)> {
            clusters(nodes, per_node).map(|it| (it.nodes, it.per_node)).collect()
        };
        assert_eq!(of(1, 1), [(1, 1)]);
        assert_eq!(of(6, 1), [(1, 1), (2, 1), (4, 1), (6, 1)]);
        assert_eq!(of(2, 8), [(1, 1), (1, 8), (2, 8)]);
    }

    #[test]
    fn seconds_are_a_number_above_zero_or_a_run() {
        assert_eq!(seconds("0.25").unwrap(), (0.25, false));
        for (given, part) in [("0", "above 0"), ("-1", "above 0"), ("nowhere", "neither a number")]
        {
            let error = seconds(given).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
