//! Atoms per second of the neighbour list: a cubic crystal with thermal noise, periodic.
//!
//! `cargo bench -p genesis-benches --bench neighbors`

use criterion::{BenchmarkId, Criterion, Throughput};
use genesis_data::structures::neighbor_list;
use genesis_schema::Seeds;

/// Å; with one atom in 20 Å^3 an atom has about 26 neighbours.
const CUTOFF: f64 = 5.0;
/// Edge of the cube that one atom has for itself, Å.
const SPACING: f64 = 2.714;

fn neighbors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neighbor_list");
    for side in [10u64, 22, 46] {
        let stream = Seeds::new(0).stream("bench/neighbors");
        let atoms = side * side * side;
        let site = |i: u64| {
            let place = [i % side, i / side % side, i / (side * side)];
            [0, 1, 2].map(|k| SPACING * place[k] as f64 + 0.1 * stream.normal(i, k as u64))
        };
        let positions: Vec<[f64; 3]> = (0..atoms).map(site).collect();
        let length = SPACING * side as f64;
        let cell = [[length, 0.0, 0.0], [0.0, length, 0.0], [0.0, 0.0, length]];
        group.throughput(Throughput::Elements(atoms)).sample_size(10);
        group.bench_with_input(BenchmarkId::from_parameter(atoms), &positions, |bencher, atoms| {
            bencher.iter(|| neighbor_list(atoms, &cell, [true; 3], CUTOFF));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    neighbors(&mut criterion);
    criterion.final_summary();
}
