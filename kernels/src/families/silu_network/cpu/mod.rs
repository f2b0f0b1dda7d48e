//! The network on the CPU, f32 and f64: rows in blocks that go through all layers in the caches.
//!
//! Here rows are cut into parts and results put together; `forward.rs` and `backward.rs` take a part
//! through the layers, with what they share in `block.rs`.

mod backward;
mod block;
mod forward;

use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::SiluNetwork;
use crate::cpu::{Element, Plain, Round, input, is_f64, output, run};
use block::Input;

/// Rows a part has at least: packing the weights is then a few per cent of multiplying by them.
const ROWS_PER_PART: usize = 192;
/// Parts whose gradients are kept apart.
const MOST_PARTS: usize = 16;

/// [`silu_network`](fn@crate::families::silu_network::silu_network).
pub(crate) fn forward(
    curve: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    network: &SiluNetwork,
) -> Tensor<Flex, 3> {
    if is_f64("silu_network", &[curve.dtype(), weights.dtype()]) {
        forward_as::<f64>(curve, weights, network)
    } else {
        forward_as::<f32>(curve, weights, network)
    }
}

fn forward_as<T: Round + Plain>(
    curve: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    network: &SiluNetwork,
) -> Tensor<Flex, 3> {
    let num_rows = curve.dims()[1];
    let width = network.widths[network.num_layers()];
    let (curve, weights) = (input(curve), input(weights));
    let weights = scaled(T::view(&weights), network);
    let input = Input { network, curve: T::view(&curve), num_rows, weights: &weights };
    let mut out = vec![T::ZERO; 2 * num_rows * width];
    let parts = num_rows.div_ceil(ROWS_PER_PART).min(rayon::current_num_threads());
    for_parts(&mut out, num_rows, parts, |rows, halves| {
        run(forward::Part { input, rows, halves });
    });
    output(out, [2, num_rows, width])
}

/// [`silu_network_backward`](fn@crate::families::silu_network::silu_network_backward).
pub(crate) fn backward(
    grad: Tensor<Flex, 3>,
    curve: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    network: &SiluNetwork,
) -> (Tensor<Flex, 3>, Tensor<Flex, 1>) {
    if is_f64("silu_network", &[grad.dtype(), curve.dtype(), weights.dtype()]) {
        backward_as::<f64>(grad, curve, weights, network)
    } else {
        backward_as::<f32>(grad, curve, weights, network)
    }
}

fn backward_as<T: Round + Plain>(
    grad: Tensor<Flex, 3>,
    curve: Tensor<Flex, 3>,
    weights: Tensor<Flex, 1>,
    network: &SiluNetwork,
) -> (Tensor<Flex, 3>, Tensor<Flex, 1>) {
    let shape = curve.dims();
    let num_rows = shape[1];
    let (grad, curve, weights) = (input(grad), input(curve), input(weights));
    let weights = scaled(T::view(&weights), network);
    let input = Input { network, curve: T::view(&curve), num_rows, weights: &weights };
    let grad = T::view(&grad);
    let mut of_curve = vec![T::ZERO; curve.layout().num_elements()];
    let parts = (num_rows / ROWS_PER_PART).clamp(1, MOST_PARTS);
    let of_weights = for_parts(&mut of_curve, num_rows, parts, |rows, halves| {
        let mut of_weights = vec![T::ZERO; network.num_weights()];
        run(backward::Part { input, grad, rows, halves, of_weights: &mut of_weights });
        of_weights
    });
    let of_weights = total(of_weights, network);
    (output(of_curve, shape), output(of_weights, [network.num_weights()]))
}

/// What `work` makes of the rows of every part and of their places in both halves of `out`.
fn for_parts<T: Element, R: Send>(
    out: &mut [T],
    num_rows: usize,
    parts: usize,
    work: impl Fn(Range<usize>, [&mut [T]; 2]) -> R + Sync,
) -> Vec<R> {
    if out.is_empty() {
        return Vec::new();
    }
    let (row_len, size) = (out.len() / (2 * num_rows), num_rows.div_ceil(parts));
    let (values, slopes) = out.split_at_mut(num_rows * row_len);
    let halves = values.par_chunks_mut(size * row_len).zip(slopes.par_chunks_mut(size * row_len));
    let part = |(at, (values, slopes)): (usize, (&mut [T], &mut [T]))| {
        work(at * size..num_rows.min((at + 1) * size), [values, slopes])
    };
    halves.enumerate().with_max_len(1).map(part).collect()
}

/// The weights times the factors of their layers.
fn scaled<T: Element>(weights: &[T], network: &SiluNetwork) -> Vec<T> {
    let mut all = weights.to_vec();
    scale(&mut all, network);
    all
}

fn scale<T: Element>(weights: &mut [T], network: &SiluNetwork) {
    for (layer, &factor) in network.factors.iter().enumerate() {
        let factor = T::of(factor);
        weights[network.range_of(layer)].iter_mut().for_each(|weight| *weight = *weight * factor);
    }
}

/// The gradients of the parts summed in order, times the factors.
fn total<T: Element>(parts: Vec<Vec<T>>, network: &SiluNetwork) -> Vec<T> {
    let mut sum = vec![T::ZERO; network.num_weights()];
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, number)| *sum = *sum + number);
    }
    scale(&mut sum, network);
    sum
}
