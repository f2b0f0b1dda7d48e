//! Emulated results against the reference on the CPU, with derived tolerances.
//!
//! Not here: oracles of single families.

use crate::oracle::{Oracle, assert_within, ulp};
use crate::testing::FEW_VALUES_SLACK;

/// Asserts that a kernel in f32 errs as little as the reference in f32 does, both measured from the
/// reference in f64; and that in f64 the two agree.
///
/// The CPU sums f64 one number after the other, f32 in the lanes of registers, so the error in f32 says
/// nothing of that in f64: there `terms` additions may each cost half a spacing of the largest number, in
/// the kernel and in the reference.
#[track_caller]
pub(crate) fn assert_as_reference(got: [&[f64]; 2], reference: [&[f64]; 2], terms: usize) {
    let [narrow, exact] = reference;
    let largest = exact.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let oracle = Oracle { exact, same_precision: narrow, epsilon: f64::from(f32::EPSILON) };
    let spacing = ulp(largest, oracle.epsilon);
    let allowed = FEW_VALUES_SLACK * oracle.natural_error().max(0.5 * spacing) + spacing;
    assert_within(got[0], exact, |_| allowed);
    let ratio = f64::EPSILON / oracle.epsilon;
    let wide = allowed * ratio + terms as f64 * ulp(largest, f64::EPSILON);
    assert_within(got[1], exact, |_| wide);
}
