//! Self-attention inside each segment, with grouped queries and rotary positions.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{AttentionProblem, Kernels, attention, rotary};

use super::{exit::Exit, linear::Linear, mode::Mode};

/// What all blocks of one forward pass share.
pub(crate) struct Pass<B: Backend> {
    pub(crate) mode: Mode,
    /// Cosines and sines, each `[N, D / 2]`; absent with learned positions.
    pub(crate) angles: Option<(Tensor<B, 2>, Tensor<B, 2>)>,
    pub(crate) problem: AttentionProblem,
}

/// Keys and values of earlier tokens of one layer, each `[M, G, D]`; keys are already rotated.
pub(crate) type Past<B> = Option<(Tensor<B, 3>, Tensor<B, 3>)>;

/// Of queries, keys and values.
#[derive(Debug, Clone)]
pub(crate) enum Projections<B: Backend> {
    /// One matrix, columns in the order query, key, value.
    Joint(Linear<B>),
    Separate {
        query: Linear<B>,
        key: Linear<B>,
        value: Linear<B>,
    },
}

/// `softmax(Q K^T / sqrt(D)) V` and the projections around it.
///
/// ESM-2 scales the query before it is rotated. A rotation is linear, so that is the same function
/// as scaling the scores, and the same bits whenever `D` is a power of four.
#[derive(Debug, Clone)]
pub(crate) struct Attention<B: Backend> {
    pub(crate) projections: Projections<B>,
    pub(crate) output: Linear<B>,
    pub(crate) num_heads: usize,
    pub(crate) num_key_heads: usize,
    pub(crate) head_width: usize,
}

impl<B: Kernels> Attention<B> {
    /// `[N, C]` to `[N, C]`, with the stream that `exit` adds to. With `past`, the keys and values of the new tokens are appended to it
    /// and all of them are attended to.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 2>,
        exit: Exit<B>,
        pass: &Pass<B>,
        past: Option<&mut Past<B>>,
    ) -> Tensor<B, 2> {
        let [n, _] = x.dims();
        let (mut query, mut key, mut value) = self.project(x, pass);
        if let Some((cos, sin)) = &pass.angles {
            query = rotary::rotary(query, cos.clone(), sin.clone());
            key = rotary::rotary(key, cos.clone(), sin.clone());
        }
        if let Some(past) = past {
            (key, value) = append(past, key, value);
        }
        let (out, _) = attention::attention(query, key, value, &pass.problem);
        let out = out.reshape([n, self.num_heads * self.head_width]);
        exit.through(&self.output, out, &pass.mode)
    }

    /// Queries `[N, H, D]`, keys and values `[N, G, D]`.
    fn project(
        &self,
        x: Tensor<B, 2>,
        pass: &Pass<B>,
    ) -> (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 3>) {
        let precision = pass.mode.precision;
        let (query, key, value) = match &self.projections {
            Projections::Joint(joint) => {
                let width = self.num_heads * self.head_width;
                let all = joint.forward(x, precision);
                let part = |i: usize| all.clone().narrow(1, i * width, width);
                (part(0), part(1), part(2))
            }
            Projections::Separate { query, key, value } => (
                query.forward(x.clone(), precision),
                key.forward(x.clone(), precision),
                value.forward(x, precision),
            ),
        };
        let heads = |t: Tensor<B, 2>, heads| {
            let [n, _] = t.dims();
            t.reshape([n, heads, self.head_width])
        };
        (
            heads(query, self.num_heads),
            heads(key, self.num_key_heads),
            heads(value, self.num_key_heads),
        )
    }
}

fn append<B: Kernels>(
    past: &mut Past<B>,
    key: Tensor<B, 3>,
    value: Tensor<B, 3>,
) -> (Tensor<B, 3>, Tensor<B, 3>) {
    let joined = match past.take() {
        Some((keys, values)) => {
            (Tensor::cat(vec![keys, key], 0), Tensor::cat(vec![values, value], 0))
        }
        None => (key, value),
    };
    *past = Some(joined.clone());
    joined
}
