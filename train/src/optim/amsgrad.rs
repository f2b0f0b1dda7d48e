//! One step of Adam with AMSGrad on a flat buffer of parameters.
//!
//! ```text
//! maths     g <- g + decay p
//!           m <- m + (1 - beta1) (g - m)
//!           v <- beta2 v + (1 - beta2) g^2
//!           w <- max(w, v)
//!           p <- p - rate / (1 - beta1^t) * m / (sqrt(w) / sqrt(1 - beta2^t) + epsilon)
//! layout    p, g, m, v, w [P]; t counts from 1
//! dtypes    f32 or f64; the scalar factors are computed in f64
//! source    Reddi, Kale, Kumar, "On the Convergence of Adam and Beyond", arXiv:1904.09237, with
//!           the bias corrections and the coupled decay of torch.optim.Adam(amsgrad=True)
//! ```

use burn::tensor::Tensor;
use genesis_kernels::Kernels;

/// The scalars of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmsgradStep {
    /// Learning rate of this step.
    pub rate: f64,
    /// Memory of the first moment, in `[0, 1)`.
    pub beta1: f64,
    /// Memory of the second moment, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub epsilon: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    /// Number of this step, from 1.
    pub step: u64,
}

/// The parameter and its three buffers (first, second, largest second moment) after the step.
///
/// # Panics
/// If `step` is 0: a bug of the caller.
pub fn step<B: Kernels>(
    param: Tensor<B, 1>,
    grad: Tensor<B, 1>,
    [first, second, largest]: [Tensor<B, 1>; 3],
    scalars: &AmsgradStep,
) -> (Tensor<B, 1>, [Tensor<B, 1>; 3]) {
    let AmsgradStep { rate, beta1, beta2, epsilon, weight_decay, step } = *scalars;
    assert!(step > 0, "amsgrad: `step` is 0 but counts from 1");
    let power = |base: f64| base.powf(step as f64);
    let grad =
        if weight_decay > 0.0 { grad.add(param.clone().mul_scalar(weight_decay)) } else { grad };
    let change = grad.clone().sub(first.clone()).mul_scalar(1.0 - beta1);
    let first = first.add(change);
    let square = grad.clone().mul(grad).mul_scalar(1.0 - beta2);
    let second = second.mul_scalar(beta2).add(square);
    let largest = largest.max_pair(second.clone());
    let root = largest.clone().sqrt().div_scalar((1.0 - power(beta2)).sqrt());
    let step_size = rate / (1.0 - power(beta1));
    let move_by = first.clone().div(root.add_scalar(epsilon)).mul_scalar(step_size);
    (param.sub(move_by), [first, second, largest])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use genesis_kernels::Cpu;

    use super::*;

    fn tensor(value: f64) -> Tensor<Cpu, 1> {
        let data = TensorData::new(vec![value], [1]);
        Tensor::from_data(data, (&Device::<Cpu>::default(), DType::F64))
    }

    fn number(tensor: &Tensor<Cpu, 1>) -> f64 {
        tensor.to_data().into_vec::<f64>().unwrap()[0]
    }

    /// Values of torch 2 in f64: `Adam([p], lr=0.1, weight_decay=0.5, amsgrad=True)` on p = 1 with
    /// the gradients 2, -1, 0.25.
    const TORCH: [f64; 3] =
        [0.900_000_000_399_999_9, 0.850_556_931_228_229_5, 0.797_294_394_009_345_9];

    #[test]
    fn three_steps_are_those_of_torch() {
        let mut param = tensor(1.0);
        let mut state = [tensor(0.0), tensor(0.0), tensor(0.0)];
        for (at, gradient) in [2.0, -1.0, 0.25].into_iter().enumerate() {
            let scalars = AmsgradStep {
                rate: 0.1,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.5,
                step: at as u64 + 1,
            };
            (param, state) = step(param, tensor(gradient), state, &scalars);
            // A dozen roundings of numbers near one.
            assert!((number(&param) - TORCH[at]).abs() < 4e-15, "step {at}: {}", number(&param));
        }
    }

    #[test]
    fn the_largest_second_moment_never_shrinks() {
        let scalars = AmsgradStep {
            rate: 0.1,
            beta1: 0.9,
            beta2: 0.5,
            epsilon: 1e-8,
            weight_decay: 0.0,
            step: 1,
        };
        let state = [tensor(0.0), tensor(4.0), tensor(4.0)];
        let (_, [_, second, largest]) = step(tensor(1.0), tensor(0.0), state, &scalars);
        assert_eq!((number(&second), number(&largest)), (2.0, 4.0));
    }
}
