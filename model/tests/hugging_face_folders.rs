//! Names, shapes and configurations as transformers writes them, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "functions of a test, where a panic is the report"
)]

mod support;

use genesis_model::{
    TransformerConfig,
    hugging_face::{
        Canonical, Preserved, TokenIds, canonical_name, config_from_json, config_to_json,
    },
    specs,
    transformer::{Rotary, RotaryScaling},
};
use serde_json::{Value, json};
use support::{ESM2, FAMILIES, GPT2, LLAMA, config};

/// One line a parameter, of a model with a single block.
fn snapshot(table: &str) -> String {
    let mut config = config(table);
    config.num_layers = 1;
    let line = |spec: &genesis_model::ParamSpec| format!("{} {:?}\n", spec.name, spec.shape);
    specs(&config).iter().map(line).collect()
}

#[test]
fn parameter_names_and_shapes_are_those_of_transformers() {
    assert_eq!(snapshot(GPT2), include_str!("names/gpt2.txt"));
    assert_eq!(snapshot(LLAMA), include_str!("names/llama.txt"));
    assert_eq!(snapshot(ESM2), include_str!("names/esm2.txt"));
}

#[test]
fn untied_heads_and_dropped_biases_change_the_list() {
    let untied = snapshot(&format!("{ESM2}tied_head = false\n"));
    assert!(untied.ends_with("lm_head.bias [11]\nlm_head.decoder.weight [11, 8]\n"), "{untied}");
    let untied = snapshot(&format!("{GPT2}tied_head = false\n"));
    assert!(untied.ends_with("lm_head.weight [11, 8]\n"), "{untied}");
    let tied = snapshot(&LLAMA.replace("bias = true", "bias = false"));
    assert!(!tied.contains("bias"), "{tied}");
}

#[test]
fn old_and_headless_names_find_their_parameter() {
    let parameter = |name: &str| Canonical::Parameter(name.into());
    for (table, file, want) in [
        (GPT2, "h.1.attn.c_attn.weight", "transformer.h.1.attn.c_attn.weight"),
        (GPT2, "transformer.wpe.weight", "transformer.wpe.weight"),
        (LLAMA, "layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.gate_proj.weight"),
        (ESM2, "esm.encoder.layer.0.LayerNorm.gamma", "esm.encoder.layer.0.LayerNorm.weight"),
        (
            ESM2,
            "encoder.layer.1.attention.LayerNorm.beta",
            "esm.encoder.layer.1.attention.LayerNorm.bias",
        ),
    ] {
        assert_eq!(canonical_name(&config(table), file), parameter(want), "{file}");
    }
}

#[test]
fn tensors_outside_the_network_are_copies_kept_or_unknown() {
    let gpt2 = config(GPT2);
    let copy = Canonical::TiedCopy("transformer.wte.weight".into());
    assert_eq!(canonical_name(&gpt2, "lm_head.weight"), copy);
    assert_eq!(canonical_name(&gpt2, "h.0.attn.masked_bias"), Canonical::Preserved);
    assert_eq!(canonical_name(&gpt2, "transformer.h.11.attn.bias"), Canonical::Preserved);
    assert_eq!(canonical_name(&gpt2, "transformer.h.9.ln_1.weight"), Canonical::Unknown);
    assert_eq!(canonical_name(&gpt2, "score.weight"), Canonical::Unknown);

    let esm2 = config(ESM2);
    for kept in [
        "esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq",
        "esm.encoder.layer.3.attention.self.rotary_embeddings.inv_freq",
        "esm.rotary_embeddings.inv_freq",
        "esm.contact_head.regression.weight",
        "esm.embeddings.position_ids",
        "esm.embeddings.position_embeddings.weight",
    ] {
        assert_eq!(canonical_name(&esm2, kept), Canonical::Preserved, "{kept}");
    }
    let bias = Canonical::TiedCopy("lm_head.bias".into());
    assert_eq!(canonical_name(&esm2, "lm_head.decoder.bias"), bias);

    let llama = config(LLAMA);
    assert_eq!(
        canonical_name(&llama, "model.layers.0.self_attn.rotary_emb.inv_freq"),
        Canonical::Preserved
    );
    assert_eq!(
        canonical_name(&llama, "lm_head.weight"),
        Canonical::Parameter("lm_head.weight".into())
    );
}

#[test]
fn recorded_names_lead_back_to_the_file() {
    let config = config(ESM2);
    let mut names: Vec<String> = specs(&config).iter().map(|spec| spec.name.clone()).collect();
    let norm = names.iter().position(|n| n == "esm.encoder.layer.0.LayerNorm.weight").unwrap();
    names[norm] = "esm.encoder.layer.0.LayerNorm.gamma".into();
    names.push("esm.contact_head.regression.bias".into());
    names.push("lm_head.decoder.weight".into());
    let mut preserved = Preserved::default();
    preserved.record_names(&config, names.iter().map(String::as_str)).unwrap();
    assert_eq!(preserved.file_name("esm.encoder.layer.0.LayerNorm.weight"), names[norm]);
    assert_eq!(preserved.tensors, ["esm.contact_head.regression.bias"]);
    assert_eq!(
        preserved.tied_copies["lm_head.decoder.weight"],
        "esm.embeddings.word_embeddings.weight"
    );
    let json = serde_json::to_string(&preserved).unwrap();
    assert_eq!(serde_json::from_str::<Preserved>(&json).unwrap(), preserved);
}

#[test]
fn wrong_tensor_names_are_listed_all_at_once() {
    let config = config(GPT2);
    let names = specs(&config);
    let names = names.iter().map(|spec| spec.name.as_str()).filter(|n| !n.contains("ln_f.bias"));
    let problems = Preserved::default()
        .record_names(&config, names.chain(["wte.weight", "score.weight"]))
        .unwrap_err()
        .problems;
    assert_eq!(
        problems,
        [
            "`wte.weight` and `transformer.wte.weight` are both `transformer.wte.weight`",
            "tensor `score.weight` does not belong to a Gpt2 language model",
            "tensor `transformer.ln_f.bias` is missing",
        ]
    );
}

fn import(json: &Value) -> TransformerConfig {
    config_from_json(json).unwrap().0
}

#[test]
fn a_config_written_here_is_read_back_the_same() {
    let ids = TokenIds { bos: Some(0), eos: Some(2), pad: Some(1) };
    let scaled = format!(
        "{LLAMA}rotary_scaling = {{ kind = 'llama3', factor = 8.0, low_frequency_factor = 1.0, \
         high_frequency_factor = 4.0, original_context = 64 }}\n"
    );
    for table in [GPT2, LLAMA, ESM2, &scaled] {
        let config = config(table);
        let mut got = import(&config_to_json(&config, &ids, None));
        // The padding token is stated for every family; only esm2 has a place for it in `[model]`.
        assert_eq!(got.pad_token, Some(1));
        got.pad_token = config.pad_token;
        assert_eq!(got, config);
    }
}

#[test]
fn an_imported_config_is_exported_unchanged_with_its_unknown_keys() {
    for (family, table) in FAMILIES {
        let mut json = config_to_json(&config(table), &TokenIds::default(), None);
        json["house_key"] = json!({"nested": [1, 2.5, null]});
        let (config, preserved) = config_from_json(&json).unwrap();
        let ids = TokenIds::default();
        assert_eq!(config_to_json(&config, &ids, Some(&preserved)), json, "{family}");
        let frequencies = config.clone().with_stored_frequencies(Some(vec![1.0; 3]));
        assert_eq!(config_to_json(&frequencies, &ids, Some(&preserved)), json, "{family}");
        let changed = TransformerConfig { norm_epsilon: 1e-3, ..config.clone() };
        let exported = config_to_json(&changed, &ids, Some(&preserved));
        assert_eq!(exported["house_key"], json["house_key"]);
        assert_eq!(import(&exported), changed);
    }
}

#[test]
fn both_spellings_of_rotary_settings_are_read() {
    let plain = json!({"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4});
    assert_eq!(import(&plain).rotary, Some(Rotary::new(10_000.0)));
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64});
    let mut old = plain.clone();
    old["rope_theta"] = json!(5e5);
    old["rope_scaling"] = scaling.clone();
    let mut new = plain.clone();
    new["rope_parameters"] = scaling;
    new["rope_parameters"]["rope_theta"] = json!(5e5);
    let rotary = import(&old).rotary.unwrap();
    assert!((rotary.base - 5e5).abs() < 1e-9);
    assert!(matches!(rotary.scaling, RotaryScaling::Llama3 { original_context: 64, .. }));
    assert_eq!(import(&new).rotary.unwrap(), rotary);
    let mut oldest = plain;
    oldest["rope_scaling"] = json!({"type": "default"});
    assert_eq!(import(&oldest).rotary, Some(Rotary::new(10_000.0)));
}

#[test]
fn unsupported_options_are_named_with_what_is_supported() {
    for (json, parts) in [
        (json!({"model_type": "mistral"}), &["`model_type` = \"mistral\"", "gpt2, llama, esm"][..]),
        (
            json!({"model_type": "gpt2", "activation_function": "relu",
                "scale_attn_by_inverse_layer_idx": true, "reorder_and_upcast_attn": true,
                "scale_attn_weights": false, "add_cross_attention": true}),
            &[
                "`activation_function` = \"relu\" is not supported; supported: gelu_new",
                "`scale_attn_by_inverse_layer_idx` = true is not supported; only false",
                "`reorder_and_upcast_attn` = true",
                "`scale_attn_weights` = false",
                "`add_cross_attention` = true",
            ],
        ),
        (
            json!({"model_type": "llama", "hidden_act": "gelu", "quantization_config": {},
                "rope_scaling": {"rope_type": "yarn"}, "partial_rotary_factor": 0.5}),
            &[
                "`hidden_act` = \"gelu\" is not supported; supported: silu",
                "`quantization_config` is not supported",
                "rope_scaling: `rope_type` = \"yarn\" is not supported; supported: default, llama3",
                "`partial_rotary_factor` = 0.5",
            ],
        ),
        (
            json!({"model_type": "esm", "is_decoder": true, "hidden_size": "wide"}),
            &[
                "`position_embedding_type` = \"absolute\" is not supported; supported: rotary",
                "`vocab_size` is missing",
                "`is_decoder` = true",
                "`hidden_size` = \"wide\" must be a whole number",
            ],
        ),
        (json!([1]), &["not an object"]),
        (json!({"model_type": "gpt2", "n_head": 0}), &["num_heads = 0"]),
    ] {
        let error = config_from_json(&json).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part} not in {error}");
        }
    }
}

#[test]
fn attention_dropout_is_noted_and_not_silently_lost() {
    let json = json!({"model_type": "gpt2"});
    let (_, preserved) = config_from_json(&json).unwrap();
    assert_eq!(preserved.notes.len(), 1);
    assert!(preserved.notes[0].starts_with("`attn_pdrop` = 0.1 is kept for export"));
}
