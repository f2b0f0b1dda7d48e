//! What an edge's length becomes: Bessel functions, cut-off, and the weights of its messages.
//!
//! ```text
//! Bessel    B_n(t) = sqrt(2 / r_max) sin(n pi t / r_max) / t, n = 1.., t = r or a transform of it
//! cut-off   f(r) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2), x = r / r_max; 0 beyond
//! network   x <- c silu(x W / sqrt(fan_in)), last layer without silu; no biases
//! layout    lengths [E, 1], features [E, num_bessel], weights [E, Q, C]
//! source    Gasteiger et al., arXiv:2003.03123; Batatia et al., arXiv:2206.07697
//! ```

use std::f64::consts::PI;

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{Kernels, Precision, WeightLayout};

use super::{
    activation::{SILU_SCALE, silu},
    choices::DistanceTransform,
    config::MaceConfig,
    covalent_radii::covalent_radius,
    graph::{GraphInput, constant},
    specs::Names,
};
use crate::params::Params;

/// Agnesi's curve `1 / (1 + A y^Q / (1 + y^(Q - P)))`: Witt et al., JCP 159, 164101 (2023).
pub(super) const AGNESI: Agnesi = Agnesi { q: 0.9183, p: 4.5791, a: 1.0805 };
/// Steepness of the soft transform.
pub(super) const SOFT_ALPHA: f64 = 4.0;

/// Shape of Agnesi's curve.
pub(super) struct Agnesi {
    pub(super) q: f64,
    pub(super) p: f64,
    pub(super) a: f64,
}

/// Lengths of the edges and what follows from them alone.
#[derive(Debug, Clone)]
pub(super) struct RadialFeatures<B: Backend> {
    /// `[E, 1]` Å.
    pub(super) lengths: Tensor<B, 2>,
    /// `[E, num_bessel]`
    pub(super) features: Tensor<B, 2>,
    /// `[E, 1]` where the cut-off multiplies the weights instead of the features.
    pub(super) late_cutoff: Option<Tensor<B, 2>>,
}

impl<B: Kernels> RadialFeatures<B> {
    pub(super) fn new(config: &MaceConfig, graph: &GraphInput<B>) -> Self {
        let lengths = graph.vectors.clone().powi_scalar(2).sum_dim(1).sqrt();
        let r_max = config.r_max_angstrom;
        // Not `div_scalar`: in Burn 0.21 its backward rounds the divisor to f32.
        let ratio = lengths.clone().mul_scalar(r_max.recip());
        let cutoff = polynomial_cutoff(ratio, config.cutoff_power);
        let seen = transform(config.distance_transform, lengths.clone(), graph);
        let basis = bessel(seen, config.num_bessel, r_max);
        if config.cutoff_on_basis {
            Self { lengths, features: basis.mul(cutoff), late_cutoff: None }
        } else {
            Self { lengths, features: basis, late_cutoff: Some(cutoff) }
        }
    }
}

/// `[E, 1]` to `[E, num_bessel]`.
pub(super) fn bessel<B: Kernels>(r: Tensor<B, 2>, num: usize, r_max: f64) -> Tensor<B, 2> {
    let frequencies: Vec<f64> = (1..=num).map(|n| n as f64 * PI / r_max).collect();
    let frequencies = constant(frequencies, [1, num], r.dtype().into(), &r.device());
    let waves = r.clone().matmul(frequencies).sin();
    waves.mul(r.recip().mul_scalar((2.0 / r_max).sqrt()))
}

/// The envelope as a function of `x = r / r_max`, elementwise.
pub(super) fn polynomial_cutoff<B: Kernels>(x: Tensor<B, 2>, power: u32) -> Tensor<B, 2> {
    let p = f64::from(power);
    let outside = x.clone().greater_equal_elem(1.0);
    let quadratic = x.clone().mul_scalar(-p * (p + 1.0) / 2.0).add_scalar(p * (p + 2.0));
    let quadratic = quadratic.mul(x.clone()).sub_scalar((p + 1.0) * (p + 2.0) / 2.0);
    integer_power(x, power).mul(quadratic).add_scalar(1.0).mask_fill(outside, 0.0)
}

/// `x^n` by squaring: products only, so that every derivative is exact too.
fn integer_power<B: Kernels>(x: Tensor<B, 2>, n: u32) -> Tensor<B, 2> {
    if n == 1 {
        return x;
    }
    let half = integer_power(x.clone(), n / 2);
    let square = half.clone().mul(half);
    if n % 2 == 1 { square.mul(x) } else { square }
}

fn transform<B: Kernels>(
    kind: DistanceTransform,
    r: Tensor<B, 2>,
    graph: &GraphInput<B>,
) -> Tensor<B, 2> {
    if kind == DistanceTransform::None {
        return r;
    }
    let pairs = &graph.layout.edge_elements;
    let sums: Vec<f64> =
        pairs.iter().map(|pair| pair.iter().map(|&z| covalent_radius(z)).sum()).collect();
    let sums = constant(sums, [pairs.len(), 1], r.dtype().into(), &r.device());
    if kind == DistanceTransform::Agnesi { agnesi(r, sums) } else { soft(r, sums) }
}

/// `1 / (1 + a y^q / (1 + y^(q - p)))`, `y = r / r0`, `r0` the mean covalent radius.
fn agnesi<B: Kernels>(r: Tensor<B, 2>, radius_sums: Tensor<B, 2>) -> Tensor<B, 2> {
    let Agnesi { q, p, a } = AGNESI;
    let y = r.div(radius_sums).mul_scalar(2.0);
    let denominator = y.clone().powf_scalar(q - p).add_scalar(1.0);
    y.powf_scalar(q).mul_scalar(a).div(denominator).add_scalar(1.0).recip()
}

/// `p0 + (r - p0) (1 + tanh(4 (r - (p0 + p1) / 2) / (p1 - p0))) / 2`, `p0 = 3/4 r0`, `p1 = 4/3 r0`,
/// `r0` the sum of covalent radii.
fn soft<B: Kernels>(r: Tensor<B, 2>, radius_sums: Tensor<B, 2>) -> Tensor<B, 2> {
    let (low, high) = (0.75, 4.0 / 3.0);
    let floor = radius_sums.clone().mul_scalar(low);
    let middle = radius_sums.clone().mul_scalar(f64::midpoint(low, high));
    let steepness = radius_sums.recip().mul_scalar(SOFT_ALPHA / (high - low));
    let switch = r.clone().sub(middle).mul(steepness).tanh().add_scalar(1.0).mul_scalar(0.5);
    r.sub(floor.clone()).mul(switch).add(floor)
}

/// The network from features to the weights of the paths.
#[derive(Debug, Clone)]
pub(super) struct RadialNetwork<B: Backend> {
    /// With all factors folded in.
    weights: Vec<Tensor<B, 2>>,
    channels: usize,
}

impl<B: Kernels> RadialNetwork<B> {
    pub(super) fn bind(config: &MaceConfig, params: &Params<B>, layer: usize) -> Self {
        let weight = |depth: usize| {
            let weight: Tensor<B, 2> = params.get(&Names::radial(layer, depth));
            let [fan_in, _] = weight.dims();
            let gain = if depth == 0 { 1.0 } else { SILU_SCALE };
            weight.mul_scalar(gain / (fan_in as f64).sqrt())
        };
        let weights = (0..=config.radial_widths.len()).map(weight).collect();
        Self { weights, channels: config.channels }
    }

    /// `[E, Q, C]`
    pub(super) fn forward(&self, radial: &RadialFeatures<B>) -> Tensor<B, 3> {
        let mut x = radial.features.clone();
        for (depth, weight) in self.weights.iter().enumerate() {
            let input = if depth == 0 { x } else { silu(x) };
            x = matrix_product(input, weight.clone());
        }
        if let Some(cutoff) = &radial.late_cutoff {
            x = x.mul(cutoff.clone());
        }
        let [num_edges, width] = x.dims();
        x.reshape([num_edges, width / self.channels, self.channels])
    }
}

/// `x W`, `[R, I] x [I, O]`.
pub(super) fn matrix_product<B: Kernels>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    <B as Kernels>::linear(x, weight, None, WeightLayout::InOut, Precision::Full)
}

/// Values were printed by mace-torch 0.3.15 with e3nn 0.4.4, to the digits given.
#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};
    use genesis_kernels::Cpu;

    use super::*;
    use crate::equivariant::predict::to_host;

    fn column(values: &[f64]) -> Tensor<Cpu, 2> {
        let device = Device::<Cpu>::default();
        constant(values.to_vec(), [values.len(), 1], FloatDType::F64, &device)
    }

    fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= tolerance, "{got} against {want}");
        }
    }

    #[test]
    fn bessel_functions_have_the_values_of_mace_torch() {
        let want = [
            0.354_646_339_3,
            0.485_544_250_4,
            0.310_109_483_5,
            -0.060_975_151_5,
            -0.393_590_210_5,
            -0.477_886_927_5,
            -0.260_682_015_9,
            0.120_988_688_4,
        ];
        assert_close(&to_host(bessel(column(&[1.3]), 8, 5.0)), &want, 5.1e-11);
    }

    #[test]
    fn the_cutoff_has_the_values_of_mace_torch_and_ends_at_its_radius() {
        let at = |r: &[f64], power| to_host(polynomial_cutoff(column(r).div_scalar(5.0), power));
        assert_close(&at(&[1.3, 4.2], 5), &[0.984_656_391_033_6, 0.086_625_117_798_4], 5.1e-14);
        assert_close(
            &at(&[1.3, 4.2], 6),
            &[0.994_767_090_320_870_4, 0.122_598_036_235_88],
            5.1e-14,
        );
        assert_eq!(at(&[5.0, 5.1, 80.0], 5), [0.0; 3]);
        // The polynomial meets zero with three derivatives, so it is of order (1 - x)^3 near the end.
        assert!(at(&[5.0 - 1e-3], 5)[0].abs() < 1e-8);
    }

    #[test]
    fn agnesis_curve_has_the_value_of_mace_torch() {
        let sum = covalent_radius(1) + covalent_radius(8);
        let got = to_host(agnesi(column(&[0.8]), column(&[sum])));
        assert_close(&got, &[0.404_075_626_785_793_8], 1e-15);
    }

    /// Far below its floor of three quarters of the radius sum the clamp gives the floor, far above
    /// it gives the distance.
    #[test]
    fn the_soft_transform_clamps_short_distances_and_keeps_long_ones() {
        let got = to_host(soft(column(&[0.05, 4.0]), column(&[1.0, 1.0])));
        assert_close(&got, &[0.75, 4.0], 1e-3);
    }
}
