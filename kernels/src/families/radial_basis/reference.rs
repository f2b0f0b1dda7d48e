//! The functions under the cut-off, as the product of two curves.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::RadialBasis;
use super::curves::{bessel, envelope};

/// `[P, 1] -> [2, P, K]`; the contract is in the module above.
pub fn forward<B: Backend>(lengths: &Tensor<B, 2>, basis: &RadialBasis) -> Tensor<B, 3> {
    let rows = lengths.dims()[0];
    if rows * basis.num == 0 {
        return Tensor::zeros([2, rows, basis.num], (&lengths.device(), lengths.dtype()));
    }
    let [value, slope] = bessel(lengths, basis.num, basis.radius);
    let [cutoff, steepness] = envelope(lengths, basis.radius, basis.power);
    let slope = slope.mul(cutoff.clone()).add(value.clone().mul(steepness));
    Tensor::stack(vec![value.mul(cutoff), slope], 0)
}
