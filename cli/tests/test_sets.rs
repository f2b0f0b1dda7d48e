//! Sequences that a trained model is given later: a test set of its own, files with letters that are no residue.

mod support;

use support::Bench;

/// A run of a few steps on proteins with gaps as tokens, in `run`; `DATA` says where they are from.
const CONFIG: &str = r#"
run.dir = "run"
DATA
model = { kind = "esm2", context = 32, num_layers = 1, num_heads = 2, width = 8 }
objective = { kind = "masked", context = 32 }
batch = { sequences = 4 }
schedule = { steps = 2, peak_rate = 0.001, decay = { kind = "none" } }
"#;
const SOURCE: &str = r#"data.source = { inputs = ["a.fa"], tokenizer = "amino_acid", validation_fraction = 0.0, letters = { gaps = "keep" } }"#;
const TESTED: &str = ">x\nakla-dek*\n>y\nCKLA-DEK\n>z\nWWW-WWWWK\n";

/// Twenty proteins: a letter, then the same for all.
fn proteins() -> String {
    let protein = |text: String, it: char| text + &format!(">{it}\n{it}KLA-DEK\n");
    "ACDEFGHIKLMNPQRSTVWY".chars().fold(String::new(), protein)
}

fn trained(data: &str) -> Bench {
    let bench = Bench::new();
    bench.write("a.fa", proteins());
    bench.write("t.fa", TESTED);
    bench.write("g.jsonl", "{\"name\": \"q\", \"sequence\": \"AK-LA\"}\n");
    if data != SOURCE {
        let keep = ["--validation", "0", "--set", "letters.gaps=keep", "--out", "set"];
        let ingest = ["ingest", "a.fa", "--tokenizer", "amino-acid"];
        bench.succeed(&[&ingest[..], &keep].concat());
    }
    bench.write("run.toml", CONFIG.replace("DATA", data));
    bench.succeed(&["train", "run.toml"]);
    bench
}

#[test]
fn documents_of_a_test_set_that_were_trained_on_are_counted_and_other_rules_are_told() {
    let bench = trained(SOURCE);
    let ingest = ["ingest", "t.fa", "--tokenizer", "run", "--validation", "1"];
    bench.succeed(&[&ingest[..], &["--set", "letters.gaps=keep", "--out", "kept"]].concat());
    let said = bench.succeed(&["evaluate", "run", "--data", "kept"]);
    assert!(said.stdout.contains("2 of 3 documents are in the training data"), "{}", said.stdout);
    bench.succeed(&[&ingest[..], &["--out", "stripped"]].concat());
    let said = bench.succeed(&["evaluate", "run", "--data", "stripped", "--json"]);
    assert!(said.stdout.contains("\"documents_seen_in_training\":0"), "{}", said.stdout);
    assert!(
        said.stderr.contains("other rules") && said.stderr.contains("gaps kept"),
        "{}",
        said.stderr
    );
    bench.succeed(&["export", "run", "exported"]);
    let said = bench.succeed(&["evaluate", "exported", "--data", "kept"]);
    assert!(said.stderr.contains("trained on is not known"), "{}", said.stderr);
}

#[test]
fn letters_have_the_rules_of_the_run_and_are_a_question_when_its_dataset_is_gone() {
    let bench = trained(r#"data.dataset = "set""#);
    let embed = ["embed", "run", "g.jsonl", "--out", "e.parquet"];
    let read = |more: &[&str]| bench.succeed(&[&embed[..], more].concat()).stderr;
    assert!(read(&[]).contains("1 sequences, 5 tokens"), "gaps are tokens");
    assert!(read(&["--gaps", "strip"]).contains("1 sequences, 4 tokens"));
    std::fs::remove_dir_all(bench.path("set")).expect("the dataset");
    bench.fail(&embed, 3, &["it holds 1 gaps", "set", "--gaps"]);
    assert!(read(&["--gaps", "keep"]).contains("5 tokens"));
    bench.fail(&["score", "run", "g.jsonl", "--pseudo-likelihood"], 3, &["--gaps"]);
}
