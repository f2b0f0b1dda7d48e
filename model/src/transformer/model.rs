//! The network: embedding, blocks, last norm, head, bound to a set of parameters.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{AttentionProblem, Kernels};

use super::{
    KvCache, Mode, Packed, TransformerConfig,
    block::Block,
    embedding::{Embedding, Tokens},
    head::Head,
    specs::Names,
};
use crate::{
    layers::{attention::Pass, norm::Norm},
    params::Params,
};

/// A transformer whose layers hold the parameters' tensors; binding copies nothing.
#[derive(Debug, Clone)]
pub struct Transformer<B: Backend> {
    pub(super) config: TransformerConfig,
    pub(super) embedding: Embedding<B>,
    pub(super) blocks: Vec<Block<B>>,
    final_norm: Norm<B>,
    pub(super) head: Head<B>,
}

impl<B: Kernels> Transformer<B> {
    /// The network of `config` with the values of `params`.
    ///
    /// # Panics
    /// If `params` were made for another config than `config`: a bug of the caller.
    pub fn bind(config: &TransformerConfig, params: &Params<B>) -> Self {
        let embedding = Embedding::bind(config, params);
        let head = Head::bind(config, params, embedding.weight());
        Self {
            config: config.clone(),
            embedding,
            blocks: (0..config.num_layers).map(|i| Block::bind(config, params, i)).collect(),
            final_norm: config.norm(params, Names::final_norm(config.family)),
            head,
        }
    }

    /// What the network is.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// `[N, C]`: the residual stream after the last norm.
    ///
    /// # Panics
    /// If a token, label or position has no row in its table; check batches from outside with
    /// [`TransformerConfig::check_batch`].
    pub fn hidden(&self, packed: &Packed<B>, mode: &Mode) -> Tensor<B, 2> {
        self.assert_fits(packed);
        let tokens = Tokens {
            ids: packed.ids.clone(),
            position_ids: packed.position_ids.clone(),
            on_host: &packed.tokens,
            cu_seqlens: &packed.cu_seqlens,
        };
        let problem = AttentionProblem::packed(
            &packed.cu_seqlens,
            self.config.causal(),
            self.config.attention_scale(),
            mode.precision,
        );
        let pass = self.pass(&packed.positions, problem, mode);
        self.run(tokens, &pass, None)
    }

    /// `[N, V]`: scores of the next token (causal) or of the token itself (masked).
    pub fn logits(&self, packed: &Packed<B>, mode: &Mode) -> Tensor<B, 2> {
        self.head.logits(self.hidden(packed, mode), mode.precision)
    }

    /// `[1]`: sum of nats over the labelled tokens. Divide by the label count of the global batch.
    pub fn loss_sum(&self, packed: &Packed<B>, mode: &Mode) -> Tensor<B, 1> {
        self.head.loss_sum(self.hidden(packed, mode), &packed.targets, mode.precision)
    }

    pub(super) fn pass(
        &self,
        positions: &[u32],
        problem: AttentionProblem,
        mode: &Mode,
    ) -> Pass<B> {
        let tables = |rotary: &super::Rotary| {
            rotary.tables(positions, self.config.head_width, self.embedding.weight())
        };
        Pass { mode: *mode, angles: self.config.rotary.as_ref().map(tables), problem }
    }

    pub(super) fn run(
        &self,
        tokens: Tokens<'_, B>,
        pass: &Pass<B>,
        mut cache: Option<&mut KvCache<B>>,
    ) -> Tensor<B, 2> {
        let mut x = self.embedding.forward(tokens, &pass.mode);
        for (layer, block) in self.blocks.iter().enumerate() {
            let past = cache.as_mut().map(|cache| cache.layer(layer));
            x = block.forward(x, pass, past);
        }
        self.final_norm.forward(x)
    }

    fn assert_fits(&self, packed: &Packed<B>) {
        let config = &self.config;
        let check = config
            .check_tokens(&packed.tokens)
            .and_then(|()| config.check_labels(&packed.labels))
            .and_then(|()| config.check_positions(&packed.positions));
        let problem = check.err().map(|error| error.to_string());
        assert_eq!(problem, None, "Transformer: the batch does not fit the network");
    }
}
