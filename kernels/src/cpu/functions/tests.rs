//! The functions on every instruction set here, against twice the digits of f64.

use super::double_double::Double;
use super::{erf, exp, logistic, tanh};
use crate::cpu::dispatch::{choices, run_with};
use crate::cpu::{Element, Job, Lanes, Set};
use crate::testing::Real;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Function {
    Exp,
    Logistic,
    Tanh,
    Erf,
}

const FUNCTIONS: [Function; 4] = [Function::Exp, Function::Logistic, Function::Tanh, Function::Erf];

impl Function {
    /// The bound that the module states, in units of the last place.
    fn bound(self) -> f64 {
        match self {
            Self::Exp | Self::Erf => 2.0,
            Self::Logistic | Self::Tanh => 3.0,
        }
    }

    fn exact(self, x: f64) -> Double {
        let wide = Double::of(x);
        match self {
            Self::Exp => wide.exp(),
            Self::Logistic => Double::of(1.0).div(Double::of(1.0).add(wide.neg().exp())),
            Self::Tanh => wide.tanh(),
            Self::Erf => wide.erf(),
        }
    }
}

struct Values<'a, T> {
    function: Function,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Element> Job for Values<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let lanes = T::Pack::<S>::LANES;
        for (x, y) in self.x.chunks(lanes).zip(self.y.chunks_mut(lanes)) {
            let x = T::Pack::<S>::load(x);
            let value = match self.function {
                Function::Exp => exp(x),
                Function::Logistic => logistic(x),
                Function::Tanh => tanh(x),
                Function::Erf => erf(x),
            };
            value.store(y);
        }
    }
}

/// The values of one function on every instruction set.
fn values<T: Element>(function: Function, x: &[T]) -> Vec<Vec<T>> {
    let run = |choice| {
        let mut y = vec![T::ZERO; x.len()];
        run_with(choice, Values { function, x, y: &mut y });
        y
    };
    choices().into_iter().map(run).collect()
}

/// Digits, smallest subnormal number, and where the sweep of a function ends, in one precision.
struct Format {
    digits: f64,
    smallest: f64,
    exp_range: (f64, f64),
    logistic_end: f64,
}

const SINGLE: Format = Format {
    digits: 24.0,
    smallest: 1.401_298_464_324_817e-45,
    exp_range: (-104.5, 88.722),
    logistic_end: 87.0,
};

const DOUBLE: Format =
    Format { digits: 53.0, smallest: 5e-324, exp_range: (-745.5, 709.5), logistic_end: 700.0 };

impl Format {
    /// Spacing of the numbers around `x`.
    fn unit(&self, x: f64) -> f64 {
        let power = x.abs().max(f64::MIN_POSITIVE).log2().floor();
        (power + 1.0 - self.digits).exp2().max(self.smallest)
    }

    fn range(&self, function: Function) -> (f64, f64) {
        match function {
            Function::Exp => self.exp_range,
            Function::Logistic => (-self.logistic_end, self.logistic_end),
            Function::Tanh => (-21.0, 21.0),
            Function::Erf => (-6.5, 6.5),
        }
    }

    /// Evenly spaced numbers, and magnitudes from the smallest subnormal number on.
    fn sweep<T: Real>(&self, function: Function) -> Vec<T> {
        let (low, high) = self.range(function);
        let even = (0..=20_000).map(|i| low + (high - low) * f64::from(i) / 20_000.0);
        let tiny = (0..4_400).map(|i| self.smallest * (f64::from(i) / 4.0).exp2());
        let tiny = tiny.flat_map(|x| [x, -x]).filter(|x| (low..high).contains(x));
        even.chain(tiny).map(T::of).collect()
    }
}

fn check<T: Element + Real>(format: &Format) {
    for function in FUNCTIONS {
        let x = format.sweep::<T>(function);
        let exact: Vec<Double> = x.iter().map(|x| function.exact(x.wide())).collect();
        for y in values(function, &x) {
            for ((x, y), exact) in x.iter().zip(&y).zip(&exact) {
                let distance = Double::of(y.wide()).add(exact.neg());
                let units = (distance.high + distance.low).abs() / format.unit(exact.high);
                let (x, y) = (x.wide(), y.wide());
                assert!(units <= function.bound(), "{function:?}({x:e}) = {y:e}: {units} units");
            }
        }
    }
}

#[test]
fn every_value_in_f32_is_within_its_bound() {
    check::<f32>(&SINGLE);
}

#[test]
fn every_value_in_f64_is_within_its_bound() {
    check::<f64>(&DOUBLE);
}

/// Limits at infinities and beyond the largest exponents, NaN, and signs of zero, as bits.
fn check_special<T: Element + Real>() {
    let (infinity, nan) = (f64::INFINITY, f64::NAN);
    let x = [infinity, -infinity, 1e4, -1e4, 0.0, -0.0, nan].map(<T as Real>::of);
    let expected = |function| match function {
        Function::Exp => [infinity, 0.0, infinity, 0.0, 1.0, 1.0],
        Function::Logistic => [1.0, 0.0, 1.0, 0.0, 0.5, 0.5],
        Function::Tanh | Function::Erf => [1.0, -1.0, 1.0, -1.0, 0.0, -0.0],
    };
    for function in FUNCTIONS {
        for y in values(function, &x) {
            let bits: Vec<u64> = y[..6].iter().map(|y| y.wide().to_bits()).collect();
            assert_eq!(bits, expected(function).map(f64::to_bits), "{function:?}");
            assert!(y[6].wide().is_nan(), "{function:?}");
        }
    }
}

#[test]
fn the_exponential_is_finite_to_its_last_argument() {
    // Logarithms of the largest finite numbers, rounded down.
    for y in values(Function::Exp, &[88.722_83_f32, 88.722_84]) {
        assert!(y[0] > 0.99 * f32::MAX && y[0].is_finite() && y[1].is_infinite());
    }
    for y in values(Function::Exp, &[709.782_712_893_384_f64, 709.782_712_893_385]) {
        assert!(y[0] > 0.99 * f64::MAX && y[0].is_finite() && y[1].is_infinite());
    }
}

struct Roots<'a> {
    x: &'a [f64],
    y: &'a mut [f64],
}

impl Job for Roots<'_> {
    #[inline(always)]
    fn run<S: Set>(self) {
        S::F64::load(self.x).sqrt().store(self.y);
    }
}

#[test]
fn square_roots_of_a_part_of_a_pack_are_rounded_correctly_and_the_rest_stays() {
    for choice in choices() {
        let mut y = [7.0; 2];
        run_with(choice, Roots { x: &[2.0], y: &mut y[..1] });
        assert_eq!(y.map(f64::to_bits), [std::f64::consts::SQRT_2, 7.0].map(f64::to_bits));
    }
}

#[test]
fn limits_signs_of_zero_and_nan_are_exact() {
    check_special::<f32>();
    check_special::<f64>();
}

#[test]
fn the_oracle_has_the_published_digits() {
    // Abramowitz and Stegun, tables 4.4, 4.15 and 7.1, continued to the digits of two f64.
    let close = |value: Double, high: f64| {
        let error = value.add(Double::of(-high));
        assert!((error.high + error.low).abs() <= 0.5 * DOUBLE.unit(high), "{value:?} {high:e}");
    };
    close(Double::of(0.5).exp(), 1.648_721_270_700_128_1);
    close(Double::of(1.0).erf(), 0.842_700_792_949_714_9);
    close(Double::of(2.5).erf(), 0.999_593_047_982_555);
    close(Double::of(0.5).tanh(), 0.462_117_157_260_009_75);
}
