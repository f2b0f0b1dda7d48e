//! Formulas of elementwise operations, each written once: packs of the CPU compute with them, kernels of GPUs are
//! printed from them (`machine/elementwise.rs`). The reference of a family is written apart, in Burn operations.

/// What formulas compute with.
pub(crate) trait Term: Copy {
    /// A constant.
    fn of(value: f64) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The smaller one; `other` where `self` is NaN.
    fn min(self, other: Self) -> Self;
    fn exp(self) -> Self;
    /// `1 / (1 + exp(-x))`.
    fn logistic(self) -> Self;
    fn erf(self) -> Self;
    fn tanh(self) -> Self;
    /// `1 - tanh(x)^2`, given `tanh(x)`.
    fn tanh_slope(self, tanh: Self) -> Self;
}

/// `O` numbers out of `I` numbers, at every place.
#[cfg_attr(
    not(any(feature = "cuda", feature = "wgpu")),
    expect(dead_code, reason = "names are for printed kernels, which GPUs alone have")
)]
pub(crate) trait Formula<const I: usize, const O: usize>: Sync {
    /// Name of the kernel.
    const NAME: &'static str;
    /// For the header of the kernel: the formula in the family's letters.
    const MATHS: &'static str;
    /// Names of the inputs.
    const INPUTS: [&'static str; I];
    /// Names of the outputs.
    const OUTPUTS: [&'static str; O];

    /// Must be `#[inline(always)]`, as [`Job`](crate::cpu::Job) says.
    fn apply<T: Term>(x: [T; I]) -> [T; O];
}
