//! Letters that are no residue, records that are cut, what is one document and what is counted.

use std::sync::Arc;

use crate::support::{Folder, repeated, texts};
use genesis_data::dataset::{Loader as _, Split};
use genesis_data::ingest::{IngestError, Silent};
use genesis_data::sequences::ingest::LongRecords;
use genesis_data::sequences::{
    HeldOut, LetterRule, LetterRules, Objective, Seen, SequencesDataset, SequencesIngest,
    SequencesLoader, SequencesLoaderPlan, SequencesSummary, TokenizerChoice, ingest_sequences,
    seen_in_training,
};
use genesis_schema::IGNORE;

fn plan(folder: &Folder, input: &str, tokenizer: TokenizerChoice) -> SequencesIngest {
    let plan = SequencesIngest::new(vec![folder.path(input)], tokenizer, folder.path("out"));
    SequencesIngest { validation_fraction: 0.0, overwrite: true, ..plan }
}

fn ingested(plan: &SequencesIngest) -> SequencesSummary {
    let summary = ingest_sequences(plan, &Silent).unwrap();
    let counted = summary.counted;
    assert_eq!(counted.records, counted.kept + counted.rejected + counted.duplicates);
    summary
}

fn noted(summary: &SequencesSummary, words: &str) {
    assert!(summary.notes.iter().any(|note| note.contains(words)), "{:?}", summary.notes);
}

#[test]
fn rows_of_an_alignment_become_their_sequences_and_that_is_said() {
    let folder = Folder::new();
    folder.write("a.a3m", "#4\t2\n>a\nMK-T.Y\n>b\nMKtaT-Y\n>c\nMK*TY\n");
    let base = SequencesIngest {
        max_reject_fraction: 0.5,
        ..plan(&folder, "a.a3m", TokenizerChoice::AminoAcid)
    };
    let summary = ingested(&base);
    assert_eq!(texts(&base.output, Split::Train), ["MKTY", "MKTATY"]);
    assert_eq!(summary.rejected[0].reason, "stop_inside");
    noted(&summary, "gaps left out (3 met)");
    let rules = LetterRules {
        gaps: Some(LetterRule::Keep),
        insertions: Some(LetterRule::Strip),
        stops: Some(LetterRule::Keep),
        ..LetterRules::default()
    };
    let kept = SequencesIngest { letters: rules, ..base.clone() };
    ingested(&kept);
    assert_eq!(texts(&base.output, Split::Train), ["MK-T.Y", "MKT-Y", "MKXTY"]);
    let bytes = SequencesIngest { tokenizer: TokenizerChoice::Byte, ..kept };
    let error = ingest_sequences(&bytes, &Silent).unwrap_err().to_string();
    assert!(error.contains("letters") && error.contains("byte"), "{error}");
}

#[test]
fn documents_that_were_trained_on_are_found_in_a_set_of_their_own_by_their_tokens() {
    let folder = Folder::new();
    folder.write("train.fa", ">a\nMKTA\n>b\nMKVV*\n>c\nMKLL\n");
    folder.write("test.fa", ">x\nmkta\n>y\nMK-VV\n>z\nMKVVA\n>w\nMKV\n");
    let train = plan(&folder, "train.fa", TokenizerChoice::AminoAcid);
    let test = SequencesIngest {
        output: folder.path("test"),
        validation_fraction: 1.0,
        ..plan(&folder, "test.fa", TokenizerChoice::AminoAcid)
    };
    let [train, test] = [train, test].map(|plan| {
        ingested(&plan);
        SequencesDataset::open(&plan.output).unwrap()
    });
    let mut heard = 0;
    let look = |from: &_, go_on: &mut dyn FnMut() -> bool| {
        seen_in_training(from, (&test, Split::Validation), go_on).unwrap()
    };
    let count = &mut || {
        heard += 1;
        true
    };
    assert_eq!(look(&train, count), Some(Seen { documents: 4, seen: 2 }));
    assert_eq!(heard, 7);
    assert_eq!(look(&train, &mut || false), None);
    assert_eq!(
        look(&test, &mut || true),
        Some(Seen { documents: 4, seen: 0 }),
        "nothing is trained on"
    );
}

/// Every label of a few steps of training and of the validation split.
fn labels(folder: &Folder, objective: Objective) -> Vec<i64> {
    let dataset = Arc::new(SequencesDataset::open(&folder.path("out")).unwrap());
    let plan = SequencesLoaderPlan {
        objective,
        sequences_per_step: 2,
        accumulation: 1,
        apart: false,
        rank: 0,
        world: 1,
        seed: 5,
    };
    let loader = SequencesLoader::new(Arc::clone(&dataset), plan).unwrap();
    let mut labels = Vec::new();
    for step in 0..40 {
        for batch in loader.step(step).unwrap() {
            assert!(batch.num_labels() > 0, "step {step} has something to learn");
            labels.extend(batch.labels);
        }
    }
    for batch in loader.validation(None, 4) {
        labels.extend(batch.unwrap().labels);
    }
    labels.retain(|&label| label != IGNORE);
    labels
}

#[test]
fn runs_of_n_are_read_and_never_learned_and_no_step_is_lost_in_them() {
    let folder = Folder::new();
    let contig = |i: u64| {
        let bases = repeated(["ACGT", "CCGA", "TTAC"][usize::try_from(i % 3).unwrap()], 20 + i);
        format!(">c{i}\n{bases}{}\n", repeated("N", 300))
    };
    folder.write("a.fa", &(0..30).map(contig).collect::<String>());
    let base = SequencesIngest {
        validation_fraction: 0.2,
        ..plan(&folder, "a.fa", TokenizerChoice::Nucleotide)
    };
    let summary = ingested(&base);
    let n = i64::from(summary.card.part.tokenizer.unlabelled[0]);
    noted(&summary, "N read and not learned (9000 met)");
    let masked = Objective::Masked { context: 32, rate: 0.15 };
    for objective in [Objective::Causal { context: 32 }, masked] {
        assert!(!labels(&folder, objective).contains(&n), "{objective:?}");
    }
    let (tokens, bytes) = summary.card.part.splits.train.learned(&[u32::try_from(n).unwrap()]);
    assert!(tokens < summary.card.part.splits.train.tokens / 2 && bytes < tokens);
    let letters = LetterRules { unknown: Some(LetterRule::Keep), ..LetterRules::default() };
    let summary = ingested(&SequencesIngest { letters, ..base });
    assert!(summary.card.part.tokenizer.unlabelled.is_empty());
    assert!(labels(&folder, Objective::Causal { context: 32 }).contains(&n), "asked for");
}

#[test]
fn long_records_are_cut_so_that_no_base_is_lost_or_the_share_that_is_lost_ends_the_ingest() {
    let folder = Folder::new();
    let chromosome = |name: &str, times| format!(">{name}\n{}\n", repeated("ACGTTGCA", times));
    let scaffold = |i: u64| format!(">s{i}\n{}C\n", repeated("AG", i + 1));
    let fasta = chromosome("chr1", 500) + &(0..40).map(scaffold).collect::<String>();
    folder.write("a.fa", &fasta);
    let cut = SequencesIngest {
        max_record_bytes: 1500,
        keep_duplicates: true,
        ..plan(&folder, "a.fa", TokenizerChoice::Nucleotide)
    };
    let summary = ingested(&cut);
    noted(&summary, "1 records longer than max_record_bytes were cut into 3 pieces");
    let texts = texts(&cut.output, Split::Train);
    assert_eq!(texts[..3].concat(), repeated("ACGTTGCA", 500));
    let dataset = SequencesDataset::open(&cut.output).unwrap();
    let ends = |index| {
        let tokens = dataset.document(Split::Train, index).unwrap().tokens.to_vec();
        (tokens[0] == 1, tokens[tokens.len() - 1] == 2)
    };
    assert_eq!(
        [0, 1, 2, 3].map(ends),
        [(true, false), (false, false), (false, true), (true, true)]
    );

    let whole = SequencesIngest { long_records: Some(LongRecords::Reject), ..cut };
    let error = ingest_sequences(&whole, &Silent).unwrap_err();
    let IngestError::Rejected { counted, .. } = &error else { panic!("{error}") };
    assert_eq!((counted.rejected, counted.rejected_bytes), (1, 4000));
    let message = error.to_string();
    assert!(message.contains("1 of 41 records") && message.contains("with 4000 of"), "{message}");
}

#[test]
fn one_sequence_in_several_spellings_is_one_document_on_one_side() {
    let folder = Folder::new();
    let spellings = |i: u64| {
        let protein = format!("MKTAYIAK{}", repeated("GAV", i + 1));
        let (lower, gapped) =
            (protein.to_lowercase(), format!("{}--{}", &protein[..4], &protein[4..]));
        format!(">a\n{protein}\n>b\n{lower}\n>c\n{protein}*\n>d\n{gapped}\n")
    };
    folder.write("a.fa", &(0..60).map(spellings).collect::<String>());
    let base = SequencesIngest {
        validation_fraction: 0.4,
        ..plan(&folder, "a.fa", TokenizerChoice::AminoAcid)
    };
    let summary = ingested(&base);
    assert_eq!((summary.counted.kept, summary.counted.duplicates), (60, 180));
    ingested(&SequencesIngest { keep_duplicates: true, ..base.clone() });
    let (train, held_out) =
        (texts(&base.output, Split::Train), texts(&base.output, Split::Validation));
    assert_eq!((train.len() % 4, held_out.len() % 4), (0, 0));
    assert!(!held_out.is_empty() && held_out.iter().all(|text| !train.contains(text)));
    folder.write("b.fa", ">r\nACGU\n>d\nacgt\n");
    let rna = SequencesIngest { inputs: vec![folder.path("b.fa")], ..base };
    let rna = SequencesIngest { tokenizer: TokenizerChoice::Nucleotide, ..rna };
    let rna = SequencesIngest { validation_fraction: 0.0, ..rna };
    assert_eq!(ingested(&rna).counted.duplicates, 1);
}

#[test]
fn tokens_that_the_vocabulary_lacks_are_counted_with_the_first_place() {
    let folder = Folder::new();
    folder.write("a.fa", ">a\nMKV\n>b\nMJJV\n>c\nLLJ\n");
    let summary = ingested(&plan(&folder, "a.fa", TokenizerChoice::AminoAcid));
    noted(&summary, "3 of 16 tokens (18.750 %) are `<unk>`");
    noted(&summary, "a.fa:3");
    folder.write("a.fa", ">a\nMKV\n");
    let summary = ingested(&plan(&folder, "a.fa", TokenizerChoice::AminoAcid));
    assert_eq!(summary.notes, Vec::<String>::new(), "nothing to say of a plain file");
}

#[test]
fn a_set_that_is_only_measured_needs_no_training_split() {
    let folder = Folder::new();
    folder.write("a.smi", "CCO a\nc1ccccc1 b\nCC(=O)O c\n");
    let test = SequencesIngest {
        validation_fraction: 1.0,
        ..plan(&folder, "a.smi", TokenizerChoice::Smiles)
    };
    let summary = ingested(&test);
    assert_eq!(summary.card.part.splits.validation.documents, 3);
    let dataset = Arc::new(SequencesDataset::open(&test.output).unwrap());
    let held_out =
        HeldOut::new(Arc::clone(&dataset), Objective::Causal { context: 64 }, 0).unwrap();
    let labels: usize = held_out.batches(None, 8).map(|batch| batch.unwrap().num_labels()).sum();
    let tokens = summary.card.part.splits.validation.tokens;
    assert_eq!(labels as u64, tokens - 3, "every token but the first of each is predicted");
    let refused = SequencesIngest { validation_fraction: 1.1, ..test };
    assert!(ingest_sequences(&refused, &Silent).is_err());
}
