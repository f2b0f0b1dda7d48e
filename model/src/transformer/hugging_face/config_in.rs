//! From `config.json` to a [`TransformerConfig`]; what cannot be reproduced is refused by name.
//!
//! Defaults of absent keys are those of the configuration classes of transformers 5.

use serde_json::{Map, Value};

use super::{
    super::{Activation, Family, Rotary, RotaryScaling, TransformerConfig},
    Preserved,
    reader::Reader,
};
use crate::ConfigProblems;

/// Translates the content of a `config.json`.
///
/// Both spellings of rotary settings are read: `rope_theta` with `rope_scaling`, and
/// `rope_parameters`. Keys that do not change the network are kept in [`Preserved::config`].
///
/// # Errors
/// [`ConfigProblems`] naming every unsupported, missing or malformed key with what is supported.
pub fn config_from_json(json: &Value) -> Result<(TransformerConfig, Preserved), ConfigProblems> {
    let Some(object) = json.as_object() else {
        return Err(ConfigProblems { problems: vec!["config.json is not an object".into()] });
    };
    let mut reader = Reader::new(object);
    let families = [("gpt2", Family::Gpt2), ("llama", Family::Llama), ("esm", Family::Esm2)];
    let family = reader.choice("model_type", "", &families);
    if !reader.problems.is_empty() {
        return Err(ConfigProblems { problems: reader.problems });
    }
    let mut notes = Vec::new();
    let config = match family {
        Family::Gpt2 => gpt2(&mut reader, &mut notes),
        Family::Llama => llama(&mut reader, &mut notes),
        Family::Esm2 => esm2(&mut reader, &mut notes),
    };
    refuse_for_all(&mut reader);
    let mut problems = reader.problems;
    if problems.is_empty() {
        problems.extend(config.validate().err().into_iter().flat_map(|e| e.problems));
    }
    ConfigProblems::check(problems)?;
    Ok((config, Preserved { config: json.clone(), notes, ..Preserved::default() }))
}

fn refuse_for_all(reader: &mut Reader<'_>) {
    for key in ["is_encoder_decoder", "add_cross_attention", "is_decoder"] {
        reader.require_flag(key, false);
    }
    if reader.get("quantization_config").is_some() {
        reader.problems.push(
            "`quantization_config` is not supported; convert the weights to f32, f16 or bf16"
                .into(),
        );
    }
}

/// The fused attention has no dropout of probabilities, which matters for further training only.
fn note_attention_dropout(
    reader: &mut Reader<'_>,
    key: &str,
    default: f64,
    notes: &mut Vec<String>,
) {
    let rate = reader.number(key, default);
    if rate > 0.0 {
        notes.push(format!(
            "`{key}` = {rate} is kept for export but not applied: attention probabilities are \
             never dropped in training here"
        ));
    }
}

fn gpt2(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> TransformerConfig {
    reader.require_flag("scale_attn_weights", true);
    reader.require_flag("scale_attn_by_inverse_layer_idx", false);
    reader.require_flag("reorder_and_upcast_attn", false);
    note_attention_dropout(reader, "attn_pdrop", 0.1, notes);
    let (width, num_heads) = (reader.size("n_embd", 768), reader.size("n_head", 12));
    TransformerConfig {
        family: Family::Gpt2,
        vocab_size: reader.size("vocab_size", 50257),
        context: reader.size("n_positions", 1024),
        num_layers: reader.size("n_layer", 12),
        num_heads,
        num_key_heads: num_heads,
        head_width: width.checked_div(num_heads).unwrap_or(0),
        width,
        feed_forward_width: reader.size("n_inner", width.saturating_mul(4)),
        activation: reader.choice(
            "activation_function",
            "gelu_new",
            &[
                ("gelu_new", Activation::GeluNew),
                ("gelu_pytorch_tanh", Activation::GeluPytorchTanh),
                ("gelu", Activation::Gelu),
            ],
        ),
        norm_epsilon: reader.number("layer_norm_epsilon", 1e-5),
        rotary: None,
        attention_bias: true,
        feed_forward_bias: true,
        tied_head: reader.flag("tie_word_embeddings", true),
        bidirectional: false,
        embedding_norm: false,
        token_dropout: false,
        mask_token: None,
        pad_token: reader.token("pad_token_id"),
        dropout: reader.number("resid_pdrop", 0.1),
        embedding_dropout: reader.number("embd_pdrop", 0.1),
        initialiser_std: reader.number("initializer_range", 0.02),
    }
}

fn llama(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> TransformerConfig {
    reader.choice("hidden_act", "silu", &[("silu", ()), ("swish", ())]);
    note_attention_dropout(reader, "attention_dropout", 0.0, notes);
    let (width, num_heads) =
        (reader.size("hidden_size", 4096), reader.size("num_attention_heads", 32));
    let context = reader.size("max_position_embeddings", 2048);
    TransformerConfig {
        family: Family::Llama,
        vocab_size: reader.size("vocab_size", 32000),
        context,
        num_layers: reader.size("num_hidden_layers", 32),
        num_heads,
        num_key_heads: reader.size("num_key_value_heads", num_heads),
        head_width: reader.size("head_dim", width.checked_div(num_heads).unwrap_or(0)),
        width,
        feed_forward_width: reader.size("intermediate_size", 11008),
        activation: Activation::Swiglu,
        norm_epsilon: reader.number("rms_norm_eps", 1e-6),
        rotary: Some(llama_rotary(reader, context)),
        attention_bias: reader.flag("attention_bias", false),
        feed_forward_bias: reader.flag("mlp_bias", false),
        tied_head: reader.flag("tie_word_embeddings", false),
        bidirectional: false,
        embedding_norm: false,
        token_dropout: false,
        mask_token: None,
        pad_token: reader.token("pad_token_id"),
        dropout: 0.0,
        embedding_dropout: 0.0,
        initialiser_std: reader.number("initializer_range", 0.02),
    }
}

fn esm2(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> TransformerConfig {
    // The default of transformers is "absolute", so an absent key is refused as well.
    reader.choice("position_embedding_type", "absolute", &[("rotary", ())]);
    reader.require_flag("is_folding_model", false);
    note_attention_dropout(reader, "attention_probs_dropout_prob", 0.1, notes);
    let (width, num_heads) =
        (reader.size("hidden_size", 768), reader.size("num_attention_heads", 12));
    TransformerConfig {
        family: Family::Esm2,
        vocab_size: reader.required_size("vocab_size"),
        context: reader.size("max_position_embeddings", 1026),
        num_layers: reader.size("num_hidden_layers", 12),
        num_heads,
        num_key_heads: num_heads,
        head_width: width.checked_div(num_heads).unwrap_or(0),
        width,
        feed_forward_width: reader.size("intermediate_size", 3072),
        activation: Activation::Gelu,
        norm_epsilon: reader.number("layer_norm_eps", 1e-12),
        rotary: Some(Rotary::new(reader.number("rope_theta", 10_000.0))),
        attention_bias: true,
        feed_forward_bias: true,
        tied_head: reader.flag("tie_word_embeddings", true),
        bidirectional: false,
        embedding_norm: reader.flag("emb_layer_norm_before", false),
        token_dropout: reader.flag("token_dropout", false),
        mask_token: reader.token("mask_token_id"),
        pad_token: reader.token("pad_token_id"),
        dropout: reader.number("hidden_dropout_prob", 0.1),
        embedding_dropout: 0.0,
        initialiser_std: reader.number("initializer_range", 0.02),
    }
}

/// `rope_scaling` wins over `rope_parameters`, and a base inside over one outside, as in
/// transformers 5.
fn llama_rotary(reader: &mut Reader<'_>, context: usize) -> Rotary {
    let outer_base = reader.number("rope_theta", 10_000.0);
    let empty = Map::new();
    let (key, value) = match (reader.get("rope_scaling"), reader.get("rope_parameters")) {
        (Some(value), _) => ("rope_scaling", value),
        (None, Some(value)) => ("rope_parameters", value),
        (None, None) => return Rotary::new(outer_base),
    };
    let object = value.as_object().unwrap_or_else(|| {
        reader.problems.push(format!("`{key}` = {value} must be an object"));
        &empty
    });
    let mut inner = Reader::new(object);
    let base = inner.number("rope_theta", outer_base);
    let scaling = llama_scaling(&mut inner, context);
    refuse_partial_rotation(&mut inner);
    reader.problems.extend(inner.problems.into_iter().map(|problem| format!("{key}: {problem}")));
    refuse_partial_rotation(reader);
    Rotary { scaling, ..Rotary::new(base) }
}

fn llama_scaling(rope: &mut Reader<'_>, context: usize) -> RotaryScaling {
    // Files older than `rope_type` call it `type`.
    let key = if rope.get("rope_type").is_some() { "rope_type" } else { "type" };
    if !rope.choice(key, "default", &[("default", false), ("llama3", true)]) {
        return RotaryScaling::None {};
    }
    for key in ["factor", "low_freq_factor", "high_freq_factor"] {
        if rope.get(key).is_none() {
            rope.problems.push(format!("`{key}` is missing, llama3 scaling needs it"));
        }
    }
    RotaryScaling::Llama3 {
        factor: rope.number("factor", 1.0),
        low_frequency_factor: rope.number("low_freq_factor", 1.0),
        high_frequency_factor: rope.number("high_freq_factor", 4.0),
        original_context: rope.size("original_max_position_embeddings", context),
    }
}

fn refuse_partial_rotation(reader: &mut Reader<'_>) {
    let share = reader.number("partial_rotary_factor", 1.0);
    if (share - 1.0).abs() > 0.0 {
        reader.problems.push(format!(
            "`partial_rotary_factor` = {share} is not supported; only 1, the whole head is rotated"
        ));
    }
}
