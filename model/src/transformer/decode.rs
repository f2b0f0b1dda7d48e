//! Generation: a few new tokens at a time, with the keys and values of earlier ones kept.
//!
//! Not here: sampling, stopping, batching of prompts.

use burn::tensor::Tensor;
use genesis_kernels::{AttentionProblem, Kernels, Precision};

use super::{KvCache, Mode, ModelError, Transformer, embedding::Tokens, packed::indices};

impl<B: Kernels> Transformer<B> {
    /// `[V]` logits after the last of `tokens`, which follow those in `cache`; equal to a full
    /// forward up to rounding. Positions count from zero.
    ///
    /// # Errors
    /// [`ModelError`] if the model is masked, `tokens` are empty or outside the vocabulary, or a
    /// learned position table is used up. The cache is then unchanged.
    pub fn decode(
        &self,
        tokens: &[u32],
        cache: &mut KvCache<B>,
        precision: Precision,
    ) -> Result<Tensor<B, 1>, ModelError> {
        let positions = self.check_prompt(tokens, cache)?;
        let num_new = u32::try_from(tokens.len()).expect("check_prompt counted in u32");
        let mode = Mode::inference(precision);
        let problem = AttentionProblem {
            query_starts: [0, num_new].into(),
            key_starts: [0, cache.length + num_new].into(),
            causal: true,
            scale: self.config.attention_scale(),
            precision,
        };
        let pass = self.pass(&positions, problem, &mode);
        let device = self.embedding.weight().device();
        let new = Tokens {
            ids: indices(tokens.iter().map(|&token| i64::from(token)), &device),
            position_ids: indices(positions.iter().map(|&p| i64::from(p)), &device),
            on_host: tokens,
            cu_seqlens: &[0, num_new],
        };
        let hidden = self.run(new, &pass, Some(cache));
        cache.length += num_new;
        let last = hidden.narrow(0, tokens.len() - 1, 1);
        Ok(self.head.logits(last, precision).reshape([self.config.vocab_size]))
    }

    /// Positions of the new tokens.
    fn check_prompt(&self, tokens: &[u32], cache: &KvCache<B>) -> Result<Vec<u32>, ModelError> {
        if !self.config.causal() {
            return Err(ModelError::NotCausal);
        }
        if tokens.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        self.config.check_tokens(tokens)?;
        let positions: Vec<u32> = (cache.length..).take(tokens.len()).collect();
        self.config.check_positions(&positions)?;
        Ok(positions)
    }
}
