//! The functions on the CPU: one sine and one cosine a row, of which all multiples follow by turning.

use std::f64::consts::PI;

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::RadialBasis;
use crate::cpu::{Element, input, is_f64, output};

/// Rows that are worth a task: some ten microseconds.
const ROWS_PER_TASK: usize = 128;

/// [`radial_basis`](fn@crate::families::radial_basis::radial_basis).
pub(crate) fn forward(lengths: Tensor<Flex, 2>, basis: &RadialBasis) -> Tensor<Flex, 3> {
    let rows = lengths.dims()[0];
    let double = is_f64("radial_basis", &[lengths.dtype()]);
    let shape = [2, rows, basis.num];
    let lengths = input(lengths);
    if double {
        output(curve(f64::view(&lengths), basis), shape)
    } else {
        output(curve(f32::view(&lengths), basis), shape)
    }
}

fn curve<T: Element>(lengths: &[T], basis: &RadialBasis) -> Vec<T> {
    let half = lengths.len() * basis.num;
    let mut out = vec![T::ZERO; 2 * half];
    if half == 0 {
        return out;
    }
    let (values, slopes) = out.split_at_mut(half);
    let tables = values.par_chunks_mut(basis.num).zip(slopes.par_chunks_mut(basis.num));
    let rows = tables.zip(lengths).with_min_len(ROWS_PER_TASK);
    rows.for_each(|((values, slopes), &length)| row(length.elem(), basis, values, slopes));
    out
}

/// All functions of one length.
fn row<T: Element>(r: f64, basis: &RadialBasis, values: &mut [T], slopes: &mut [T]) {
    let height = (2.0 / basis.radius).sqrt();
    let step = PI / basis.radius;
    let (cutoff, steepness) = envelope(r, basis);
    let (sin, cos) = (step * r).sin_cos();
    let (mut turned_sin, mut turned_cos) = (sin, cos);
    let mut frequency = step;
    for (value, slope) in values.iter_mut().zip(slopes) {
        let bessel = height * turned_sin / r;
        let change = (height * frequency * turned_cos - bessel) / r;
        *value = T::of(bessel * cutoff);
        *slope = T::of(change * cutoff + bessel * steepness);
        (turned_sin, turned_cos) =
            (turned_sin * cos + turned_cos * sin, turned_cos * cos - turned_sin * sin);
        frequency += step;
    }
}

/// The cut-off and its derivative.
fn envelope(r: f64, basis: &RadialBasis) -> (f64, f64) {
    let x = r / basis.radius;
    if x >= 1.0 {
        return (0.0, 0.0);
    }
    let p = f64::from(basis.power);
    let low = x.powi(i32::try_from(basis.power).unwrap_or(i32::MAX) - 1);
    let quadratic = (p * (p + 2.0) - p * (p + 1.0) / 2.0 * x) * x - (p + 1.0) * (p + 2.0) / 2.0;
    let steepness = -p * (p + 1.0) * (p + 2.0) / (2.0 * basis.radius);
    (1.0 + low * x * quadratic, steepness * low * (1.0 - x) * (1.0 - x))
}
