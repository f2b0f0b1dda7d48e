//! Checks of meaning of a run file of sequences: ranges, and values that must fit each other. What
//! follows from the dataset is checked when the plan is made.

use genesis_data::sequences::packing::MOST_DOCUMENTS;
use genesis_data::sequences::{GenerateSequences, SequencesIngest, TokenizerChoice};

use super::{
    BatchConfig, ObjectiveConfig, PackingConfig, SampleConfig, SequencesConfig, SequencesData,
    SequencesWeighting,
};
use crate::keys::{ConfigProblem, Found, OfEveryRun};

/// Every problem of meaning in `config`.
pub(super) fn check(config: &SequencesConfig) -> Vec<ConfigProblem> {
    let mut found = Found::default();
    check_data(&mut found, &config.data);
    found.check_mixture(config.data.keys(), config.schedule.steps);
    check_objective(&mut found, &config.objective);
    check_batch(&mut found, &config.batch);
    found.check_every_run(&OfEveryRun {
        run: &config.run,
        optimizer: &config.optimizer,
        schedule: &config.schedule,
        average: config.average,
        evaluation_every: config.evaluation.every,
        checkpoint: &config.checkpoint,
        faults: &config.faults,
    });
    check_intervals(&mut found, config);
    let BatchConfig { sequences, accumulation, .. } = config.batch;
    let slices = Some(("batch.accumulation", accumulation));
    found.check_parallel(&config.parallel, ("batch.sequences", sequences), slices);
    if let Some(sample) = &config.report.sample {
        check_sample(&mut found, sample);
    }
    found.0
}

fn check_data(found: &mut Found, data: &SequencesData) {
    found.exactly_one(
        "data",
        &[
            ("dataset", data.dataset.is_some()),
            ("source", data.source.is_some()),
            ("generate", data.generate.is_some()),
            ("mixture", !data.mixture.is_empty()),
        ],
    );
    let plain = data.weighting == SequencesWeighting::Samples;
    found.require(plain || !data.mixture.is_empty(), "data.weighting", || {
        "is only for several datasets, in `data.mixture`; remove the key".to_owned()
    });
    if let Some(source) = &data.source {
        check_source(found, source);
    }
    if let Some(GenerateSequences::Molecules { count, .. }) = data.generate {
        found.at_least("data.generate.count", count, 2);
    }
}

/// What a run adds to the checks of the ingest itself.
fn check_source(found: &mut Found, source: &SequencesIngest) {
    let given = !source.inputs.is_empty();
    found.require(given, "data.source.inputs", || "is empty, must name a file".to_owned());
    found.require(source.output.as_os_str().is_empty(), "data.source.output", || {
        "follows from `run.dir`; remove the key".to_owned()
    });
    found.require(source.generate.is_none(), "data.source.generate", || {
        "belongs one table higher: use `data.generate` instead of `data.source`".to_owned()
    });
    found.fraction_below_one("data.source.validation_fraction", source.validation_fraction);
    if let TokenizerChoice::TrainBpe { vocab_size } = source.tokenizer {
        // 256 bytes and at least one merge.
        let path = "data.source.tokenizer.train_bpe.vocab_size";
        found.at_least(path, u64::from(vocab_size), 257);
    }
}

fn check_objective(found: &mut Found, objective: &ObjectiveConfig) {
    match *objective {
        ObjectiveConfig::Causal { context } => {
            found.at_least("objective.context", context as u64, 2);
        }
        ObjectiveConfig::Masked { context, mask_rate } => {
            found.at_least("objective.context", context as u64, 2);
            let holds = mask_rate > 0.0 && mask_rate < 1.0;
            found.require(holds, "objective.mask_rate", || {
                format!("is {mask_rate}, must be above 0 and below 1")
            });
        }
    }
}

fn check_batch(found: &mut Found, batch: &BatchConfig) {
    found.at_least("batch.sequences", batch.sequences as u64, 1);
    found.at_least("batch.accumulation", batch.accumulation as u64, 1);
    let BatchConfig { sequences, accumulation, packing } = *batch;
    let divides = accumulation == 0 || sequences.is_multiple_of(accumulation);
    found.require(divides, "batch.accumulation", || {
        format!("is {accumulation}, must divide `batch.sequences`, which is {sequences}")
    });
    if let Some(PackingConfig::BestFit { window }) = packing {
        let holds = (1..=MOST_DOCUMENTS).contains(&window);
        found.require(holds, "batch.packing.window", || {
            format!("is {window}, must be from 1 to {MOST_DOCUMENTS}")
        });
    }
}

fn check_intervals(found: &mut Found, config: &SequencesConfig) {
    let optional = [
        ("evaluation.every", config.evaluation.every),
        ("evaluation.max_sequences", config.evaluation.max_sequences.map(|n| n as u64)),
        ("evaluation.sequences_per_batch", {
            config.evaluation.sequences_per_batch.map(|n| n as u64)
        }),
    ];
    for (path, value) in optional {
        found.at_least(path, value.unwrap_or(1), 1);
    }
}

fn check_sample(found: &mut Found, sample: &SampleConfig) {
    found.at_least("report.sample.count", sample.count as u64, 1);
    found.at_least("report.sample.max_tokens", sample.max_tokens as u64, 1);
    found.not_negative("report.sample.temperature", sample.temperature);
    found.at_least("report.sample.top_k", sample.top_k.unwrap_or(1) as u64, 1);
    let top_p = sample.top_p.unwrap_or(1.0);
    found.require(top_p > 0.0 && top_p <= 1.0, "report.sample.top_p", || {
        format!("is {top_p}, must be above 0 and at most 1")
    });
}
