//! CUDA as a backend: where it has a kernel of its own. What is absent here is the reference.
//!
//! Every method turns tensors into arrays, lets the host side of its family put the launches together, and
//! turns the results back. Shapes are checked here, since the families see flat arrays.

use burn::tensor::{Int, Tensor};
use burn_cuda::CudaDevice;

use crate::cuda::atoms::{self, Contraction};
use crate::cuda::device::{DeviceArray, DeviceMachine, on};
use crate::linear::WeightLayout;
use crate::shape::assert_shape;
use crate::{
    AdamwStep, AmsgradState, AttentionProblem, ContractionProblem, ConvolutionProblem, DropoutMask,
    GeluKind, Kernels, LossAndGradients, Precision, RowIndex, adamw, attention, cross_entropy,
    dropout, embedding, gelu, linear, norm, reduce, rotary, silu, swiglu,
};

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
            (machine.tensor(dx, [of.count, of.width]), machine.tensor(dweight, [of.width]))
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
            (machine.tensor(dx, [of.count, of.width]), vector(dweight), vector(dbias))
        })
    }

    fn rotary(x: Tensor<Self, 3>, cos: Tensor<Self, 2>, sin: Tensor<Self, 2>) -> Tensor<Self, 3> {
        let shape = x.dims();
        let [tokens, _, width] = shape;
        assert!(width % 2 == 0, "rotary: the head width is {width} but must be even");
        for (name, table) in [("cos", &cos), ("sin", &sin)] {
            let want = [tokens, width / 2];
            assert_shape("rotary", name, table.dims(), want, "`x` fixes N and D");
        }
        on(&device(&x), |machine| {
            let (x, cos, sin) = (machine.input(x), machine.input(cos), machine.input(sin));
            machine.tensor(rotary::cuda::forward(machine, [&x, &cos, &sin], shape), shape)
        })
    }

    fn gelu(x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        let [y] = elementwise([x], |machine, [x]| [gelu::cuda::forward(machine, x, kind)]);
        y
    }

    fn gelu_backward(grad: Tensor<Self, 2>, x: Tensor<Self, 2>, kind: GeluKind) -> Tensor<Self, 2> {
        let [y] =
            elementwise([grad, x], |machine, inputs| [gelu::cuda::backward(machine, inputs, kind)]);
        y
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        assert_shape("swiglu", "up", up.dims(), gate.dims(), "`gate` has that shape");
        let [y] = elementwise([gate, up], |machine, [gate, up]| {
            [swiglu::cuda::forward(machine, gate, up)]
        });
        y
    }

    fn swiglu_backward(
        grad: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        let [gate, up] = elementwise([grad, gate, up], swiglu::cuda::backward);
        (gate, up)
    }

    fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let [y] = elementwise([x], |machine, [x]| [silu::cuda::forward(machine, x)]);
        y
    }

    fn silu_slope(along: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let [y] = elementwise([along, x], |machine, inputs| [silu::cuda::slope(machine, inputs)]);
        y
    }

    fn silu_bend(a: Tensor<Self, 2>, b: Tensor<Self, 2>, x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let [y] = elementwise([a, b, x], |machine, inputs| [silu::cuda::bend(machine, inputs)]);
        y
    }

    fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
        let [y] = elementwise([x], |machine, [x]| [dropout::cuda::forward(machine, x, mask)]);
        y
    }

    fn attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 2>) {
        let (query_shape, key_shape) = attention_shapes(&q, &k, &v);
        on(&device(&q), |machine| {
            let [q, k, v] = [q, k, v].map(|x| machine.input(x));
            let inputs =
                attention::cuda::Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem };
            let (output, log_sum_exp) = attention::cuda::forward(machine, &inputs);
            let [rows, heads, _] = query_shape;
            (machine.tensor(output, query_shape), machine.tensor(log_sum_exp, [rows, heads]))
        })
    }

    fn attention_backward(
        grad: Tensor<Self, 3>,
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        output: Tensor<Self, 3>,
        log_sum_exp: Tensor<Self, 2>,
        problem: &AttentionProblem,
    ) -> (Tensor<Self, 3>, Tensor<Self, 3>, Tensor<Self, 3>) {
        let (query_shape, key_shape) = attention_shapes(&q, &k, &v);
        let [rows, heads, _] = query_shape;
        let operation = "attention_backward";
        assert_shape(operation, "grad", grad.dims(), query_shape, "as `q`");
        assert_shape(operation, "output", output.dims(), query_shape, "as `q`");
        assert_shape(operation, "log_sum_exp", log_sum_exp.dims(), [rows, heads], "[N, H]");
        on(&device(&q), |machine| {
            let [grad, q, k, v, output] = [grad, q, k, v, output].map(|x| machine.input(x));
            let log_sum_exp = machine.input(log_sum_exp);
            let inputs =
                attention::cuda::Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem };
            let known =
                attention::cuda::Known { grad: &grad, output: &output, log_sum_exp: &log_sum_exp };
            let [dq, dk, dv] = attention::cuda::backward(machine, &inputs, &known);
            let of_keys = |array| machine.tensor(array, key_shape);
            (machine.tensor(dq, query_shape), of_keys(dk), of_keys(dv))
        })
    }

    fn embedding(weight: Tensor<Self, 2>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        let ([rows, width], [tokens]) = (weight.dims(), ids.dims());
        on(&device(&weight), |machine| {
            let (weight, ids) = (machine.input(weight), machine.input_int(ids));
            let y = embedding::cuda::forward(machine, &weight, &ids, [rows, width]);
            machine.tensor(y, [tokens, width])
        })
    }

    fn embedding_backward(
        grad: Tensor<Self, 2>,
        ids: Tensor<Self, 1, Int>,
        num_rows: usize,
    ) -> Tensor<Self, 2> {
        let [tokens, width] = grad.dims();
        assert_shape("embedding_backward", "ids", ids.dims(), [tokens], "`grad` fixes N");
        on(&device(&grad), |machine| {
            let (grad, ids) = (machine.input(grad), machine.input_int(ids));
            let table = embedding::cuda::backward(machine, &grad, &ids, [num_rows, width]);
            machine.tensor(table, [num_rows, width])
        })
    }

    fn linear_cross_entropy(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> (Tensor<Self, 1>, Tensor<Self, 1>) {
        let call = CrossEntropy::new(hidden, weight, bias, labels, precision);
        let tokens = call.tokens;
        call.run(|machine, inputs| {
            let (loss, log_sum_exp) = cross_entropy::cuda::forward(machine, inputs);
            (machine.tensor(loss, [1]), machine.tensor(log_sum_exp, [tokens]))
        })
    }

    fn linear_cross_entropy_gradients(
        hidden: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
        labels: Tensor<Self, 1, Int>,
        precision: Precision,
    ) -> LossAndGradients<Self> {
        let call = CrossEntropy::new(hidden, weight, bias, labels, precision);
        let (tokens, [width, vocabulary]) = (call.tokens, call.sizes);
        call.run(|machine, inputs| {
            let (loss, log_sum_exp, found) = cross_entropy::cuda::with_gradients(machine, inputs);
            LossAndGradients {
                loss: machine.tensor(loss, [1]),
                log_sum_exp: machine.tensor(log_sum_exp, [tokens]),
                hidden: machine.tensor(found.hidden, [tokens, width]),
                weight: machine.tensor(found.weight, [vocabulary, width]),
                bias: found.bias.map(|bias| machine.tensor(bias, [vocabulary])),
            }
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

    fn spherical_harmonics(vectors: Tensor<Self, 2>, max_degree: usize) -> Tensor<Self, 2> {
        atoms::harmonics(vectors, max_degree)
    }

    fn spherical_harmonics_backward(
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        atoms::harmonics_backward(grad, vectors)
    }

    fn spherical_harmonics_second(
        along: Tensor<Self, 2>,
        grad: Tensor<Self, 2>,
        vectors: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        atoms::harmonics_second(along, grad, vectors)
    }

    fn convolution(
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        atoms::convolution(features, harmonics, radial, problem)
    }

    fn convolution_features(
        grad: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        atoms::convolution_features(grad, harmonics, radial, problem)
    }

    fn convolution_harmonics(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        radial: Tensor<Self, 3>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 2> {
        atoms::convolution_harmonics(grad, features, radial, problem)
    }

    fn convolution_radial(
        grad: Tensor<Self, 3>,
        features: Tensor<Self, 3>,
        harmonics: Tensor<Self, 2>,
        problem: &ConvolutionProblem,
    ) -> Tensor<Self, 3> {
        atoms::convolution_radial(grad, features, harmonics, problem)
    }

    fn contraction(
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let coefficients = Some(coefficients);
        Contraction { x, along: None, grad: None, coefficients }.outputs(problem)
    }

    fn contraction_input(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (grad, coefficients) = (Some(grad), Some(coefficients));
        Contraction { x, along: None, grad, coefficients }.inputs(problem)
    }

    fn contraction_coefficients(
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let call = Contraction { x, along: None, grad: Some(grad), coefficients: None };
        call.table(num_species, problem)
    }

    fn contraction_tangent(
        along: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, coefficients) = (Some(along), Some(coefficients));
        Contraction { x, along, grad: None, coefficients }.outputs(problem)
    }

    fn contraction_input_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        coefficients: Tensor<Self, 3>,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad, coefficients) = (Some(along), Some(grad), Some(coefficients));
        Contraction { x, along, grad, coefficients }.inputs(problem)
    }

    fn contraction_coefficients_tangent(
        along: Tensor<Self, 3>,
        grad: Tensor<Self, 3>,
        x: Tensor<Self, 3>,
        num_species: usize,
        problem: &ContractionProblem,
    ) -> Tensor<Self, 3> {
        let (along, grad) = (Some(along), Some(grad));
        Contraction { x, along, grad, coefficients: None }.table(num_species, problem)
    }

    fn gather_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        atoms::gather(x, indices)
    }

    fn sum_rows(x: Tensor<Self, 2>, indices: &RowIndex) -> Tensor<Self, 2> {
        atoms::sum(x, indices)
    }
}

fn device<const D: usize>(x: &Tensor<Cuda, D>) -> CudaDevice {
    x.device()
}

/// Outputs in the shape of the inputs, which have one.
fn elementwise<const I: usize, const O: usize>(
    inputs: [Tensor<Cuda, 2>; I],
    operation: impl FnOnce(&DeviceMachine, [&DeviceArray; I]) -> [DeviceArray; O],
) -> [Tensor<Cuda, 2>; O] {
    let (shape, device) = (inputs[0].dims(), device(&inputs[0]));
    for input in &inputs {
        assert_shape("an elementwise operation", "input", input.dims(), shape, "as the first");
    }
    on(&device, |machine| {
        let inputs = inputs.map(|x| machine.input(x));
        operation(machine, inputs.each_ref()).map(|array| machine.tensor(array, shape))
    })
}

fn attention_shapes(
    q: &Tensor<Cuda, 3>,
    k: &Tensor<Cuda, 3>,
    v: &Tensor<Cuda, 3>,
) -> ([usize; 3], [usize; 3]) {
    assert_shape("attention", "v", v.dims(), k.dims(), "`k` has that shape");
    (q.dims(), k.dims())
}

/// A linear cross entropy whose shapes were checked.
struct CrossEntropy {
    hidden: Tensor<Cuda, 2>,
    weight: Tensor<Cuda, 2>,
    bias: Option<Tensor<Cuda, 1>>,
    labels: Tensor<Cuda, 1, Int>,
    precision: Precision,
    tokens: usize,
    /// C and V
    sizes: [usize; 2],
}

impl CrossEntropy {
    fn new(
        hidden: Tensor<Cuda, 2>,
        weight: Tensor<Cuda, 2>,
        bias: Option<Tensor<Cuda, 1>>,
        labels: Tensor<Cuda, 1, Int>,
        precision: Precision,
    ) -> Self {
        let ([tokens, width], [vocabulary, _]) = (hidden.dims(), weight.dims());
        let operation = "linear_cross_entropy";
        let dims = weight.dims();
        assert_shape(operation, "weight", dims, [vocabulary, width], "`hidden` fixes C");
        if let Some(bias) = &bias {
            assert_shape(operation, "bias", bias.dims(), [vocabulary], "`weight` fixes V");
        }
        assert_shape(operation, "labels", labels.dims(), [tokens], "`hidden` fixes N");
        let sizes = [width, vocabulary];
        Self { hidden, weight, bias, labels, precision, tokens, sizes }
    }

    fn run<T>(
        self,
        compute: impl FnOnce(&DeviceMachine, &cross_entropy::cuda::Inputs<'_, DeviceArray>) -> T,
    ) -> T {
        on(&device(&self.hidden), |machine| {
            let (hidden, weight) = (machine.input(self.hidden), machine.input(self.weight));
            let bias = self.bias.map(|bias| machine.input(bias));
            let inputs = cross_entropy::cuda::Inputs {
                hidden: &hidden,
                weight: &weight,
                bias: bias.as_ref(),
                labels: &machine.input_int(self.labels),
                sizes: self.sizes,
                precision: self.precision,
            };
            compute(machine, &inputs)
        })
    }
}

fn norm_rows(
    operation: &str,
    x: &Tensor<Cuda, 2>,
    weight: &Tensor<Cuda, 1>,
    epsilon: f64,
) -> norm::cuda::Rows {
    let [rows, width] = x.dims();
    assert_shape(operation, "weight", weight.dims(), [width], "`x` fixes C");
    norm::cuda::Rows { count: rows, width, epsilon }
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
        machine.tensor(y, [of.count, of.width])
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
