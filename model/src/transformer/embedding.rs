//! From token ids to the first residual stream: lookup, positions, ESM-2's token dropout.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use genesis_kernels::Kernels;
use genesis_kernels::embedding;

use super::{TransformerConfig, specs::Names};
use crate::{
    layers::{
        mode::{Mode, Site},
        norm::Norm,
    },
    params::Params,
};

/// Share of tokens replaced by the mask in the pretraining of every ESM model: 15 % are selected,
/// 80 % of those masked. A constant of the architecture, not of the present run.
const MASKED_SHARE_IN_PRETRAINING: f64 = 0.15 * 0.8;

/// What one token is, on the device and on the host.
pub(crate) struct Tokens<'a, B: Backend> {
    pub(crate) ids: Tensor<B, 1, Int>,
    pub(crate) position_ids: Tensor<B, 1, Int>,
    pub(crate) on_host: &'a [u32],
    pub(crate) cu_seqlens: &'a [u32],
}

/// Embedding tables.
#[derive(Debug, Clone)]
pub(crate) struct Embedding<B: Backend> {
    weight: Tensor<B, 2>,
    positions: Option<Tensor<B, 2>>,
    norm: Option<Norm<B>>,
    /// The mask token, if its embeddings are zeroed and the others rescaled.
    dropped_token: Option<u32>,
    dropout: f64,
}

impl<B: Kernels> Embedding<B> {
    pub(crate) fn bind(config: &TransformerConfig, params: &Params<B>) -> Self {
        let table = |module: &str| params.get(&format!("{module}.weight"));
        Self {
            weight: table(Names::token_embedding(config.family)),
            positions: config.rotary.is_none().then(|| table(Names::POSITION_EMBEDDING)),
            norm: config.embedding_norm.then(|| config.norm(params, Names::EMBEDDING_NORM)),
            dropped_token: config.mask_token.filter(|_| config.token_dropout),
            dropout: config.embedding_dropout,
        }
    }

    /// The table `[V, C]`, for tied heads and for the type of other tensors.
    pub(crate) fn weight(&self) -> &Tensor<B, 2> {
        &self.weight
    }

    /// `[N, C]`.
    pub(crate) fn forward(&self, tokens: Tokens<'_, B>, mode: &Mode) -> Tensor<B, 2> {
        let mut x = embedding::embedding(self.weight.clone(), tokens.ids);
        if let Some(mask) = self.dropped_token {
            x = x * self.token_scale(&token_scale(tokens.on_host, tokens.cu_seqlens, mask));
        }
        if let Some(positions) = &self.positions {
            x = x + embedding::embedding(positions.clone(), tokens.position_ids);
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        mode.drop(x, self.dropout, Site::Embedding)
    }

    /// `[N, 1]` in the type of the table.
    fn token_scale(&self, scale: &[f64]) -> Tensor<B, 2> {
        let data = TensorData::new(scale.to_vec(), [scale.len(), 1]);
        Tensor::from_data(data, (&self.weight.device(), self.weight.dtype()))
    }
}

/// Factor of each token's embedding: zero at the mask, `(1 - 0.12) / (1 - masked share of the
/// segment)` elsewhere, in training and in evaluation alike.
///
/// A segment of masks alone gets zeros, where transformers divides zero by zero.
///
/// # Source
/// `EsmEmbeddings` of transformers 5; Rives et al. describe no such step, the released code has it.
fn token_scale(tokens: &[u32], cu_seqlens: &[u32], mask: u32) -> Vec<f64> {
    let mut scale = Vec::with_capacity(tokens.len());
    for ends in cu_seqlens.windows(2) {
        let segment = &tokens[ends[0] as usize..ends[1] as usize];
        let masked = segment.iter().filter(|&&token| token == mask).count();
        let kept_share = 1.0 - masked as f64 / segment.len() as f64;
        let kept = (1.0 - MASKED_SHARE_IN_PRETRAINING) / kept_share;
        scale.extend(segment.iter().map(|&token| if token == mask { 0.0 } else { kept }));
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_counts_masks_per_segment_and_is_zero_at_masks() {
        let scale = token_scale(&[9, 5, 5, 5, 7, 7, 9, 9], &[0, 4, 6, 8], 9);
        let quarter = 0.88 / 0.75;
        let want = [0.0, quarter, quarter, quarter, 0.88, 0.88, 0.0, 0.0];
        for (got, want) in scale.iter().zip(want) {
            assert!((got - want).abs() < 1e-15, "{scale:?}");
        }
    }
}
