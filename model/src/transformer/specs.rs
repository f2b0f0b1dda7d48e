//! Which parameters a transformer has: canonical names, shapes, first values.
//!
//! Names and shapes are those of the gradients transformers reports for `GPT2LMHeadModel`,
//! `LlamaForCausalLM` and `EsmForMaskedLM`. `Names` is the only place that spells them.

use std::sync::Arc;

use super::{Family, TransformerConfig};
use crate::params::{Init, ParamSpec};

/// The parameters of `config`, in the order of the forward pass.
///
/// # Initialisation
/// Weights are normal with standard deviation `initialiser_std`; in GPT-2 the two projections that
/// end a residual branch have it divided by `sqrt(2 * num_layers)`. Norm scales are ones, biases
/// zeros.
///
/// # Source
/// GPT-2: Radford et al. 2019, section 2.3. Llama and ESM-2: the initialisers of transformers.
pub fn specs(config: &TransformerConfig) -> Arc<[ParamSpec]> {
    let mut list = SpecList { config, specs: Vec::new() };
    list.embedding();
    for layer in 0..config.num_layers {
        list.block(layer);
    }
    list.head();
    list.specs.into()
}

/// Canonical names of one family's modules, without the final `.weight` or `.bias`.
pub(crate) struct Names;

impl Names {
    pub(crate) fn token_embedding(family: Family) -> &'static str {
        match family {
            Family::Gpt2 => "transformer.wte",
            Family::Llama => "model.embed_tokens",
            Family::Esm2 => "esm.embeddings.word_embeddings",
        }
    }

    /// GPT-2 only.
    pub(crate) const POSITION_EMBEDDING: &'static str = "transformer.wpe";
    /// ESM-2 only.
    pub(crate) const EMBEDDING_NORM: &'static str = "esm.embeddings.layer_norm";
    /// ESM-2 only.
    pub(crate) const HEAD_DENSE: &'static str = "lm_head.dense";
    /// ESM-2 only.
    pub(crate) const HEAD_NORM: &'static str = "lm_head.layer_norm";

    pub(crate) fn final_norm(family: Family) -> &'static str {
        match family {
            Family::Gpt2 => "transformer.ln_f",
            Family::Llama => "model.norm",
            Family::Esm2 => "esm.encoder.emb_layer_norm_after",
        }
    }

    /// Module of the last projection; its weight is a parameter only when the head is untied.
    pub(crate) fn decoder(family: Family) -> &'static str {
        match family {
            Family::Gpt2 | Family::Llama => "lm_head",
            Family::Esm2 => "lm_head.decoder",
        }
    }

    /// Module whose `bias` is added to the logits: ESM-2 only.
    pub(crate) const LOGIT_BIAS: &'static str = "lm_head";

    pub(crate) fn layer(family: Family, layer: usize, part: Part) -> String {
        let (prefix, part) = match family {
            Family::Gpt2 => ("transformer.h", part.gpt2()),
            Family::Llama => ("model.layers", part.llama()),
            Family::Esm2 => ("esm.encoder.layer", part.esm2()),
        };
        format!("{prefix}.{layer}.{part}")
    }
}

/// A module inside a block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    AttentionNorm,
    /// Queries, keys and values in one matrix: GPT-2 only.
    QueryKeyValue,
    Query,
    Key,
    Value,
    AttentionOutput,
    FeedForwardNorm,
    /// Llama only.
    Gate,
    Up,
    Down,
}

impl Part {
    fn gpt2(self) -> &'static str {
        match self {
            Self::AttentionNorm => "ln_1",
            Self::QueryKeyValue => "attn.c_attn",
            Self::AttentionOutput => "attn.c_proj",
            Self::FeedForwardNorm => "ln_2",
            Self::Up => "mlp.c_fc",
            Self::Down => "mlp.c_proj",
            other => unreachable!("gpt2 has no module {other:?}"),
        }
    }

    fn llama(self) -> &'static str {
        match self {
            Self::AttentionNorm => "input_layernorm",
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::AttentionOutput => "self_attn.o_proj",
            Self::FeedForwardNorm => "post_attention_layernorm",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
            Self::QueryKeyValue => unreachable!("llama has no module {self:?}"),
        }
    }

    fn esm2(self) -> &'static str {
        match self {
            Self::AttentionNorm => "attention.LayerNorm",
            Self::Query => "attention.self.query",
            Self::Key => "attention.self.key",
            Self::Value => "attention.self.value",
            Self::AttentionOutput => "attention.output.dense",
            Self::FeedForwardNorm => "LayerNorm",
            Self::Up => "intermediate.dense",
            Self::Down => "output.dense",
            other => unreachable!("esm2 has no module {other:?}"),
        }
    }
}

struct SpecList<'a> {
    config: &'a TransformerConfig,
    specs: Vec<ParamSpec>,
}

impl SpecList<'_> {
    fn embedding(&mut self) {
        let config = self.config;
        let family = config.family;
        self.weight(Names::token_embedding(family), &[config.vocab_size, config.width], 1.0);
        if config.rotary.is_none() {
            self.weight(Names::POSITION_EMBEDDING, &[config.context, config.width], 1.0);
        }
        if config.embedding_norm {
            self.norm(Names::EMBEDDING_NORM);
        }
    }

    fn block(&mut self, layer: usize) {
        let config = self.config;
        let name = |part| Names::layer(config.family, layer, part);
        let (c, f) = (config.width, config.feed_forward_width);
        let queries = config.num_heads * config.head_width;
        let keys = config.num_key_heads * config.head_width;
        let (attention, forward) = (config.attention_bias, config.feed_forward_bias);
        self.norm(&name(Part::AttentionNorm));
        if config.family == Family::Gpt2 {
            self.linear(&name(Part::QueryKeyValue), c, 3 * c, attention, 1.0);
        } else {
            self.linear(&name(Part::Query), c, queries, attention, 1.0);
            self.linear(&name(Part::Key), c, keys, attention, 1.0);
            self.linear(&name(Part::Value), c, keys, attention, 1.0);
        }
        self.linear(&name(Part::AttentionOutput), queries, c, attention, self.residual_factor());
        self.norm(&name(Part::FeedForwardNorm));
        if config.family == Family::Llama {
            self.linear(&name(Part::Gate), c, f, forward, 1.0);
        }
        self.linear(&name(Part::Up), c, f, forward, 1.0);
        self.linear(&name(Part::Down), f, c, forward, self.residual_factor());
    }

    fn head(&mut self) {
        let config = self.config;
        let family = config.family;
        self.norm(Names::final_norm(family));
        if family == Family::Esm2 {
            self.linear(Names::HEAD_DENSE, config.width, config.width, true, 1.0);
            self.norm(Names::HEAD_NORM);
            self.bias(Names::LOGIT_BIAS, config.vocab_size);
        }
        if !config.tied_head {
            self.weight(Names::decoder(family), &[config.vocab_size, config.width], 1.0);
        }
    }

    fn residual_factor(&self) -> f64 {
        match self.config.family {
            Family::Gpt2 => (2.0 * self.config.num_layers as f64).sqrt().recip(),
            Family::Llama | Family::Esm2 => 1.0,
        }
    }

    fn linear(&mut self, module: &str, input: usize, output: usize, bias: bool, factor: f64) {
        let shape = match self.config.family {
            Family::Gpt2 => [input, output],
            Family::Llama | Family::Esm2 => [output, input],
        };
        self.weight(module, &shape, factor);
        if bias {
            self.bias(module, output);
        }
    }

    fn weight(&mut self, module: &str, shape: &[usize], factor: f64) {
        let init = Init::Normal { std: self.config.initialiser_std * factor };
        self.specs.push(ParamSpec::new(format!("{module}.weight"), shape, init));
    }

    fn bias(&mut self, module: &str, length: usize) {
        self.specs.push(ParamSpec::new(format!("{module}.bias"), &[length], Init::Zeros));
    }

    fn norm(&mut self, module: &str) {
        let width = self.config.width;
        self.specs.push(ParamSpec::new(format!("{module}.weight"), &[width], Init::Ones));
        if self.config.family != Family::Llama {
            self.bias(module, width);
        }
    }
}
