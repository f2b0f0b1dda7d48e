//! Rotary positions.

use burn::tensor::Tensor;

use crate::Cuda;
use crate::families::rotary;
use crate::machine::cuda::device::on;

/// [`rotary`](fn@crate::families::rotary::rotary).
pub(crate) fn forward(
    x: Tensor<Cuda, 3>,
    cos: Tensor<Cuda, 2>,
    sin: Tensor<Cuda, 2>,
) -> Tensor<Cuda, 3> {
    let shape = x.dims();
    on(&x.device(), |machine| {
        let (x, cos, sin) = (machine.input(x), machine.input(cos), machine.input(sin));
        machine.tensor(rotary::cuda::forward(machine, [&x, &cos, &sin], shape), shape)
    })
}
