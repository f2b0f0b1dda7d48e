//! Functions of a length, each with its slope: Bessel functions, cut-off, distance transforms.
//!
//! ```text
//! Bessel    B_n(t) = sqrt(2 / r_max) sin(n pi t / r_max) / t, n = 1.., t = r or a transform of it
//! cut-off   f(r) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2), x = r / r_max; 0 beyond
//! slopes    by r, in closed form; f' = -p(p+1)(p+2)/(2 r_max) x^(p-1) (1 - x)^2
//! layout    r and its transforms [P, 1], Bessel functions [P, num_bessel]
//! source    Gasteiger et al., arXiv:2003.03123; Batatia et al., arXiv:2206.07697
//! ```

use std::f64::consts::PI;

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::Kernels;

use super::{choices::DistanceTransform, config::MaceConfig, graph::constant};

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

/// Numbers that depend on the length of their row, with their derivative by it.
#[derive(Debug, Clone)]
pub(super) struct Curve<B: Backend> {
    pub(super) value: Tensor<B, 2>,
    pub(super) slope: Tensor<B, 2>,
}

impl<B: Kernels> Curve<B> {
    /// The product with a curve of one column.
    pub(super) fn times(self, factor: &Self) -> Self {
        let slope = self.slope.mul(factor.value.clone());
        Self {
            slope: slope.add(self.value.clone().mul(factor.slope.clone())),
            value: self.value.mul(factor.value.clone()),
        }
    }
}

/// The envelope of `r [P, 1]`.
pub(super) fn envelope<B: Kernels>(config: &MaceConfig, r: &Tensor<B, 2>) -> Curve<B> {
    let (power, r_max) = (config.cutoff_power, config.r_max_angstrom);
    // Not `div_scalar`: in Burn 0.21 its backward rounds the divisor to f32.
    let x = r.clone().mul_scalar(r_max.recip());
    let p = f64::from(power);
    let outside = x.clone().greater_equal_elem(1.0);
    let rest = x.clone().neg().add_scalar(1.0);
    let steepness = -p * (p + 1.0) * (p + 2.0) / (2.0 * r_max);
    let slope = integer_power(x.clone(), power - 1).mul(rest.clone()).mul(rest);
    Curve {
        value: polynomial_cutoff(x, power),
        slope: slope.mul_scalar(steepness).mask_fill(outside, 0.0),
    }
}

/// The Bessel functions of `r [P, 1]`, or of its transform; `radius_sums [P, 1]` are asked for where
/// the transform needs them.
pub(super) fn bessel_functions<B: Kernels>(
    config: &MaceConfig,
    r: &Tensor<B, 2>,
    radius_sums: impl FnOnce() -> Tensor<B, 2>,
) -> Curve<B> {
    let (num, r_max) = (config.num_bessel, config.r_max_angstrom);
    let (seen, rate) = match config.distance_transform {
        DistanceTransform::None => (r.clone(), None),
        DistanceTransform::Agnesi => {
            let sums = radius_sums();
            let seen = agnesi(r.clone(), sums.clone());
            let rate = agnesi_slope(r, &sums, seen.clone());
            (seen, Some(rate))
        }
        DistanceTransform::Soft => {
            let sums = radius_sums();
            (soft(r.clone(), sums.clone()), Some(soft_slope(r, sums)))
        }
    };
    let value = bessel(seen.clone(), num, r_max);
    let slope = bessel_slope(&seen, value.clone(), r_max);
    Curve { value, slope: rate.map_or(slope.clone(), |rate| slope.mul(rate)) }
}

/// `(k w cos(w t) - B) / t`, `B` the values.
fn bessel_slope<B: Kernels>(t: &Tensor<B, 2>, values: Tensor<B, 2>, r_max: f64) -> Tensor<B, 2> {
    let [_, num] = values.dims();
    let frequencies = frequencies(num, r_max, t);
    let waves = t.clone().matmul(frequencies.clone()).cos().mul(frequencies);
    waves.mul_scalar((2.0 / r_max).sqrt()).sub(values).mul(t.clone().recip())
}

fn frequencies<B: Kernels>(num: usize, r_max: f64, like: &Tensor<B, 2>) -> Tensor<B, 2> {
    let values = (1..=num).map(|n| n as f64 * PI / r_max).collect();
    constant(values, [1, num], like.dtype().into(), &like.device())
}

/// `[E, 1]` to `[E, num_bessel]`.
pub(super) fn bessel<B: Kernels>(r: Tensor<B, 2>, num: usize, r_max: f64) -> Tensor<B, 2> {
    let waves = r.clone().matmul(frequencies(num, r_max, &r)).sin();
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

/// `1 / (1 + a y^q / (1 + y^(q - p)))`, `y = r / r0`, `r0` the mean covalent radius.
fn agnesi<B: Kernels>(r: Tensor<B, 2>, radius_sums: Tensor<B, 2>) -> Tensor<B, 2> {
    let Agnesi { q, p, a } = AGNESI;
    let y = r.div(radius_sums).mul_scalar(2.0);
    let denominator = y.clone().powf_scalar(q - p).add_scalar(1.0);
    y.powf_scalar(q).mul_scalar(a).div(denominator).add_scalar(1.0).recip()
}

/// `-t^2 u (q - (q - p) s) / r`, `u = 1 / t - 1`, `s = y^(q - p) / (1 + y^(q - p))`, `t` the values.
fn agnesi_slope<B: Kernels>(
    r: &Tensor<B, 2>,
    radius_sums: &Tensor<B, 2>,
    values: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let Agnesi { q, p, .. } = AGNESI;
    let y = r.clone().div(radius_sums.clone()).mul_scalar(2.0).powf_scalar(q - p);
    let share = y.clone().div(y.add_scalar(1.0)).mul_scalar(p - q).add_scalar(q);
    // t^2 u = t (1 - t)
    let height = values.clone().sub_scalar(1.0).mul(values);
    height.mul(share).div(r.clone())
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

/// `w + 2 (r - p0) k w (1 - w)` with the switch `w = (1 + tanh z) / 2` and the steepness `k` of `z`.
fn soft_slope<B: Kernels>(r: &Tensor<B, 2>, radius_sums: Tensor<B, 2>) -> Tensor<B, 2> {
    let (low, high) = (0.75, 4.0 / 3.0);
    let floor = radius_sums.clone().mul_scalar(low);
    let middle = radius_sums.clone().mul_scalar(f64::midpoint(low, high));
    let steepness = radius_sums.recip().mul_scalar(SOFT_ALPHA / (high - low));
    let z = r.clone().sub(middle).mul(steepness.clone());
    let switch = z.tanh().add_scalar(1.0).mul_scalar(0.5);
    let bell = switch.clone().neg().add_scalar(1.0).mul(switch.clone());
    bell.mul(steepness).mul(r.clone().sub(floor)).mul_scalar(2.0).add(switch)
}

/// Values were printed by mace-torch 0.3.15 with e3nn 0.4.4, to the digits given.
#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};
    use genesis_kernels::Cpu;

    use super::*;
    use crate::equivariant::{
        covalent_radii::covalent_radius, predict::to_host, testing::small_config,
    };

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

    #[test]
    fn slopes_are_the_derivatives_of_the_values() {
        type Tracked = genesis_kernels::Autodiff<Cpu>;
        use DistanceTransform::{Agnesi, None, Soft};
        let lengths = [0.4, 0.9, 1.3, 2.2, 3.7, 4.49, 4.5, 5.0];
        for distance_transform in [None, Agnesi, Soft] {
            let config = MaceConfig { distance_transform, ..small_config() };
            let device = Device::<Tracked>::default();
            let column = |values: Vec<f64>| -> Tensor<Tracked, 2> {
                constant(values, [lengths.len(), 1], FloatDType::F64, &device)
            };
            for at in 0..config.num_bessel {
                let r = column(lengths.to_vec()).require_grad();
                let sums = || column((0..lengths.len()).map(|at| 1.1 + 0.2 * at as f64).collect());
                let curve = bessel_functions(&config, &r, sums).times(&envelope(&config, &r));
                let slopes = to_host(curve.slope.narrow(1, at, 1));
                let value = curve.value.narrow(1, at, 1).sum();
                let exact = to_host(r.grad(&value.backward()).unwrap());
                // Slopes are of size one to ten, sums of a dozen terms.
                assert_close(&slopes, &exact, 1e-12);
            }
        }
    }
}
