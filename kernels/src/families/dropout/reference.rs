//! Dropout with a mask made on the host. The gradient is the same function.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;

use super::DropoutMask;

/// `x` times the mask.
pub fn forward<B: Backend>(x: Tensor<B, 2>, mask: &DropoutMask) -> Tensor<B, 2> {
    let [rows, columns] = x.dims();
    let scale = mask.scale();
    let factors = factors(mask, rows * columns);
    let data = match x.dtype() {
        DType::F64 => TensorData::new(pick(&factors, scale), [rows, columns]),
        #[expect(clippy::cast_possible_truncation, reason = "the factor in the dtype of x")]
        _ => TensorData::new(pick(&factors, scale as f32), [rows, columns]),
    };
    let factor = Tensor::from_data(data, (&x.device(), x.dtype()));
    x.mul(factor)
}

/// Which elements are kept.
fn factors(mask: &DropoutMask, elements: usize) -> Vec<bool> {
    (0..elements as u64).into_par_iter().map(|lane| mask.keeps(lane)).collect()
}

fn pick<T: Copy + Default>(kept: &[bool], scale: T) -> Vec<T> {
    kept.iter().map(|&keep| if keep { scale } else { T::default() }).collect()
}
