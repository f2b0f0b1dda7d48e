//! Samples per second of the loader on a dataset, for `benches/peers/loaders.py`.
//!
//! `cargo bench -p genesis-benches --bench loader -- DATASET CONTEXT SEQUENCES blocks|rows SECONDS`

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use genesis_data::dataset::{Loader, Mixture};
use genesis_data::sequences::{
    Objective, Packing, SequencesCorpus, SequencesDataset, SequencesLoader, SequencesLoaderPlan,
    rows_of,
};
use genesis_schema::TokenBatch;

/// Steps made ahead: as many as a run.
const DEPTH: usize = 2;
const WARMUP: usize = 20;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let [dataset, context, sequences, mode, seconds] = given.as_slice() else {
        // `cargo bench` runs every bench; this one needs a dataset.
        return;
    };
    let number = |text: &String| text.parse::<usize>().expect("a whole number");
    let seconds: f64 = seconds.parse().expect("seconds");
    let context = number(context);
    let plan = SequencesLoaderPlan {
        objective: Objective::Causal { context },
        sequences_per_step: number(sequences),
        accumulation: 1,
        apart: false,
        rank: 0,
        world: 1,
        seed: 1,
    };
    let dataset = SequencesDataset::open(Path::new(dataset)).expect("a dataset");
    let corpus = SequencesCorpus::sole(Arc::new(dataset));
    let packing = Packing { context, window: 4096 };
    let rows = match mode.as_str() {
        "rows" => rows_of(&corpus, packing, plan.seed).expect("documents that can be packed"),
        _ => Vec::new(),
    };
    let loader = SequencesLoader::packed(corpus, Arc::new(Mixture::sole()), plan, &rows);
    let loader = Arc::new(loader.expect("a loader"));
    let mut steps = loader.prefetch(0, DEPTH);
    let mut tokens = 0;
    let mut next = || {
        let (_, parts) = steps.next().expect("it never ends").expect("a step");
        tokens += parts.iter().flatten().map(TokenBatch::num_tokens).sum::<usize>();
    };
    (0..WARMUP).for_each(|_| next());
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        next();
        done += plan.sequences_per_step;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    said(&serde_json::json!({ "samples_per_s": rate, "tokens": tokens }));
}

#[expect(clippy::print_stdout, reason = "what was measured")]
fn said(found: &serde_json::Value) {
    println!("{found}");
}
