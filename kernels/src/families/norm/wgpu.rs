//! Both normalisations on wgpu: a workgroup per row; gradients of weight and bias are summed over the
//! rows of a block, then over the blocks, both in order.

use burn::tensor::Tensor;

use crate::Wgpu;
use crate::families::reduce;
use crate::machine::wgpu::{Array, Shader, Source, count, number, params, spread};

params! {
    /// Of all entry points.
    NormParams { rows: u32, width: u32, epsilon: f32 }
}

const FILE: Source = Source::file("families/norm/norm.wgsl", include_str!("norm.wgsl"));

/// Rows whose share of the weight's gradient one thread sums.
const ROWS: usize = 64;

fn shader(entry: &'static str, num_arrays: u32) -> Shader {
    Shader::new::<NormParams>(FILE, entry, num_arrays).with_group_sums()
}

fn rms_norm_shader() -> Shader {
    shader("rms_norm", 3)
}

fn layer_norm_shader() -> Shader {
    shader("layer_norm", 4)
}

fn backward_shader(centred: bool) -> Shader {
    shader("norm_backward", 5).constant("CENTRED", centred.into())
}

fn weights_shader(centred: bool) -> Shader {
    let shader = Shader::new::<NormParams>(FILE, "norm_weights", 4).with_group_threads();
    shader.constant("CENTRED", centred.into()).constant("ROWS", count(ROWS))
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let both = [false, true];
    let backwards =
        both.into_iter().flat_map(|centred| [backward_shader(centred), weights_shader(centred)]);
    [rms_norm_shader(), layer_norm_shader()].into_iter().chain(backwards).collect()
}

fn sizes([rows, width]: [usize; 2], epsilon: f64) -> NormParams {
    // Every element has a number of 32 bits.
    count(rows * width);
    NormParams { rows: count(rows), width: count(width), epsilon: number(epsilon) }
}

/// [`rms_norm`](fn@crate::families::norm::rms_norm).
pub(crate) fn rms_norm(
    x: Tensor<Wgpu, 2>,
    weight: Tensor<Wgpu, 1>,
    epsilon: f64,
) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    let (x, weight) = (Array::new(x), Array::new(weight));
    let y = x.room(shape);
    let groups = rows_to_run(shape);
    rms_norm_shader().launch(&[&x, &weight, &y], &sizes(shape, epsilon), groups);
    y.tensor(shape)
}

/// [`layer_norm`](fn@crate::families::norm::layer_norm).
pub(crate) fn layer_norm(
    x: Tensor<Wgpu, 2>,
    weight: Tensor<Wgpu, 1>,
    bias: Tensor<Wgpu, 1>,
    epsilon: f64,
) -> Tensor<Wgpu, 2> {
    let shape = x.dims();
    let (x, weight, bias) = (Array::new(x), Array::new(weight), Array::new(bias));
    let y = x.room(shape);
    let groups = rows_to_run(shape);
    layer_norm_shader().launch(&[&x, &weight, &bias, &y], &sizes(shape, epsilon), groups);
    y.tensor(shape)
}

/// [`rms_norm_backward`](fn@crate::families::norm::rms_norm_backward).
pub(crate) fn rms_norm_backward(
    grad: Tensor<Wgpu, 2>,
    x: Tensor<Wgpu, 2>,
    weight: Tensor<Wgpu, 1>,
    epsilon: f64,
) -> (Tensor<Wgpu, 2>, Tensor<Wgpu, 1>) {
    let [width] = weight.dims();
    let (dx, dweight) = backward(grad, x, weight, epsilon, false);
    (dx, dweight.tensor([width]))
}

/// [`layer_norm_backward`](fn@crate::families::norm::layer_norm_backward).
pub(crate) fn layer_norm_backward(
    grad: Tensor<Wgpu, 2>,
    x: Tensor<Wgpu, 2>,
    weight: Tensor<Wgpu, 1>,
    epsilon: f64,
) -> (Tensor<Wgpu, 2>, Tensor<Wgpu, 1>, Tensor<Wgpu, 1>) {
    let [width] = weight.dims();
    let (dx, both) = backward(grad, x, weight, epsilon, true);
    let [dweight, dbias] = both.halves().map(|half| half.tensor([width]));
    (dx, dweight, dbias)
}

/// Gradient of `x`, and those of weight and, if `centred`, bias one behind the other.
fn backward(
    grad: Tensor<Wgpu, 2>,
    x: Tensor<Wgpu, 2>,
    weight: Tensor<Wgpu, 1>,
    epsilon: f64,
    centred: bool,
) -> (Tensor<Wgpu, 2>, Array) {
    let shape = x.dims();
    let [rows, width] = shape;
    let (grad, x, weight) = (Array::new(grad), Array::new(x), Array::new(weight));
    let numbers = sizes(shape, epsilon);
    let (dx, statistics) = (x.room(shape), x.room([rows, 2]));
    let arrays = [&x, &weight, &grad, &dx, &statistics];
    backward_shader(centred).launch(&arrays, &numbers, rows_to_run(shape));

    let (blocks, columns) = (rows.div_ceil(ROWS), width * (1 + usize::from(centred)));
    let partial = x.room([blocks, columns]);
    let groups = [count(width).div_ceil(Shader::THREADS), count(blocks), 1];
    weights_shader(centred).launch(&[&x, &statistics, &grad, &partial], &numbers, groups);
    (dx.tensor(shape), reduce::wgpu::column_sums(&partial, [blocks, columns]))
}

/// A workgroup per row, none for rows without a number.
fn rows_to_run([rows, width]: [usize; 2]) -> [u32; 3] {
    spread(if width == 0 { 0 } else { rows })
}
