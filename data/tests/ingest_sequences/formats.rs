//! Ingest as a user sees it: formats, splits, determinism, output folders.

use std::fs;
use std::io::Write as _;

use crate::support::{Folder, folder_bytes, lines, repeated, texts};
use genesis_data::dataset::Split;
use genesis_data::ingest::{IngestError, Silent};
use genesis_data::sequences::ingest::{DocumentRule, FormatChoice};
use genesis_data::sequences::{
    GenerateSequences, SequencesIngest, TokenizerChoice, ingest_sequences, molecule,
};

fn plan(folder: &Folder, input: &str, tokenizer: TokenizerChoice) -> SequencesIngest {
    SequencesIngest::new(vec![folder.path(input)], tokenizer, folder.path("out"))
}

/// Everything in the training split, in order.
fn train_only(plan: SequencesIngest) -> SequencesIngest {
    SequencesIngest { validation_fraction: 0.0, ..plan }
}

#[test]
fn text_is_cut_by_rule_and_default_pieces_add_up_to_the_file() {
    let folder = Folder::new();
    let text = lines(0..2000, |i| format!("line number {i}\r\n\n"));
    folder.write("a.txt", &text);
    let base = train_only(plan(&folder, "a.txt", TokenizerChoice::Byte));

    ingest_sequences(&base, &Silent).unwrap();
    let pieces = texts(&base.output, Split::Train);
    assert_eq!(pieces.concat(), text);
    assert!(pieces[..pieces.len() - 1].iter().all(|p| p.len() >= 4096 && p.ends_with('\n')));

    let by = |documents| SequencesIngest { documents, overwrite: true, ..base.clone() };
    ingest_sequences(&by(DocumentRule::File), &Silent).unwrap();
    assert_eq!(texts(&base.output, Split::Train), [text]);
    ingest_sequences(&by(DocumentRule::Line), &Silent).unwrap();
    assert_eq!(texts(&base.output, Split::Train)[..2], ["line number 0", "line number 1"]);

    folder.write("a.txt", "one\ntwo\n\n \n\nthree\r\n\nfour");
    ingest_sequences(&by(DocumentRule::Paragraph), &Silent).unwrap();
    assert_eq!(texts(&base.output, Split::Train), ["one\ntwo", "three", "four"]);
}

#[test]
fn jsonl_takes_a_dotted_field_and_rejects_lines_without_it() {
    let folder = Folder::new();
    let mut jsonl = lines(0..50, |i| format!("{{\"meta\": {{\"body\": \"text {i} \\u00e9\"}}}}\n"));
    jsonl.push_str("{\"meta\": 3}\n\nnot json\n{\"meta\": {\"body\": 7}}\n");
    folder.write("a.jsonl", &jsonl);
    let plan = SequencesIngest {
        column: Some("meta.body".into()),
        ..train_only(plan(&folder, "a.jsonl", TokenizerChoice::Byte))
    };
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(texts(&plan.output, Split::Train)[49], "text 49 é");
    let reasons: Vec<&str> = summary.card.rejects.reasons.keys().map(String::as_str).collect();
    assert_eq!(reasons, ["no_field", "not_json", "not_text"]);
    let places: Vec<u64> = summary.rejected.iter().map(|r| r.line).collect();
    assert_eq!(places, [51, 53, 54]);
    let listed = fs::read_to_string(plan.output.join("rejects.jsonl")).unwrap();
    assert_eq!(listed.lines().count(), 3);
}

#[test]
fn jsonl_is_read_by_its_only_telling_field_and_two_are_a_question() {
    let folder = Folder::new();
    let read = |line: &str| {
        folder.write("a.jsonl", &lines(0..30, |i| line.replace('#', &i.to_string()) + "\n"));
        let plan = SequencesIngest {
            overwrite: true,
            ..train_only(plan(&folder, "a.jsonl", TokenizerChoice::Byte))
        };
        let summary = ingest_sequences(&plan, &Silent).map_err(|error| error.to_string())?;
        Ok((texts(&plan.output, Split::Train)[7].clone(), summary.notes))
    };
    let told = |line: &str, field: &str| {
        let (text, notes): (String, Vec<String>) = read(line).unwrap();
        assert_eq!(text, "MK7", "{line}");
        assert!(notes.concat().contains(&format!("`{field}` is read as the text")), "{notes:?}");
    };
    told(r#"{"id": 1, "sequence": "MK#", "length": 3}"#, "sequence");
    told(r#"{"Canonical_SMILES": "MK#", "name": "x"}"#, "Canonical_SMILES");
    told(r#"{"body": "MK#", "n": 1}"#, "body");
    let (text, notes) = read(r#"{"text": "MK#", "url": "x"}"#).unwrap();
    assert!(text == "MK7" && !notes.concat().contains("is read as"), "{notes:?}");
    let question = |line: &str, said: &[&str]| {
        let error: String = read(line).unwrap_err();
        for part in said {
            assert!(error.contains(part), "{part} in {error}");
        }
    };
    question(r#"{"text": "MK#", "sequence": "AC#"}"#, &["`text` and `sequence`", "`column`"]);
    question(r#"{"text": null, "smiles": "AC#"}"#, &["`text` and `smiles`"]);
    question(r#"{"a": "MK#", "b": "AC#"}"#, &["not clear", "a, b"]);
    question(r#"{"meta": {"text": "MK#"}}"#, &["no field holds text", "meta", "dots"]);
}

#[test]
fn fasta_joins_lines_folds_case_and_rejects_headers_without_sequence() {
    let folder = Folder::new();
    let mut fasta =
        String::from("\n;comment\r\n>a first\r\nMKV\r\nlag*\r\n\r\n>empty\r\n>b\r\nM\r\n");
    fasta += &lines(0..20, |i| format!(">p{i}\nM{}\n", repeated("A", i + 1)));
    folder.write("a.faa", &fasta);
    let plan = train_only(plan(&folder, "a.faa", TokenizerChoice::AminoAcid));
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(texts(&plan.output, Split::Train)[..2], ["MKVLAG", "M"]);
    assert_eq!(summary.card.part.splits.train.documents, 22);
    assert_eq!((summary.rejected[0].line, summary.rejected[0].reason.as_str()), (7, "empty"));
    assert_eq!(summary.card.sources[0].records, 23);
}

#[test]
fn gzip_is_recognised_by_its_first_bytes_whatever_the_name() {
    let folder = Folder::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b">a\nACGT\n>b\nacgua\n").unwrap();
    folder.write_bytes("a.fa", &packed.finish().unwrap());
    let plan = train_only(plan(&folder, "a.fa", TokenizerChoice::Nucleotide));
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(texts(&plan.output, Split::Train), ["ACGT", "ACGTA"]);
    let on_disk = fs::read(folder.path("a.fa")).unwrap();
    assert_eq!(summary.card.sources[0].bytes, on_disk.len() as u64);
    assert_eq!(
        summary.card.sources[0].sha256,
        genesis_data::dataset::card::sha256_of_bytes(&on_disk)
    );
}

#[test]
fn csv_takes_a_quoted_column_and_rejects_rows_of_another_width() {
    let folder = Folder::new();
    let mut csv = String::from("name,smiles\n\"a, \"\"b\"\"\",CCO \n\"two\nlines\",C[Na]\nshort\n");
    csv += &lines(0..30, |i| format!("x{i},{}O\n", repeated("C", i + 3)));
    folder.write("a.csv", &csv);
    let smiles = train_only(plan(&folder, "a.csv", TokenizerChoice::Smiles));
    let summary = ingest_sequences(&smiles, &Silent).unwrap();
    assert_eq!(texts(&smiles.output, Split::Train)[..2], ["CCO", "C[Na]"]);
    assert_eq!(summary.card.rejects.reasons["columns"], 1);
    assert_eq!(summary.rejected[0].line, 5);

    let names = SequencesIngest {
        column: Some("name".into()),
        tokenizer: TokenizerChoice::Byte,
        overwrite: true,
        ..smiles.clone()
    };
    ingest_sequences(&names, &Silent).unwrap();
    assert_eq!(texts(&names.output, Split::Train)[..2], ["a, \"b\"", "two\nlines"]);

    let wrong = SequencesIngest { column: Some("smile".into()), ..smiles };
    let wrong = SequencesIngest { output: folder.path("other"), ..wrong };
    let message = ingest_sequences(&wrong, &Silent).unwrap_err().to_string();
    assert!(message.contains("`smile`") && message.contains("name, smiles"), "{message}");
}

#[test]
fn parquet_reads_one_string_column_and_rejects_nulls() {
    let folder = Folder::new();
    crate::support::write_parquet(&folder.path("a.parquet"), 3000);
    let plan = train_only(plan(&folder, "a.parquet", TokenizerChoice::Smiles));
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(summary.card.part.splits.train.documents, 2999);
    assert_eq!((summary.rejected[0].line, summary.rejected[0].reason.as_str()), (6, "null"));
    assert_eq!(texts(&plan.output, Split::Train)[6].len(), "CO".len() + 7);
}

#[test]
fn a_folder_is_read_in_the_order_of_its_names_and_formats_may_differ() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("in/sub")).unwrap();
    folder.write("in/b.txt", "from b\n");
    folder.write("in/a.jsonl", "{\"text\": \"from a\"}\n");
    folder.write("in/sub/c.txt", "from c\n");
    folder.write("in/.hidden", "no");
    let plan = train_only(plan(&folder, "in", TokenizerChoice::Byte));
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(texts(&plan.output, Split::Train), ["from a", "from b\n", "from c\n"]);
    let formats: Vec<&str> = summary.card.sources.iter().map(|s| s.format.as_str()).collect();
    assert_eq!(formats, ["jsonl", "text", "text"]);
}

#[test]
fn the_bytes_are_the_same_for_one_two_and_five_threads() {
    let folder = Folder::new();
    let csv = lines(0..40_000, |i| molecule(i % 35_000, 5) + "\n");
    folder.write("a.csv", &format!("smiles\n{csv}not smiles!\n"));
    let text = lines(0..60_000, |i| format!("the {i}th line of the text, {}\n", i * 7));
    folder.write("b.txt", &text);
    let with = |name: &str, tokenizer: TokenizerChoice, threads: usize| {
        let mut plan = plan(&folder, name, tokenizer);
        plan.output = folder.path(&format!("out{threads}"));
        plan.threads = Some(threads);
        plan.max_shard_bytes = Some(1 << 19);
        plan.overwrite = true;
        ingest_sequences(&plan, &Silent).unwrap();
        folder_bytes(&plan.output)
    };
    let bpe = || TokenizerChoice::TrainBpe { vocab_size: 400 };
    for (name, tokenizer) in [("a.csv", TokenizerChoice::Smiles), ("b.txt", bpe())] {
        let one = with(name, tokenizer.clone(), 1);
        assert!(one.len() > 5, "several shards: {:?}", one.keys());
        assert!(one == with(name, tokenizer.clone(), 2), "{name}: two threads differ from one");
        assert!(one == with(name, tokenizer, 5), "{name}: five threads differ from one");
    }
}

#[test]
fn documents_stay_in_their_split_when_data_are_added() {
    let folder = Folder::new();
    let documents = |range| lines(range, |i| format!("document {i}\n"));
    folder.write("a.txt", &documents(500..1500));
    let mut plan = plan(&folder, "a.txt", TokenizerChoice::Byte);
    plan.documents = DocumentRule::Line;
    plan.validation_fraction = 0.2;
    ingest_sequences(&plan, &Silent).unwrap();
    let before = texts(&plan.output, Split::Validation);
    assert!((120..280).contains(&before.len()), "{}", before.len());

    folder.write("a.txt", &documents(0..3000));
    plan.overwrite = true;
    ingest_sequences(&plan, &Silent).unwrap();
    let after = texts(&plan.output, Split::Validation);
    let train = texts(&plan.output, Split::Train);
    assert!(before.iter().all(|text| after.contains(text) && !train.contains(text)));
}

#[test]
fn exact_duplicates_are_dropped_and_counted_unless_kept() {
    let folder = Folder::new();
    folder.write("a.txt", "same\nother\nsame\nsame\n");
    let mut plan = train_only(plan(&folder, "a.txt", TokenizerChoice::Byte));
    plan.documents = DocumentRule::Line;
    let summary = ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(texts(&plan.output, Split::Train), ["same", "other"]);
    assert_eq!(summary.card.duplicates_dropped, 2);
    plan.keep_duplicates = true;
    plan.overwrite = true;
    assert_eq!(ingest_sequences(&plan, &Silent).unwrap().card.part.splits.train.documents, 4);
}

#[test]
fn the_card_holds_no_place_of_this_machine_and_its_counts_are_right() {
    let folder = Folder::new();
    folder.write("a.txt", "abc\nde\n");
    let mut plan = train_only(plan(&folder, "a.txt", TokenizerChoice::Byte));
    plan.documents = DocumentRule::Line;
    plan.licence = Some("CC0-1.0".into());
    let card = ingest_sequences(&plan, &Silent).unwrap().card;
    assert!(!card.to_json().unwrap().contains("/out"), "the output folder is not recorded");
    assert_eq!((card.part.splits.train.tokens, card.part.splits.train.source_bytes), (7, 5));
    assert_eq!(card.part.splits.train.token_counts[0], 2, "end tokens");
    assert_eq!(card.licence.as_deref(), Some("CC0-1.0"));
    let files: Vec<&str> = card.files.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(files, ["tokenizer.json", "tokenizer_config.json"]);
}

#[test]
fn an_existing_folder_is_kept_unless_it_is_the_same_or_overwrite_is_set() {
    let folder = Folder::new();
    folder.write("a.txt", "one\ntwo\n");
    let base = train_only(plan(&folder, "a.txt", TokenizerChoice::Byte));
    assert!(!ingest_sequences(&base, &Silent).unwrap().unchanged);
    assert!(ingest_sequences(&base, &Silent).unwrap().unchanged, "the same again is fine");

    folder.write("a.txt", "one\ntwX\n");
    let before = folder_bytes(&base.output);
    let message = ingest_sequences(&base, &Silent).unwrap_err().to_string();
    assert!(message.contains("overwrite"), "{message}");
    assert_eq!(folder_bytes(&base.output), before);
    let replace = SequencesIngest { overwrite: true, ..base.clone() };
    ingest_sequences(&replace, &Silent).unwrap();
    assert_eq!(texts(&base.output, Split::Train), ["one\ntwX\n"]);

    fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/thesis.doc", "precious");
    let other = SequencesIngest { output: folder.path("mine"), ..replace };
    assert!(matches!(ingest_sequences(&other, &Silent), Err(IngestError::Output { .. })));
    assert!(folder.path("mine/thesis.doc").exists());
    assert_eq!(folder.names(), ["a.txt", "mine", "out"]);
}

#[test]
fn what_a_killed_ingest_left_is_cleared_but_foreign_folders_are_not() {
    let folder = Folder::new();
    folder.write("a.txt", "one\n");
    let plan = train_only(plan(&folder, "a.txt", TokenizerChoice::Byte));
    fs::create_dir(folder.path("out.tmp")).unwrap();
    folder.write("out.tmp/train-00000.arrow", "half");
    let message = ingest_sequences(&plan, &Silent).unwrap_err().to_string();
    assert!(message.contains("out.tmp"), "{message}");
    folder.write("out.tmp/.genesis-ingest", "");
    ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(folder.names(), ["a.txt", "out"]);
}

#[test]
fn generated_molecules_make_a_dataset_without_any_input() {
    let folder = Folder::new();
    let generate = GenerateSequences::Molecules { count: 1000, seed: 4 };
    let plan = SequencesIngest::of_generated(generate, folder.path("out"));
    let card = ingest_sequences(&plan, &Silent).unwrap().card;
    let documents = card.part.splits.train.documents + card.part.splits.validation.documents;
    assert_eq!(documents + card.duplicates_dropped, 1000);
    assert!(card.part.splits.validation.documents > 0 && card.part.tokenizer.vocab_size < 40);
    assert_eq!(card.sources[0].path, "generated:molecules");
}

#[test]
fn the_plan_is_a_config_table_that_rejects_unknown_keys() {
    let plan: SequencesIngest = serde_json::from_str(
        r#"{"inputs": ["a"], "tokenizer": {"train_bpe": {"vocab_size": 512}},
            "documents": {"pieces": {"min_bytes": 9}}, "format": "text"}"#,
    )
    .unwrap();
    assert_eq!(plan.tokenizer, TokenizerChoice::TrainBpe { vocab_size: 512 });
    assert_eq!(plan.documents, DocumentRule::Pieces { min_bytes: 9 });
    assert_eq!(plan.format, FormatChoice::named("text").unwrap());
    let again: SequencesIngest =
        serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
    let wrong = r#"{"inputs": ["a"], "tokenizer": "byte", "tokeniser": "byte"}"#;
    assert!(serde_json::from_str::<SequencesIngest>(wrong).is_err());
}

#[test]
fn a_saved_dataset_gives_its_tokenizer_back() {
    let folder = Folder::new();
    folder.write("a.txt", "the cat and the hat and the cat\n");
    let plan = train_only(plan(&folder, "a.txt", TokenizerChoice::TrainBpe { vocab_size: 300 }));
    ingest_sequences(&plan, &Silent).unwrap();
    let again = SequencesIngest {
        tokenizer: TokenizerChoice::File(plan.output.clone()),
        output: folder.path("second"),
        ..plan.clone()
    };
    ingest_sequences(&again, &Silent).unwrap();
    assert_eq!(texts(&again.output, Split::Train), texts(&plan.output, Split::Train));
}

#[test]
fn an_option_that_no_input_takes_is_refused_with_its_name_and_what_takes_it() {
    let folder = Folder::new();
    folder.write("a.fasta", ">a\nACGT\n");
    folder.write("b.csv", "text\nACGT\n");
    let of = |file: &str| {
        SequencesIngest::new(vec![folder.path(file)], TokenizerChoice::Byte, folder.path("out"))
    };
    let column = Some("text".to_owned());
    let generate = GenerateSequences::Molecules { count: 4, seed: 0 };
    let made = SequencesIngest::of_generated(generate, folder.path("out"));
    let format = FormatChoice::named("extxyz").unwrap();
    let cases = [
        (SequencesIngest { column: column.clone(), ..of("a.fasta") }, "column: it is given", "csv"),
        (SequencesIngest { documents: DocumentRule::Line, ..of("b.csv") }, "documents: it", "text"),
        (SequencesIngest { column, ..made.clone() }, "column: it is given", "generated"),
        (SequencesIngest { format, ..made }, "format: it is given", "makes the data itself"),
        (SequencesIngest { format, ..of("a.fasta") }, "extxyz files hold no documents", "fasta"),
    ];
    for (plan, named, way) in cases {
        let message = ingest_sequences(&plan, &Silent).unwrap_err().to_string();
        assert!(message.contains(named) && message.contains(way), "{message}");
    }
    let tokens = vec![folder.path("a.fasta"), folder.path("b.csv")];
    let mixed = SequencesIngest { inputs: tokens, column: Some("text".into()), ..of("a.fasta") };
    let mixed = SequencesIngest { validation_fraction: 0.0, keep_duplicates: true, ..mixed };
    assert_eq!(ingest_sequences(&mixed, &Silent).unwrap().card.part.splits.train.documents, 2);
}
