//! Real files under `GENESIS_SHARED`: known numbers of records, known lengths of genomes.

use std::path::{Path, PathBuf};

use crate::support::Folder;
use genesis_data::dataset::Split;
use genesis_data::ingest::Silent;
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::ingest::DocumentRule;
use genesis_data::sequences::{SequencesIngest, TokenizerChoice, ingest_sequences};

/// A file of the shared data, or nothing and a line that says so.
fn shared(file: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests find their data by this variable")]
    let root = std::env::var("GENESIS_SHARED");
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let path = Path::new(root.as_deref().unwrap_or(fallback)).join("data").join(file);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is absent", path.display());
    None
}

fn card(folder: &Folder, file: &str, tokenizer: TokenizerChoice) -> Option<SequencesCard> {
    let mut plan = SequencesIngest::new(vec![shared(file)?], tokenizer, folder.path("out"));
    plan.validation_fraction = 0.0;
    plan.keep_duplicates = true;
    plan.overwrite = true;
    let start = std::time::Instant::now();
    let card = ingest_sequences(&plan, &Silent).unwrap().card;
    let megabytes = card.part.splits.train.source_bytes as f64 / 1e6;
    println!("{file}: {:.1} MB of text/s", megabytes / start.elapsed().as_secs_f64());
    Some(card)
}

#[test]
fn protein_files_have_their_known_numbers_of_records() {
    let folder = Folder::new();
    for (file, records) in [
        ("protein/sprot_archaea.fasta", 2872),
        ("protein/sprot_viruses.fasta", 4450),
        ("protein/ecoli_proteome.faa.gz", 4298),
    ] {
        let Some(card) = card(&folder, file, TokenizerChoice::AminoAcid) else { continue };
        assert_eq!(card.sources[0].records, records, "{file}");
        assert_eq!(card.part.splits.train.documents, records, "{file}: {:?}", card.rejects);
    }
}

#[test]
fn genomes_have_their_published_lengths() {
    let folder = Folder::new();
    for (file, bases) in
        [("genome/lambda_virus.fa", 48_502), ("genome/ecoli_k12.fna.gz", 4_641_652)]
    {
        let Some(card) = card(&folder, file, TokenizerChoice::Nucleotide) else { continue };
        assert_eq!(card.part.splits.train.documents, 1, "{file}");
        assert_eq!(card.part.splits.train.tokens, bases + 2, "{file}: with <bos> and <eos>");
    }
}

#[test]
fn every_molecule_of_qm9_and_esol_is_tokenized_and_read_back() {
    let folder = Folder::new();
    for (file, records) in [("smiles/qm9.csv", 133_885), ("smiles/esol.csv", 1128)] {
        let Some(card) = card(&folder, file, TokenizerChoice::Smiles) else { continue };
        assert_eq!((card.sources[0].records, card.part.splits.train.documents), (records, records));
        assert_eq!(card.part.splits.train.token_counts[3], 0, "{file}: no <unk>");
    }
    if let Some(path) = shared("smiles/esol.csv") {
        let csv = std::fs::read_to_string(path).unwrap();
        let column = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
        let expected: Vec<String> = csv.lines().skip(1).map(column).collect();
        assert_eq!(crate::support::texts(&folder.path("out"), Split::Train), expected);
    }
}

#[test]
fn the_pieces_of_shakespeare_are_the_file() {
    let folder = Folder::new();
    let Some(card) = card(&folder, "text/tinyshakespeare.txt", TokenizerChoice::Byte) else {
        return;
    };
    assert_eq!(card.part.splits.train.source_bytes, 1_115_394);
    let text = crate::support::texts(&folder.path("out"), Split::Train).concat();
    assert!(text == std::fs::read_to_string(shared("text/tinyshakespeare.txt").unwrap()).unwrap());
}

#[test]
fn bpe_learned_from_shakespeare_shortens_it_and_loses_nothing() {
    let folder = Folder::new();
    let Some(path) = shared("text/tinyshakespeare.txt") else { return };
    let tokenizer = TokenizerChoice::TrainBpe { vocab_size: 1024 };
    let mut plan = SequencesIngest::new(vec![path.clone()], tokenizer, folder.path("out"));
    plan.validation_fraction = 0.0;
    plan.documents = DocumentRule::File;
    let card = ingest_sequences(&plan, &Silent).unwrap().card;
    assert_eq!(card.part.tokenizer.vocab_size, 1024);
    assert!(card.part.splits.train.tokens < 1_115_394 / 2, "{}", card.part.splits.train.tokens);
    assert!(
        crate::support::texts(&plan.output, Split::Train)[0]
            == std::fs::read_to_string(path).unwrap()
    );
}
