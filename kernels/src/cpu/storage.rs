//! The numbers of a tensor on the CPU as slices, and slices as tensors.

use std::iter::Sum;
use std::mem::MaybeUninit;
use std::ops::{Add, Div, Mul, Sub};

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};

use super::functions::Coefficients;
use super::{Lanes, Set};
use crate::graph::{primitive, tensor};

/// f32 or f64 with its packs.
pub(crate) trait Element:
    burn::tensor::Element
    + Coefficients
    + Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Sum
    + Send
    + Sync
{
    const ZERO: Self;
    const ONE: Self;
    type Pack<S: Set>: Lanes<Base = Self>;
    /// The nearest number to `x`.
    fn of(x: f64) -> Self;
    fn root(self) -> Self;
    /// Natural logarithm.
    fn logarithm(self) -> Self;
    fn magnitude(self) -> Self;
    fn with_sign_of(self, sign: Self) -> Self;
    /// The nearest whole number, ties to even.
    fn nearest(self) -> Self;
    /// `2^self` of a whole number among the exponents of normal numbers.
    fn power_of_two(self) -> Self;
    /// All numbers of a contiguous tensor of this dtype, which may be a part of what is stored.
    fn view(x: &FlexTensor) -> &[Self];
    /// The same to write; copies first where another tensor shares them or they are a part.
    fn view_mut(x: &mut FlexTensor) -> &mut [Self];
}

macro_rules! element {
    ($name:ident, $pack:ident, $bias:literal) => {
        impl Element for $name {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            type Pack<S: Set> = S::$pack;

            #[expect(clippy::allow_attributes, reason = "one of the two casts does nothing")]
            #[allow(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $name
            }

            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn logarithm(self) -> Self {
                self.ln()
            }

            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn with_sign_of(self, sign: Self) -> Self {
                self.copysign(sign)
            }

            #[inline(always)]
            fn nearest(self) -> Self {
                self.round_ties_even()
            }

            #[inline(always)]
            fn power_of_two(self) -> Self {
                // The sum ends in the biased exponent as an integer, which the shift puts in place.
                let mantissa = $name::MANTISSA_DIGITS - 1;
                $name::from_bits((self + (1.5 / $name::EPSILON + $bias)).to_bits() << mantissa)
            }

            fn view(x: &FlexTensor) -> &[Self] {
                let (start, count) = (x.layout().start_offset(), x.layout().num_elements());
                // The bytes of a tensor without elements need not be aligned.
                if count == 0 { &[] } else { &x.storage()[start..start + count] }
            }

            fn view_mut(x: &mut FlexTensor) -> &mut [Self] {
                let count = x.layout().num_elements();
                if count == 0 {
                    return &mut [];
                }
                if x.storage::<Self>().len() != count {
                    *x = x.to_contiguous();
                }
                x.storage_mut()
            }
        }
    };
}
element!(f32, F32, 127.0);
element!(f64, F64, 1023.0);

/// The tensor in contiguous storage, maybe a part of it; free where it already is.
pub(crate) fn input<const D: usize>(x: Tensor<Flex, D>) -> FlexTensor {
    contiguous(primitive(x))
}

/// The same of a primitive.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.layout().is_contiguous() { x } else { x.to_contiguous() }
}

/// A tensor of these numbers.
pub(crate) fn output<T: Element, const D: usize>(
    numbers: Vec<T>,
    shape: [usize; D],
) -> Tensor<Flex, D> {
    tensor(FlexTensor::from_data(TensorData::new(numbers, shape)))
}

/// A tensor of new numbers that `write` puts into fresh memory, which is not zeroed first.
///
/// # Safety
/// `write` writes every number.
pub(crate) unsafe fn filled<T: Element, const D: usize>(
    shape: [usize; D],
    write: impl FnOnce(&mut [MaybeUninit<T>]),
) -> Tensor<Flex, D> {
    let count = shape.iter().product();
    let mut numbers = Vec::with_capacity(count);
    write(&mut numbers.spare_capacity_mut()[..count]);
    // SAFETY: there is room for so many, and the caller says that all are written.
    unsafe { numbers.set_len(count) };
    output(numbers, shape)
}

/// Whether an operation runs in f64; asserts that all its inputs have one of the two dtypes.
pub(crate) fn is_f64(operation: &str, dtypes: &[DType]) -> bool {
    let first = dtypes[0];
    assert!(
        matches!(first, DType::F32 | DType::F64) && dtypes.iter().all(|&dtype| dtype == first),
        "{operation}: inputs are {dtypes:?} but must all be F32 or all be F64: cast them"
    );
    first == DType::F64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers 0 to 5 as two rows, and the second row where it lies.
    fn second_of_two_rows() -> (FlexTensor, FlexTensor) {
        let numbers: Vec<f32> = (0..6_u8).map(f32::from).collect();
        let whole = FlexTensor::from_data(TensorData::new(numbers, [2, 3]));
        let part = contiguous(whole.narrow(0, 1, 1));
        (whole, part)
    }

    #[test]
    fn a_part_is_read_where_it_lies() {
        let (whole, part) = second_of_two_rows();
        assert_eq!(f32::view(&part), [3.0, 4.0, 5.0]);
        assert_eq!(f32::view(&part).as_ptr(), f32::view(&whole)[3..].as_ptr());
        let column = contiguous(whole.narrow(1, 2, 1));
        assert_eq!(f32::view(&column), [2.0, 5.0]);
    }

    #[test]
    fn a_part_that_is_written_is_copied_first() {
        let (whole, mut part) = second_of_two_rows();
        drop(whole);
        f32::view_mut(&mut part)[0] = 9.0;
        assert_eq!(f32::view(&part), [9.0, 4.0, 5.0]);
        let (whole, mut part) = second_of_two_rows();
        f32::view_mut(&mut part)[0] = 9.0;
        assert_eq!(f32::view(&whole), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
