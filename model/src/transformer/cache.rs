//! What generation keeps of the tokens it has seen: one sequence per cache.

use burn::tensor::backend::Backend;

use super::TransformerConfig;
use crate::layers::attention::Past;

/// Keys and values of the tokens seen so far, per layer.
#[derive(Debug, Clone)]
pub struct KvCache<B: Backend> {
    layers: Vec<Past<B>>,
    pub(super) length: u32,
}

impl<B: Backend> KvCache<B> {
    /// Nothing seen yet.
    pub fn new(config: &TransformerConfig) -> Self {
        Self { layers: vec![None; config.num_layers], length: 0 }
    }

    /// Tokens seen so far.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether no token was seen yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn layer(&mut self, layer: usize) -> &mut Past<B> {
        &mut self.layers[layer]
    }
}
