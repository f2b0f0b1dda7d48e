//! A whole ingest, of the format that the first byte chooses: what is made is whole, and every record is counted.
#![no_main]

use std::fs;
use std::path::PathBuf;

use genesis_data::ingest::Silent;
use genesis_data::sequences::{SequencesIngest, TokenizerChoice, ingest_sequences};
use genesis_data::structures::{StructuresIngest, ingest_structures};
use genesis_data::verify::verify;
use genesis_fuzz_data::scratch;
use libfuzzer_sys::fuzz_target;

const EXTENSIONS: [&str; 8] = ["txt", "jsonl", "fasta", "fastq", "csv", "tsv", "xyz", "jsonl"];
const FIRST_OF_STRUCTURES: usize = 6;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let chosen = usize::from(first) % EXTENSIONS.len();
    let input = scratch::file(&format!("input.{}", EXTENSIONS[chosen]), rest);
    let output = scratch::path("ingested");
    let _ = fs::remove_dir_all(&output);
    let made = if chosen < FIRST_OF_STRUCTURES {
        documents(input, output.clone(), first / 8)
    } else {
        structures(input, output.clone())
    };
    if made {
        let report = verify(&output, &mut |_| ()).expect("a dataset");
        assert!(report.is_whole(), "{:?}", report.problems);
    } else {
        assert!(!output.exists(), "a dataset that was not made");
    }
});

fn documents(input: PathBuf, output: PathBuf, choice: u8) -> bool {
    let tokenizer = match choice % 4 {
        0 => TokenizerChoice::Byte,
        1 => TokenizerChoice::AminoAcid,
        2 => TokenizerChoice::Nucleotide,
        _ => TokenizerChoice::Smiles,
    };
    let plan = SequencesIngest {
        max_reject_fraction: 1.0,
        threads: Some(1),
        ..SequencesIngest::new(vec![input], tokenizer, output)
    };
    ingest_sequences(&plan, &Silent).is_ok()
}

fn structures(input: PathBuf, output: PathBuf) -> bool {
    let plan = StructuresIngest {
        inputs: vec![input],
        output,
        allow_missing_labels: true,
        max_reject_fraction: 1.0,
        threads: Some(1),
        ..StructuresIngest::default()
    };
    ingest_structures(&plan, &Silent).is_ok()
}
