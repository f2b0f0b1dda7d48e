//! Tables and lists lose no row: what a first line is, quotes, delimiters, line ends, names.

use std::sync::Arc;

use crate::support::{Folder, texts};
use genesis_data::dataset::Split;
use genesis_data::ingest::{IngestError, Silent};
use genesis_data::sequences::ingest::Quotes;
use genesis_data::sequences::{
    SequencesIngest, SequencesSummary, TokenizerChoice, ingest_sequences,
};

fn plan(folder: &Folder, input: &str, tokenizer: TokenizerChoice) -> SequencesIngest {
    let plan = SequencesIngest::new(vec![folder.path(input)], tokenizer, folder.path("out"));
    SequencesIngest {
        validation_fraction: 0.0,
        max_reject_fraction: 0.9,
        keep_duplicates: true,
        overwrite: true,
        ..plan
    }
}

/// The documents of `text`, a file called `name`, and what was said of it.
fn read(name: &str, text: &str, change: impl Fn(SequencesIngest) -> SequencesIngest) -> Read {
    let folder = Folder::new();
    folder.write(name, text);
    let plan = change(plan(&folder, name, TokenizerChoice::Byte));
    let summary = ingest_sequences(&plan, &Silent)?;
    adds_up(&summary);
    Ok((texts(&plan.output, Split::Train), summary.notes))
}

type Read = Result<(Vec<String>, Vec<String>), IngestError>;

fn adds_up(summary: &SequencesSummary) {
    let counted = summary.counted;
    assert_eq!(counted.records, counted.kept + counted.rejected + counted.duplicates);
    let given: u64 = summary.card.sources.iter().map(|source| source.records).sum();
    assert_eq!(counted.records, given);
}

fn documents(name: &str, text: &str) -> Vec<String> {
    read(name, text, |plan| plan).unwrap().0
}

#[test]
fn a_table_without_a_header_line_is_asked_about_and_read_whole_when_it_is_said() {
    let rows = "CCO\nc1ccccc1\nCC(=O)O\n";
    for name in ["a.csv", "a.tsv"] {
        let error = read(name, rows, |plan| plan).unwrap_err().to_string();
        assert!(error.contains(":1") && error.contains("`CCO`"), "{error}");
        assert!(error.contains("`header` to false"), "{error}");
        let said = |header| move |plan| SequencesIngest { header: Some(header), ..plan };
        assert_eq!(read(name, rows, said(false)).unwrap().0, ["CCO", "c1ccccc1", "CC(=O)O"]);
        assert_eq!(read(name, rows, said(true)).unwrap().0, ["c1ccccc1", "CC(=O)O"]);
    }
    let two = "MKV,0.5\nLLA,0.7\n";
    let second =
        |plan| SequencesIngest { header: Some(false), column: Some("1".to_owned()), ..plan };
    assert_eq!(read("a.csv", two, second).unwrap().0, ["MKV", "LLA"]);
    let error = read("a.csv", two, |plan| SequencesIngest { header: Some(false), ..plan });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`column` to one of: 1, 2"), "{error}");
}

#[test]
fn usual_names_of_columns_are_known_and_the_choice_is_said() {
    let (texts, notes) = read("a.csv", "Entry,Canonical_SMILES\nx,CCO\n", |plan| plan).unwrap();
    assert_eq!(texts, ["CCO"]);
    assert!(notes[0].contains("a.csv") && notes[0].contains("`Canonical_SMILES`"), "{notes:?}");
    assert_eq!(documents("a.csv", "Protein\nMKV\n"), ["MKV"]);
    let error = read("a.csv", "text,sequence\na,b\n", |plan| plan).unwrap_err().to_string();
    assert!(error.contains("`text` and `sequence` could each be the text"), "{error}");
}

#[test]
fn quotes_are_text_in_tsv_and_enclose_fields_in_csv_unless_said_otherwise() {
    let tsv = "id\ttext\n1\t\"open\n2\t3\" tube\n3\t\"both\"\n";
    assert_eq!(documents("a.tsv", tsv), ["\"open", "3\" tube", "\"both\""]);
    let r = "\"id\"\t\"text\"\n\"1\"\t\"in\tquotes\"\n";
    let (texts, notes) = read("a.tsv", r, |plan| plan).unwrap();
    assert_eq!(texts, ["in\tquotes"]);
    assert!(notes.iter().any(|note| note.contains("stand in quotes")), "{notes:?}");
    let fields = |plan| SequencesIngest { quotes: Some(Quotes::Fields), ..plan };
    assert_eq!(read("a.tsv", "text\tn\n\"a\tb\"\t1\n", fields).unwrap().0, ["a\tb"]);
    let text = |plan| SequencesIngest { quotes: Some(Quotes::Text), ..plan };
    assert_eq!(read("a.csv", "text\n\"open\n\"x\"\n", text).unwrap().0, ["\"open", "\"x\""]);
}

#[test]
fn a_quote_that_would_swallow_rows_ends_the_ingest_with_its_line() {
    for (text, line) in [
        ("id,text\n1,a\n2,\"open\n3,b\n4,c\n", 3),
        ("id,text\n1,\"open\n2,b\n3,said \"so\" c\n", 2),
    ] {
        let error = read("a.csv", text, |plan| plan).unwrap_err().to_string();
        assert!(error.contains(&format!("a.csv:{line}: the quote")), "{error}");
        assert!(error.contains("fix: close it"), "{error}");
    }
    let folder = Folder::new();
    folder.write("a.csv", "id,text\n1,a\n2,\"b\"c\n3,d\n");
    let summary =
        ingest_sequences(&plan(&folder, "a.csv", TokenizerChoice::Byte), &Silent).unwrap();
    assert_eq!((summary.rejected[0].line, summary.rejected[0].reason.as_str()), (3, "quotes"));
    assert_eq!(summary.counted.kept, 2);
}

#[test]
fn spreadsheets_of_any_country_and_any_line_end_are_read() {
    let rows = ["id;text", "1;a,b", "2;\"c;d\""];
    for end in ["\n", "\r\n", "\r"] {
        let (texts, notes) = read("a.csv", &(rows.join(end) + end), |plan| plan).unwrap();
        assert_eq!(texts, ["a,b", "c;d"], "{end:?}");
        assert!(notes.iter().any(|note| note.contains("`;`")), "{notes:?}");
    }
    let stated = format!("\u{feff}sep=;\n{}\n", rows.join("\n"));
    assert_eq!(documents("a.csv", &stated), ["a,b", "c;d"]);
    assert_eq!(documents("a.csv", "\u{feff}text\r\nx\r\n\r\ny"), ["x", "y"]);
    assert_eq!(documents("a.txt", "one\rtwo\r").concat(), "one\rtwo\r");
}

#[test]
fn ragged_rows_are_counted_and_the_others_kept() {
    let folder = Folder::new();
    folder.write("a.tsv", "id\ttext\n1\ta\n2\n3\tb\tc\n4\td\n");
    let summary =
        ingest_sequences(&plan(&folder, "a.tsv", TokenizerChoice::Byte), &Silent).unwrap();
    adds_up(&summary);
    assert_eq!(texts(&folder.path("out"), Split::Train), ["a", "d"]);
    let lines: Vec<u64> = summary.rejected.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn lists_of_smiles_have_names_titles_tabs_and_extensions_that_are_no_part_of_a_molecule() {
    for list in [
        "CCO\tmol 1\nc1ccccc1 benzene\n\n[Na+] \n",
        "SMILES Name\nCCO mol0\nc1ccccc1 mol1\n[Na+] x\n",
        "smiles\tid\ty\r\nCCO\ta\t1\r\nc1ccccc1\tb\t2\r\n[Na+]\tc\t3\r\n",
        "# made by hand\nCCO |$;;$| ethanol\nc1ccccc1\n[Na+]\n",
    ] {
        for name in ["a.smi", "a.ism", "a.smiles"] {
            let folder = Folder::new();
            folder.write(name, list);
            let plan = plan(&folder, name, TokenizerChoice::Smiles);
            let summary = ingest_sequences(&plan, &Silent).unwrap();
            adds_up(&summary);
            assert_eq!(texts(&plan.output, Split::Train), ["CCO", "c1ccccc1", "[Na+]"], "{list}");
        }
    }
    let folder = Folder::new();
    folder.write("a.smi", "\tnameless\nCCO\n");
    let summary =
        ingest_sequences(&plan(&folder, "a.smi", TokenizerChoice::Smiles), &Silent).unwrap();
    assert_eq!((summary.rejected[0].line, summary.rejected[0].reason.as_str()), (1, "empty"));
}

#[test]
fn parquet_gives_the_same_documents_in_every_type_of_string_and_names_other_types() {
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, Int64Array, StringArray};
    let values = ["MKV", "LLA", "MKV"];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(values)),
        Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(BinaryArray::from_iter_values(values)),
    ];
    let folder = Folder::new();
    for column in columns {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3));
        let kind = column.data_type().to_string();
        folder.write_parquet("a.parquet", [("sequence", column), ("y", numbers)]);
        let plan = plan(&folder, "a.parquet", TokenizerChoice::AminoAcid);
        let summary = ingest_sequences(&plan, &Silent).unwrap();
        adds_up(&summary);
        assert_eq!(texts(&plan.output, Split::Train), values, "{kind}");
        let other = SequencesIngest { column: Some("y".to_owned()), ..plan.clone() };
        let error = ingest_sequences(&other, &Silent).unwrap_err().to_string();
        assert!(error.contains("`y` holds Int64") && error.contains("one of: sequence"), "{error}");
        let absent = SequencesIngest { column: Some("seq".to_owned()), ..plan };
        let error = ingest_sequences(&absent, &Silent).unwrap_err().to_string();
        assert!(error.contains("no column `seq`") && error.contains("one of: sequence"), "{error}");
    }
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3));
    folder.write_parquet("a.parquet", [("sequence", numbers)]);
    let plan = plan(&folder, "a.parquet", TokenizerChoice::AminoAcid);
    let error = ingest_sequences(&plan, &Silent).unwrap_err().to_string();
    assert!(error.contains("none of its columns holds text: sequence (Int64)"), "{error}");
}

#[test]
fn a_file_packed_otherwise_or_in_utf16_is_named_as_what_it_is() {
    for (name, bytes, named) in [
        ("a.fa.zst", &b"\x28\xB5\x2F\xFD..."[..], "zstd"),
        ("a.fasta", b"\xFD7zXZ\x00....", "xz"),
        ("a.csv.bz2", b"BZh91AY", "bzip2"),
        ("a.csv", b"\xFF\xFEt\0e\0", "UTF-16"),
    ] {
        let folder = Folder::new();
        folder.write_bytes(name, bytes);
        let error = ingest_sequences(&plan(&folder, name, TokenizerChoice::Byte), &Silent);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(named) && error.contains("fix:"), "{error}");
    }
}
