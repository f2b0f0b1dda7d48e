//! The page of every key is that of the structs, and so is the list of keys that may change.

use std::path::Path;

use super::schema;
use crate::keys::{may_change, page};
use crate::sequences::SequencesConfig;
use crate::structures::StructuresConfig;

#[test]
fn the_page_of_every_key_is_what_the_structs_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/keys.md");
    let rewrite = "cargo run -p genesis -- plan --keys page > docs/reference/keys.md";
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == page(&schema()), "docs/reference/keys.md differs; rewrite it with: {rewrite}");
}

#[test]
fn no_key_of_the_page_is_without_a_meaning() {
    let page = page(&schema());
    assert!(!page.contains("| |\n") && !page.contains("|  |\n"), "a key without a comment");
    assert!(!page.contains("crate::") && !page.contains("[`"), "a link that only rustdoc follows");
}

#[test]
fn keys_that_may_change_on_resuming_are_those_that_say_so() {
    let of_every_run =
        ["run.dir", "run.threads", "run.device", "data", "schedule", "evaluation", "checkpoint"];
    let sequences = may_change::<SequencesConfig>();
    let structures = may_change::<StructuresConfig>();
    for key in of_every_run.into_iter().chain(["report"]) {
        assert!(sequences.iter().any(|it| it == key), "{key}: {sequences:?}");
        assert!(structures.iter().any(|it| it == key), "{key}: {structures:?}");
    }
    let own = |keys: &[String]| {
        let own = keys.iter().filter(|key| key.contains('.') && !key.starts_with("run."));
        own.cloned().collect::<Vec<_>>()
    };
    assert_eq!(own(&sequences), ["batch.accumulation"]);
    assert_eq!(own(&structures), ["batch.max_atoms", "batch.max_edges", "stage_two.rate"]);
}
