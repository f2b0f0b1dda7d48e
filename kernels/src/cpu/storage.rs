//! The numbers of a tensor on the CPU as slices, and slices as tensors.

use std::iter::Sum;
use std::mem::MaybeUninit;
use std::ops::{Add, Div, Mul, Sub};

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};

use super::{Lanes, Set};
use crate::graph::{primitive, tensor};

/// f32 or f64 with its packs.
pub(crate) trait Element:
    burn::tensor::Element
    + Copy
    + PartialEq
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
    /// All numbers of a contiguous tensor of this dtype.
    fn view(x: &FlexTensor) -> &[Self];
}

macro_rules! element {
    ($name:ident, $pack:ident) => {
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

            fn view(x: &FlexTensor) -> &[Self] {
                // The bytes of a tensor without elements need not be aligned.
                if x.layout().num_elements() == 0 { &[] } else { x.storage() }
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);

/// The tensor in contiguous storage; free where it already is.
pub(crate) fn input<const D: usize>(x: Tensor<Flex, D>) -> FlexTensor {
    primitive(x).to_contiguous()
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
