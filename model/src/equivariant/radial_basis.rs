//! Functions of a length, each with its slope: Bessel functions, cut-off, distance transforms.
//!
//! ```text
//! Bessel    B_n(t), n = 1.., and cut-off f(r) of `genesis_kernels::radial_basis`; t = r or a transform
//! slopes    by r, in closed form
//! layout    r and its transforms [P, 1], Bessel functions [P, num_bessel]
//! source    Gasteiger et al., arXiv:2003.03123; Batatia et al., arXiv:2206.07697
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::radial_basis::curves::{bessel, envelope};
use genesis_kernels::{Half, Kernels, slope};

use super::{choices::DistanceTransform, config::MaceConfig};

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
    /// As one tensor, `[2, P, K]`.
    pub(super) fn joined(self) -> Tensor<B, 3> {
        slope::from_half(self.value, Half::Values).add(slope::from_half(self.slope, Half::Slopes))
    }

    /// The product with a curve of one column.
    pub(super) fn times(self, factor: &Self) -> Self {
        let slope = self.slope.mul(factor.value.clone());
        Self {
            slope: slope.add(self.value.clone().mul(factor.slope.clone())),
            value: self.value.mul(factor.value.clone()),
        }
    }
}

/// The cut-off of `r [P, 1]`.
pub(super) fn cutoff<B: Kernels>(config: &MaceConfig, r: &Tensor<B, 2>) -> Curve<B> {
    let [value, slope] = envelope(r, config.r_max_angstrom, config.cutoff_power);
    Curve { value, slope }
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
    let [value, slope] = bessel(&seen, num, r_max);
    Curve { value, slope: rate.map_or(slope.clone(), |rate| slope.mul(rate)) }
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
        covalent_radii::covalent_radius, graph::constant, predict::to_host, testing::small_config,
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
                let curve = bessel_functions(&config, &r, sums).times(&cutoff(&config, &r));
                let slopes = to_host(curve.slope.narrow(1, at, 1));
                let value = curve.value.narrow(1, at, 1).sum();
                let exact = to_host(r.grad(&value.backward()).unwrap());
                // Slopes are of size one to ten, sums of a dozen terms.
                assert_close(&slopes, &exact, 1e-12);
            }
        }
    }
}
