//! The three forms on the CPU, f32 and f64: a product per species and degree, of the rows of all nodes
//! and components where they lie.
//!
//! `node.rs` has the two forms that write per node, `weight.rs` the gradient of the weights; `nodes.rs`
//! says where rows start.

mod node;
mod nodes;
mod weight;

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::ChannelLinear;
use crate::cpu::{Element, input as numbers, is_f64, output};
use node::{Call, Direction};

/// [`channel_linear`](fn@crate::families::channel_linear::channel_linear).
pub(crate) fn forward(
    x: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    map: &ChannelLinear,
) -> Tensor<Flex, 3> {
    let num_nodes = x.dims()[0];
    let rows = [x.dims()[1], map.num_outputs()];
    let shape = [num_nodes, rows[1], map.channels];
    let double = is_f64("channel_linear", &[x.dtype(), weights.dtype()]);
    let (x, weights) = (numbers(x), numbers(weights));
    let call = Call { map, direction: Direction::Output, num_nodes, rows };
    if double {
        output(call.run(f64::view(&x), f64::view(&weights)), shape)
    } else {
        output(call.run(f32::view(&x), f32::view(&weights)), shape)
    }
}

/// [`channel_linear_input`](fn@crate::families::channel_linear::channel_linear_input).
pub(crate) fn input(
    grad: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    num_rows: usize,
    map: &ChannelLinear,
) -> Tensor<Flex, 3> {
    let num_nodes = grad.dims()[0];
    let rows = [map.num_outputs(), num_rows];
    let shape = [num_nodes, num_rows, map.channels];
    let double = is_f64("channel_linear_input", &[grad.dtype(), weights.dtype()]);
    let (grad, weights) = (numbers(grad), numbers(weights));
    let call = Call { map, direction: Direction::Input, num_nodes, rows };
    if double {
        output(call.run(f64::view(&grad), f64::view(&weights)), shape)
    } else {
        output(call.run(f32::view(&grad), f32::view(&weights)), shape)
    }
}

/// [`channel_linear_weight`](fn@crate::families::channel_linear::channel_linear_weight).
pub(crate) fn weight(
    grad: Tensor<Flex, 3>,
    x: Tensor<Flex, 3>,
    map: &ChannelLinear,
) -> Tensor<Flex, 1> {
    let rows = x.dims()[1];
    let double = is_f64("channel_linear_weight", &[grad.dtype(), x.dtype()]);
    let (grad, x) = (numbers(grad), numbers(x));
    let shape = [map.num_weights()];
    if double {
        output(weight::gradient(map, rows, f64::view(&grad), f64::view(&x)), shape)
    } else {
        output(weight::gradient(map, rows, f32::view(&grad), f32::view(&x)), shape)
    }
}
