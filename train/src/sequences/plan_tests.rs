//! A run file joined with a dataset card: what fits, what does not, what it costs.

use std::fs;

use genesis_data::sequences::SequencesCard;

use super::settings::SequencesData;
use super::*;
use crate::keys::RunFile;
use crate::trainer::save_plan;

/// A card of 10 training documents of 100 tokens each, with or without a mask token.
fn card(kind: &str, mask: Option<u32>) -> SequencesCard {
    let split = |documents: u64| {
        serde_json::json!({
            "documents": documents, "tokens": documents * 100, "source_bytes": documents * 100,
            "longest": 100, "token_counts": vec![0; 33], "length_histogram": {"100": documents},
        })
    };
    serde_json::from_value(serde_json::json!({
        "schema_version": 1, "name": "x", "description": "", "token_type": "u8",
        "tokenizer": {
            "kind": kind, "vocab_size": 33, "bos": 0, "eos": 2, "pad": 1, "mask": mask,
            "unknown": 3, "special": [], "standard": [],
        },
        "splits": {"train": split(10), "validation": split(1)},
        "split_rule": {"hash": "x", "validation_fraction": 0.1},
        "rejects": {"reasons": {}, "listed": 0}, "duplicates_dropped": 0, "sources": [],
        "options": {}, "licence": null, "classification": null, "code_version": "0", "files": [],
        "shards": [],
    }))
    .unwrap()
}

fn config(model: &str, objective: &str) -> SequencesConfig {
    let text = format!(
        "[run]\ndir = 'x'\nthreads = 3\n[data]\ndataset = 'd'\n[model]\n{model}\ncontext = 50\n\
         num_layers = 2\nnum_heads = 4\nwidth = 32\n[objective]\n{objective}\n[batch]\n\
         sequences = 4\naccumulation = 2\n[schedule]\nsteps = 10\npeak_rate = 1e-3\n\
         decay = {{ kind = 'none' }}\n"
    );
    RunFile::parse("x.toml", &text, &[]).unwrap().check(&|_| None).unwrap()
}

const LLAMA: &str = "kind = 'llama'\nnum_key_heads = 2\nfeed_forward_width = 64";
const CAUSAL: &str = "kind = 'causal'\ncontext = 50";
const MASKED: &str = "kind = 'masked'\ncontext = 40";

#[test]
fn a_causal_plan_has_the_counts_of_its_shapes() {
    let plan = resolve_card(config(LLAMA, CAUSAL), &card("byte", None), "digest").unwrap();
    // Embedding and head 2*33*32; a layer: q, o 2*32*32, k, v 2*32*16, three of 32*64, two norms.
    let layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32;
    assert_eq!(plan.num_parameters, 2 * 33 * 32 + 2 * layer + 32);
    assert_eq!((plan.tokens_per_step, plan.steps, plan.threads), (200, 10, 3));
    let cost = estimate(&plan, &card("byte", None).part.splits.train, Some(1e9));
    assert_eq!(cost.num_embedding_parameters, 33 * 32);
    assert_eq!(cost.weights_bytes, 4 * plan.num_parameters);
    assert_eq!((cost.total_tokens, cost.checkpoint_bytes), (2000, 3 * cost.weights_bytes));
    // 40 sequences of 50 tokens from 1000 tokens.
    assert!((cost.epochs - 2.0).abs() < 1e-12);
    // A slice holds 100 tokens; q 32, k 16 wide; 4 heads; three inner widths of 64.
    let floats = 2 * (6 * 32 + 3 * 32 + 3 * 16 + 4 + 3 * 64) + 4 * 32;
    assert_eq!(cost.activations_bytes, 4 * 100 * floats);
    assert!((cost.seconds.unwrap() - cost.flops_per_token * 2000.0 / 1e9).abs() < 1e-9);
}

#[test]
fn a_masked_plan_takes_its_special_tokens_from_the_dataset() {
    let config = config("kind = 'esm2'", MASKED);
    let plan = resolve_card(config, &card("amino_acid", Some(32)), "digest").unwrap();
    assert_eq!((plan.model.mask_token, plan.model.pad_token), (Some(32), Some(1)));
    assert_eq!(plan.tokens_per_step, 4 * 40);
}

#[test]
fn what_does_not_fit_is_reported_all_at_once() {
    let clash = resolve_card(config(LLAMA, MASKED), &card("byte", None), "d").unwrap_err();
    let text = clash.to_string();
    assert!(text.contains("is \"masked\", but this kind of model is causal"), "{text}");
    assert!(text.contains("(`byte`) has no mask token"), "{text}");
    let long = config(LLAMA, "kind = 'causal'\ncontext = 51");
    let text = resolve_card(long, &card("byte", None), "d").unwrap_err().to_string();
    assert!(text.contains("`objective.context`: is 51, but `model.context` is 50"), "{text}");
    let uneven = config("kind = 'llama'\nnum_key_heads = 3", CAUSAL);
    let text = resolve_card(uneven, &card("byte", None), "d").unwrap_err().to_string();
    assert!(text.contains("multiple of num_key_heads = 3"), "{text}");
}

#[test]
fn a_saved_plan_is_a_run_file_that_gives_the_same_plan() {
    let card = card("byte", None);
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(LLAMA, CAUSAL);
    config.run.dir = folder.path().to_path_buf();
    let plan = resolve_card(config, &card, "digest").unwrap();
    let path = save_plan(&plan).unwrap();
    let written = RunFile::read(&path, &[]).unwrap().check(&|_| None).unwrap();
    let again = resolve_card(written, &card, "digest").unwrap();
    assert_eq!(again.config, plan.config);
    assert_eq!(again.model, plan.model);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with("# Model: llama, 2 layers"), "{text}");
    assert!(text.contains("# Dataset digest: digest"), "{text}");
}

#[test]
fn data_made_by_the_run_lies_in_its_folder() {
    let mut config = config(LLAMA, CAUSAL);
    assert_eq!(config.data.ingest_plan(&config.run.dir), None);
    let generate = genesis_data::sequences::GenerateSequences::Molecules { count: 5, seed: 1 };
    config.data = SequencesData { generate: Some(generate), ..SequencesData::default() };
    let plan = config.data.ingest_plan(&config.run.dir).unwrap();
    assert_eq!(plan.output, std::path::Path::new("x/dataset"));
    assert_eq!(config.data.folder(&config.run.dir), plan.output);
}
