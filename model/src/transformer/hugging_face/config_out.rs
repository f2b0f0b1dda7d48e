//! From a [`TransformerConfig`] to the `config.json` that transformers 4 and 5 read.

use serde_json::{Map, Value, json};

use super::{
    super::{Activation, Family, Rotary, RotaryScaling, TransformerConfig},
    Preserved, config_from_json,
};

/// Ids of special tokens to state in the configuration; absent ones are written as `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenIds {
    /// Begins a sequence.
    pub bos: Option<u32>,
    /// Ends a sequence.
    pub eos: Option<u32>,
    /// Fills a batch.
    pub pad: Option<u32>,
}

/// The content of `config.json`.
///
/// Of an imported model the original object comes back unchanged as long as the network is the
/// same; otherwise the keys that describe the network are replaced in it. A model trained here
/// gets a complete new object, with rotary settings in both spellings.
pub fn config_to_json(
    config: &TransformerConfig,
    ids: &TokenIds,
    preserved: Option<&Preserved>,
) -> Value {
    let described = describe(config);
    let original = preserved.map(|preserved| &preserved.config).and_then(Value::as_object);
    let Some(original) = original else {
        return Value::Object(complete(described, config, ids));
    };
    let plain = config.clone().with_stored_frequencies(None);
    let same = config_from_json(&Value::Object(original.clone()))
        .is_ok_and(|(imported, _)| imported == plain);
    let mut object = original.clone();
    if !same {
        object.extend(described);
    }
    Value::Object(object)
}

/// The keys that fix the network.
fn describe(config: &TransformerConfig) -> Map<String, Value> {
    let described = match config.family {
        Family::Gpt2 => gpt2(config),
        Family::Llama => llama(config),
        Family::Esm2 => esm2(config),
    };
    match described {
        Value::Object(object) => object,
        other => unreachable!("json! of an object made {other}"),
    }
}

fn complete(
    described: Map<String, Value>,
    config: &TransformerConfig,
    ids: &TokenIds,
) -> Map<String, Value> {
    let (architecture, attention_dropout) = match config.family {
        Family::Gpt2 => ("GPT2LMHeadModel", "attn_pdrop"),
        Family::Llama => ("LlamaForCausalLM", "attention_dropout"),
        Family::Esm2 => ("EsmForMaskedLM", "attention_probs_dropout_prob"),
    };
    let mut object = Map::new();
    object.insert("architectures".into(), json!([architecture]));
    object.extend(described);
    // Else transformers would assume its own defaults, which differ from how this was trained.
    object.insert(attention_dropout.into(), json!(0.0));
    object.insert("bos_token_id".into(), json!(ids.bos));
    object.insert("eos_token_id".into(), json!(ids.eos));
    object.insert("pad_token_id".into(), json!(ids.pad.or(config.pad_token)));
    object.insert("use_cache".into(), json!(config.causal()));
    object.insert("torch_dtype".into(), json!("float32"));
    object
}

fn gpt2(config: &TransformerConfig) -> Value {
    json!({
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.feed_forward_width,
        "activation_function": match config.activation {
            Activation::Gelu => "gelu",
            Activation::GeluPytorchTanh => "gelu_pytorch_tanh",
            Activation::GeluNew | Activation::Swiglu => "gelu_new",
        },
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.embedding_dropout,
        "layer_norm_epsilon": config.norm_epsilon,
        "initializer_range": config.initialiser_std,
        "scale_attn_weights": true,
        "scale_attn_by_inverse_layer_idx": false,
        "reorder_and_upcast_attn": false,
        "tie_word_embeddings": config.tied_head,
    })
}

fn llama(config: &TransformerConfig) -> Value {
    let rotary = config.rotary.clone().unwrap_or_else(|| Rotary::new(10_000.0));
    let mut parameters = match rotary.scaling {
        RotaryScaling::None {} => json!({"rope_type": "default"}),
        RotaryScaling::Llama3 {
            factor,
            low_frequency_factor,
            high_frequency_factor,
            original_context,
        } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_frequency_factor,
            "high_freq_factor": high_frequency_factor,
            "original_max_position_embeddings": original_context,
        }),
    };
    let scaled = rotary.scaling != RotaryScaling::None {};
    let old_spelling = if scaled { parameters.clone() } else { Value::Null };
    parameters["rope_theta"] = json!(rotary.base);
    json!({
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward_width,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_key_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_epsilon,
        "initializer_range": config.initialiser_std,
        "rope_theta": rotary.base,
        "rope_scaling": old_spelling,
        "rope_parameters": parameters,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.feed_forward_bias,
        "tie_word_embeddings": config.tied_head,
    })
}

fn esm2(config: &TransformerConfig) -> Value {
    json!({
        "model_type": "esm",
        "vocab_size": config.vocab_size,
        "mask_token_id": config.mask_token,
        "pad_token_id": config.pad_token,
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward_width,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "layer_norm_eps": config.norm_epsilon,
        "initializer_range": config.initialiser_std,
        "position_embedding_type": "rotary",
        "rope_theta": config.rotary.as_ref().map_or(10_000.0, |rotary| rotary.base),
        "emb_layer_norm_before": config.embedding_norm,
        "token_dropout": config.token_dropout,
        "hidden_dropout_prob": config.dropout,
        "is_folding_model": false,
        "tie_word_embeddings": config.tied_head,
    })
}
