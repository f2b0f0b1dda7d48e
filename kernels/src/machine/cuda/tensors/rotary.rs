//! Rotary positions.

use burn::tensor::Tensor;

use crate::Cuda;
use crate::families::rotary;
use crate::machine::cuda::device::on;
use crate::shape::assert_shape;

/// [`Kernels::rotary`](crate::Kernels::rotary).
pub(crate) fn forward(
    x: Tensor<Cuda, 3>,
    cos: Tensor<Cuda, 2>,
    sin: Tensor<Cuda, 2>,
) -> Tensor<Cuda, 3> {
    let shape = x.dims();
    let [tokens, _, width] = shape;
    assert!(width % 2 == 0, "rotary: the head width is {width} but must be even");
    for (name, table) in [("cos", &cos), ("sin", &sin)] {
        let want = [tokens, width / 2];
        assert_shape("rotary", name, table.dims(), want, "`x` fixes N and D");
    }
    on(&x.device(), |machine| {
        let (x, cos, sin) = (machine.input(x), machine.input(cos), machine.input(sin));
        machine.tensor(rotary::cuda::forward(machine, [&x, &cos, &sin], shape), shape)
    })
}
