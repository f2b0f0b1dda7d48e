//! The functions against their formulas, against mace-torch, and against differences.

use std::f64::consts::PI;

use burn::backend::flex::FlexDevice;
use burn::tensor::{DType, Tensor};

use super::{RadialBasis, curves, reference};
use crate::families::radial_basis;
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{Case, check_gradient, flat, host, numbers, values};
use crate::{Cpu, Kernels};

struct Basis(RadialBasis);

impl Case for Basis {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let rows = inputs[0].dims()[0];
        radial_basis::radial_basis(inputs[0].clone().reshape([rows, 1]), &self.0).flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let rows = inputs[0].dims()[0];
        reference::forward(&inputs[0].clone().reshape([rows, 1]), &self.0).flatten(0, 2)
    }
}

const BASES: [RadialBasis; 4] = [
    RadialBasis { num: 8, radius: 5.0, power: 5 },
    RadialBasis { num: 1, radius: 4.5, power: 1 },
    RadialBasis { num: 3, radius: 6.0, power: 2 },
    RadialBasis { num: 20, radius: 3.0, power: 6 },
];

/// From 0.3 to 1.1 times the radius, and the radius itself.
fn lengths(count: usize, basis: RadialBasis) -> Vec<f64> {
    let inside = numbers(count, 1).into_iter().map(|x| (0.7 + 0.4 * x) * basis.radius);
    inside.chain([basis.radius]).collect()
}

/// The formulas of the contract, `[values, slopes]`.
fn plain(lengths: &[f64], basis: RadialBasis) -> Vec<f64> {
    let RadialBasis { num, radius: c, power } = basis;
    let p = f64::from(power);
    let [mut values, mut slopes] = [vec![], vec![]];
    for &r in lengths {
        let x = r / c;
        let inside = f64::from(u8::from(x < 1.0));
        let f = 1.0 - (p + 1.0) * (p + 2.0) / 2.0 * x.powf(p) + p * (p + 2.0) * x.powf(p + 1.0)
            - p * (p + 1.0) / 2.0 * x.powf(p + 2.0);
        let rate = -p * (p + 1.0) * (p + 2.0) / (2.0 * c) * x.powf(p - 1.0) * (1.0 - x).powi(2);
        for n in 1..=num {
            let w = n as f64 * PI / c;
            let bessel = (2.0 / c).sqrt() * (w * r).sin() / r;
            let change = ((2.0 / c).sqrt() * w * (w * r).cos() - bessel) / r;
            values.push(inside * bessel * f);
            slopes.push(inside * (change * f + bessel * rate));
        }
    }
    [values, slopes].concat()
}

#[test]
fn values_and_slopes_are_those_of_the_formulas() {
    for basis in BASES {
        for count in [1, 7, 1000] {
            let lengths = lengths(count, basis);
            let want = plain(&lengths, basis);
            let largest = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let (got32, got64) = values(&Basis(basis), &[lengths]);
            // Phases reach n pi, and their multiples are turned n times; f32 is rounded once, from
            // lengths that are rounded too.
            let terms = 20.0 * basis.num as f64;
            assert_within(&got64, &want, |_| terms * f64::EPSILON * largest);
            assert_within(&got32, &want, |_| terms * f64::from(f32::EPSILON) * largest);
        }
    }
}

#[test]
fn the_reference_has_the_same_values() {
    for basis in BASES {
        let lengths = lengths(50, basis);
        let want = plain(&lengths, basis);
        let largest = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let got = host(Basis(basis).reference(&[flat::<Cpu>(&lengths, DType::F64)]));
        let terms = 20.0 * basis.num as f64;
        assert_within(&got, &want, |_| terms * f64::EPSILON * largest);
    }
}

/// Printed by mace-torch 0.3.15 with e3nn 0.4.4.
#[test]
fn functions_have_the_values_of_mace_torch() {
    let at = |r: f64| Tensor::<Cpu, 2>::from_data([[r]], (&FlexDevice, DType::F64));
    let [bessel, _] = curves::bessel(&at(1.3), 8, 5.0);
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
    assert_within(&host(bessel), &want, |_| 5.1e-11);
    let cutoff = |r, power| host(curves::envelope(&at(r), 5.0, power)[0].clone())[0];
    for (r, power, want) in [
        (1.3, 5, 0.984_656_391_033_6),
        (4.2, 5, 0.086_625_117_798_4),
        (1.3, 6, 0.994_767_090_320_870_4),
        (4.2, 6, 0.122_598_036_235_88),
        (5.0, 5, 0.0),
        (5.1, 5, 0.0),
        (80.0, 5, 0.0),
    ] {
        assert_within(&[cutoff(r, power)], &[want], |_| if want > 0.0 { 5.1e-14 } else { 0.0 });
    }
    // The polynomial meets zero with three derivatives, so it is of order (1 - x)^3 near the end.
    assert!(cutoff(5.0 - 1e-3, 5).abs() < 1e-8);
}

#[test]
fn a_graph_that_tracks_the_lengths_differentiates_values_and_slopes() {
    let basis = RadialBasis { num: 3, radius: 5.0, power: 5 };
    check_gradient(&Basis(basis), &[vec![0.9, 1.7, 2.4, 3.3, 4.2]]);
}

#[test]
fn slopes_are_the_derivatives_of_the_values() {
    let basis = BASES[0];
    let at = |shift: f64| {
        let lengths: Vec<f64> = [0.9, 1.7, 3.3, 4.8].iter().map(|r| r + shift).collect();
        values(&Basis(basis), &[lengths]).1
    };
    let (low, middle, high) = (at(-1e-5), at(0.0), at(1e-5));
    let half = middle.len() / 2;
    let differences: Vec<f64> = (0..half).map(|i| (high[i] - low[i]) / 2e-5).collect();
    // The third derivative is below 500 here.
    assert_within(&middle[half..], &differences, |_| 500.0 * 1e-10 + 1e-9);
}

#[test]
fn a_nan_spoils_its_own_row_and_no_lengths_give_nothing() {
    let basis = BASES[2];
    let (got, _) = values(&Basis(basis), &[vec![1.0, f64::NAN, 2.0]]);
    let spoiled: Vec<bool> = got.chunks(3).map(|row| row.iter().any(|x| x.is_nan())).collect();
    assert_eq!(spoiled, [false, true, false, false, true, false]);
    let none = Tensor::<Cpu, 2>::zeros([0, 1], &FlexDevice);
    assert_eq!(radial_basis::radial_basis(none, &basis).dims(), [2, 0, 3]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![refusal("radial_basis: `lengths` is [3, 2] but must be [3, 1]", || {
        radial_basis::radial_basis(zeros([3, 2]), &RadialBasis { num: 2, radius: 5.0, power: 5 })
    })]
}
