//! Time of a draw: which sample of which source stands at a position, of a billion virtual samples; and the memory
//! that the program holds before and after ten million draws.
//!
//! `cargo bench -p genesis-benches --bench order`

use criterion::{BenchmarkId, Criterion, Throughput};
use genesis_data::dataset::mixture::{Mixture, Turns};
use genesis_data::dataset::order::Order;
use genesis_schema::Seeds;

const SAMPLES: u64 = 1_000_000_000;
const DRAWS: u64 = 10_000;

/// Weights of so many sources, with a period of about a hundred each.
fn weights(sources: u64) -> Vec<u64> {
    (0..sources).map(|source| 50 + (source * 37) % 101).collect()
}

fn draws(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("draw");
    group.throughput(Throughput::Elements(DRAWS));
    for sources in [1, 3, 16, 256] {
        let turns = Turns::new(&weights(sources)).expect("a small table");
        let stream = Seeds::new(0).stream("loader/order");
        let draw = |k: u64| {
            let (_, number) = turns.at(k);
            Order::new(SAMPLES, stream, number / SAMPLES).at(number % SAMPLES)
        };
        let id = BenchmarkId::new("turn_and_sample", sources);
        group.bench_function(id, |bencher| {
            // Far apart, as ranks and epochs are.
            let mut k = 0;
            bencher.iter(|| {
                k += 1_000_003;
                (k..k + DRAWS).fold(0u64, |sum, k| sum.wrapping_add(draw(k)))
            });
        });
        group.bench_function(BenchmarkId::new("turn", sources), |bencher| {
            let mut k = 0;
            bencher.iter(|| {
                k += 1_000_003;
                (k..k + DRAWS).fold(0u64, |sum, k| sum.wrapping_add(turns.at(k).1))
            });
        });
    }
    group.finish();
}

/// A table of as many parts as there may be.
fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    group.sample_size(10);
    let weights: Vec<u64> = vec![1 << 19, 1 << 18, 1 << 17, (1 << 17) - 1, 1];
    group.bench_function("of_a_million_parts", |bencher| bencher.iter(|| Turns::new(&weights)));
    group.finish();
}

/// Draws of three sources of a billion samples each: prints what the program holds before and after.
#[expect(clippy::print_stdout, reason = "what was measured")]
fn memory() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let mixture = Mixture::new([(0, Turns::new(&[70, 20, 10]).expect("a small table"))]);
    let seeds = |source: usize| Seeds::new(1).part(&format!("source {source}"));
    let orders = [0, 1, 2].map(|it| Order::new(SAMPLES, seeds(it).stream("loader/order"), 0));
    let draws = |from: u64, count: u64| {
        let draw = |k: u64| mixture.at(k);
        (from..from + count).map(draw).fold(0u64, |sum, it| sum ^ orders[it.source].at(it.number))
    };
    let mut sum = draws(0, DRAWS);
    let before = resident();
    sum ^= draws(400_000_000, 10_000_000);
    let after = resident();
    println!("memory/10_000_000 draws: {before:?} KiB before, {after:?} KiB after ({sum:016x})");
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    draws(&mut criterion);
    table(&mut criterion);
    criterion.final_summary();
    memory();
}
