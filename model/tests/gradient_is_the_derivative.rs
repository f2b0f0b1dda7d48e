//! The gradient of the loss against central differences in f64, for a tiny model of each family.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "functions of a test, where a panic is the report"
)]

mod support;

use burn::tensor::{FloatDType, Tensor};
use genesis_kernels::Cpu;
use genesis_model::{Packed, Params, Transformer};
use support::{FAMILIES, MODE, batch, config, loss_and_gradients, params};

fn to_f64(tensor: Tensor<Cpu, 1>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().into_vec().unwrap()
}

/// `params` moved by `step` along `direction`.
fn moved(params: &Params<Cpu>, direction: &[Tensor<Cpu, 1>], step: f64) -> Params<Cpu> {
    let values = params.values().iter().zip(direction);
    let values = values.map(|(value, d)| value.clone() + d.clone().mul_scalar(step)).collect();
    Params::from_values(params.specs().clone(), values)
}

#[test]
fn directional_derivatives_match_central_differences_per_parameter() {
    for (family, table) in FAMILIES {
        let config = config(table);
        let params = params(&config).cast(FloatDType::F64);
        let batch = batch(&config, &[&[4, 10, 5, 6, 7], &[8, 9, 3]]);
        let packed = Packed::<Cpu>::upload(&batch, &support::device());
        let loss = |params: &Params<Cpu>| {
            to_f64(Transformer::bind(&config, params).loss_sum(&packed, &MODE))[0]
        };
        let (_, gradients) = loss_and_gradients(&config, &params, &batch);
        let total: f64 =
            gradients.iter().map(|g| to_f64(g.clone()).iter().map(|x| x * x).sum::<f64>()).sum();
        for (at, spec) in params.specs().iter().enumerate() {
            // Along the gradient itself, so that the derivative is its squared norm; keys' biases
            // have no effect on a softmax, so there the direction is all ones.
            let squared: f64 = to_f64(gradients[at].clone()).iter().map(|x| x * x).sum();
            let dead = squared < 1e-20 * total;
            let along = if dead { gradients[at].ones_like() } else { gradients[at].clone() };
            let scale = to_f64(along.clone()).iter().map(|x| x * x).sum::<f64>().sqrt();
            let mut direction: Vec<_> = gradients.iter().map(Tensor::zeros_like).collect();
            direction[at] = along.div_scalar(scale);
            // Truncation h^2 and rounding 1e-16 / h balance near h = 1e-5.
            let h = 1e-5;
            let measured = (loss(&moved(&params, &direction, h))
                - loss(&moved(&params, &direction, -h)))
                / (2.0 * h);
            let want = if dead { 0.0 } else { squared.sqrt() };
            let tolerance = 1e-6 * want.max(1e-2 * total.sqrt());
            assert!(
                (measured - want).abs() < tolerance,
                "{family} {}: difference quotient {measured}, gradient {want}",
                spec.name
            );
        }
    }
}
