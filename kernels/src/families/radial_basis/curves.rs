//! Bessel functions and the cut-off by themselves, for networks that put something between the two.
//!
//! In Burn operations: products, sines and cosines only, so that every derivative is exact too.

use std::f64::consts::PI;

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Values, and their derivatives by the length.
type Curve<B> = [Tensor<B, 2>; 2];

/// The first `num` Bessel functions of `t [P, 1]`, each `[P, num]`.
pub fn bessel<B: Backend>(t: &Tensor<B, 2>, num: usize, radius: f64) -> Curve<B> {
    let height = (2.0 / radius).sqrt();
    let frequencies: Vec<f64> = (1..=num).map(|n| n as f64 * PI / radius).collect();
    let data = TensorData::new(frequencies, [1, num]);
    let frequencies = Tensor::<B, 2>::from_data(data, (&t.device(), t.dtype()));
    let phases = t.clone().matmul(frequencies.clone());
    let reciprocal = t.clone().recip();
    let value = phases.clone().sin().mul(reciprocal.clone().mul_scalar(height));
    let slope = phases.cos().mul(frequencies).mul_scalar(height).sub(value.clone()).mul(reciprocal);
    [value, slope]
}

/// The cut-off of `r [P, 1]`, each `[P, 1]`.
pub fn envelope<B: Backend>(r: &Tensor<B, 2>, radius: f64, power: u32) -> Curve<B> {
    // Not `div_scalar`: in Burn 0.21 its backward rounds the divisor to f32.
    let x = r.clone().mul_scalar(radius.recip());
    let p = f64::from(power);
    let outside = x.clone().greater_equal_elem(1.0);
    let rest = x.clone().neg().add_scalar(1.0);
    let steepness = -p * (p + 1.0) * (p + 2.0) / (2.0 * radius);
    let slope = integer_power(x.clone(), power - 1).mul(rest.clone()).mul(rest);
    [polynomial_cutoff(x, power), slope.mul_scalar(steepness).mask_fill(outside, 0.0)]
}

/// The cut-off as a function of `x = r / radius`, elementwise.
pub fn polynomial_cutoff<B: Backend>(x: Tensor<B, 2>, power: u32) -> Tensor<B, 2> {
    let p = f64::from(power);
    let outside = x.clone().greater_equal_elem(1.0);
    let quadratic = x.clone().mul_scalar(-p * (p + 1.0) / 2.0).add_scalar(p * (p + 2.0));
    let quadratic = quadratic.mul(x.clone()).sub_scalar((p + 1.0) * (p + 2.0) / 2.0);
    integer_power(x, power).mul(quadratic).add_scalar(1.0).mask_fill(outside, 0.0)
}

/// `x^n` by squaring.
fn integer_power<B: Backend>(x: Tensor<B, 2>, n: u32) -> Tensor<B, 2> {
    match n {
        0 => x.ones_like(),
        1 => x,
        _ => {
            let half = integer_power(x.clone(), n / 2);
            let square = half.clone().mul(half);
            if n % 2 == 1 { square.mul(x) } else { square }
        }
    }
}
