//! Time to plan the rows of a million documents, and to find the row at a place.
//!
//! `cargo bench -p genesis-benches --bench packing`

use std::fmt::Write as _;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput};
use genesis_data::dataset::Split;
use genesis_data::ingest::Silent;
use genesis_data::sequences::{
    Packing, Rows, SequencesDataset, SequencesIngest, TokenizerChoice, ingest_sequences,
};
use genesis_schema::Seeds;

const DOCUMENTS: u64 = 1_000_000;
/// A tenth of what proteins have, like their lengths.
const CONTEXT: usize = 102;
const PLACES: u64 = 20_000;

/// Proteins with a tenth of the lengths of Swiss-Prot: log-normal, the median 295 and the spread e^0.66.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some dozens")]
fn proteins(folder: &Path) -> SequencesDataset {
    let stream = Seeds::new(5).stream("proteins");
    let mut text = String::new();
    for number in 0..DOCUMENTS {
        let length = ((29.5f64.ln() + 0.66 * stream.normal(number, 0)).exp() as u64).clamp(8, 500);
        let letter = |place| {
            let of = usize::try_from(stream.below(number, 1 + place, 20)).expect("below twenty");
            char::from(b"ACDEFGHIKLMNPQRSTVWY"[of])
        };
        let letters: String = (0..length).map(letter).collect();
        writeln!(text, ">{number}\n{letters}").expect("a string takes all");
    }
    let (file, out) = (folder.join("proteins.fasta"), folder.join("dataset"));
    std::fs::write(&file, text).expect("room for 50 MB");
    let plan = SequencesIngest {
        validation_fraction: 0.0,
        keep_duplicates: true,
        ..SequencesIngest::new(vec![file], TokenizerChoice::AminoAcid, out.clone())
    };
    ingest_sequences(&plan, &Silent).expect("proteins are ingested");
    SequencesDataset::open(&out).expect("what was just made")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = proteins(folder.path());
    assert_eq!(dataset.num_documents(Split::Train), DOCUMENTS);
    let mut group = criterion.benchmark_group("rows");
    for window in [1024, 4096, 16384] {
        let plan = || Rows::plan(&dataset, Packing { context: CONTEXT, window }, Seeds::new(1));
        group.throughput(Throughput::Elements(DOCUMENTS));
        group.bench_function(BenchmarkId::new("plan", window), |bencher| {
            bencher.iter(|| plan().expect("documents that can be packed"));
        });
        let rows = plan().expect("documents that can be packed");
        group.throughput(Throughput::Elements(PLACES));
        group.bench_function(BenchmarkId::new("find", window), |bencher| {
            let mut epoch = 0;
            bencher.iter(|| {
                epoch += 1;
                let row = |place| rows.row(&dataset, epoch, rows.at(epoch, place));
                (0..PLACES).map(|place| row(place).expect("a row").len()).sum::<usize>()
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
