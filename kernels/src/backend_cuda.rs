//! CUDA as a backend: where it has a kernel of its own. What is absent here is the reference.
//!
//! Every method turns tensors into arrays, lets the host side of its family put the launches together, and
//! turns the results back. Shapes are checked here, since the families see flat arrays.

use burn::tensor::Tensor;
use burn_cuda::CudaDevice;

use crate::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::linear::WeightLayout;
use crate::shape::assert_shape;
use crate::{AdamwStep, AmsgradState, Kernels, Precision, adamw, linear, norm, reduce};

/// The backend of CUDA: Burn's, without fusion, so that a tensor is device memory.
pub type Cuda = burn_cuda::Cuda<f32, i32>;

impl Kernels for Cuda {
    fn own_kernels() -> Vec<&'static str> {
        crate::registry::overrides(include_str!("backend_cuda.rs"))
    }

    fn round_to_bf16<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        let shape = x.dims();
        on(&device(&x), |machine| {
            let rounded = crate::cuda::rounding::round_to_bf16(machine, &machine.input(x));
            machine.tensor(rounded, shape)
        })
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        let (tokens, inputs, outputs) =
            linear::check(x.dims(), weight.dims(), bias.as_ref().map(Tensor::dims), layout);
        let shape = linear::cuda::Shape { tokens, inputs, outputs, layout, precision };
        on(&device(&x), |machine| {
            let (x, weight) = (machine.input(x), machine.input(weight));
            let bias = bias.map(|bias| machine.input(bias));
            let y = linear::cuda::forward(machine, &x, &weight, bias.as_ref(), shape);
            machine.tensor(y, [tokens, outputs])
        })
    }

    fn linear_input_backward(
        grad: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        let ([tokens, _], (inputs, outputs)) = (grad.dims(), layout.inputs_outputs(weight.dims()));
        assert_shape("linear", "grad", grad.dims(), [tokens, outputs], "`weight` fixes O");
        let shape = linear::cuda::Shape { tokens, inputs, outputs, layout, precision };
        on(&device(&grad), |machine| {
            let (grad, weight) = (machine.input(grad), machine.input(weight));
            let dx = linear::cuda::input_backward(machine, &grad, &weight, shape);
            machine.tensor(dx, [tokens, inputs])
        })
    }

    fn linear_weight_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        layout: WeightLayout,
        precision: Precision,
    ) -> Tensor<Self, 2> {
        let ([tokens, outputs], [_, inputs]) = (grad.dims(), x.dims());
        assert_shape("linear", "x", x.dims(), [tokens, inputs], "`grad` fixes N");
        let shape = linear::cuda::Shape { tokens, inputs, outputs, layout, precision };
        let stored = match layout {
            WeightLayout::OutIn => [outputs, inputs],
            WeightLayout::InOut => [inputs, outputs],
        };
        on(&device(&grad), |machine| {
            let (grad, x) = (machine.input(grad), machine.input(x));
            let dweight = linear::cuda::weight_backward(machine, &grad, &x, shape);
            machine.tensor(dweight, stored)
        })
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm_forward("rms_norm", x, weight, None, epsilon)
    }

    fn rms_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        let of = norm_rows("rms_norm_backward", &x, &weight, epsilon);
        assert_shape("rms_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
        on(&device(&x), |machine| {
            let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
            let (dx, dweight) = norm::cuda::rms_norm_backward(machine, [&grad, &x, &weight], of);
            (machine.tensor(dx, [of.rows, of.width]), machine.tensor(dweight, [of.width]))
        })
    }

    fn layer_norm(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        bias: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, 2> {
        norm_forward("layer_norm", x, weight, Some(bias), epsilon)
    }

    fn layer_norm_backward(
        grad: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>, Tensor<Self, 1>) {
        let of = norm_rows("layer_norm_backward", &x, &weight, epsilon);
        assert_shape("layer_norm_backward", "grad", grad.dims(), x.dims(), "as `x`");
        on(&device(&x), |machine| {
            let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
            let (dx, dweight, dbias) =
                norm::cuda::layer_norm_backward(machine, [&grad, &x, &weight], of);
            let vector = |array| machine.tensor(array, [of.width]);
            (machine.tensor(dx, [of.rows, of.width]), vector(dweight), vector(dbias))
        })
    }

    fn adamw(
        param: Tensor<Self, 1>,
        grad: Tensor<Self, 1>,
        first: Tensor<Self, 1>,
        second: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
        let shape = param.dims();
        let [param, first, second] =
            update(&device(&param), shape, [param, first, second], |machine, state, out| {
                adamw::cuda::adamw(machine, &machine.input(grad), state, out, step);
            });
        (param, first, second)
    }

    fn amsgrad(
        state: AmsgradState<Self>,
        grad: Tensor<Self, 1>,
        step: &AdamwStep,
    ) -> AmsgradState<Self> {
        let AmsgradState { param, first, second, largest } = state;
        let shape = param.dims();
        let state = [param, first, second, largest];
        let device = device(&state[0]);
        let [param, first, second, largest] =
            update(&device, shape, state, |machine, state, out| {
                adamw::cuda::amsgrad(machine, &machine.input(grad), state, out, step);
            });
        AmsgradState { param, first, second, largest }
    }

    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        on(&device(&x), |machine| {
            let sum = reduce::cuda::sum_of_squares(machine, &machine.input(x));
            machine.tensor(sum, [1])
        })
    }
}

fn device<const D: usize>(x: &Tensor<Cuda, D>) -> CudaDevice {
    x.device()
}

fn norm_rows(
    operation: &str,
    x: &Tensor<Cuda, 2>,
    weight: &Tensor<Cuda, 1>,
    epsilon: f64,
) -> norm::cuda::Rows {
    let [rows, width] = x.dims();
    assert_shape(operation, "weight", weight.dims(), [width], "`x` fixes C");
    norm::cuda::Rows { rows, width, epsilon }
}

fn norm_forward(
    operation: &str,
    x: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 1>,
    bias: Option<Tensor<Cuda, 1>>,
    epsilon: f64,
) -> Tensor<Cuda, 2> {
    let of = norm_rows(operation, &x, &weight, epsilon);
    if let Some(bias) = &bias {
        assert_shape(operation, "bias", bias.dims(), [of.width], "`x` fixes C");
    }
    on(&device(&x), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        let y = norm::cuda::forward(machine, &x, &weight, bias.as_ref(), of);
        machine.tensor(y, [of.rows, of.width])
    })
}

/// A change of buffers, in place where nobody else holds them.
fn update<const P: usize>(
    device: &CudaDevice,
    shape: [usize; 1],
    state: [Tensor<Cuda, 1>; P],
    change: impl FnOnce(&DeviceMachine, [&DeviceArray; P], [&DeviceArray; P]),
) -> [Tensor<Cuda, 1>; P] {
    on(device, |machine| {
        let state = state.map(|buffer| machine.input(buffer));
        let out = state.each_ref().map(|buffer| machine.in_place_of(buffer));
        change(machine, state.each_ref(), out.each_ref());
        out.map(|buffer| machine.tensor(buffer, shape))
    })
}
