//! The network against plain loops, its slopes against differences, its gradients in both orders.

use burn::tensor::{Device, Tensor};

use super::{SiluNetwork, reference};
use crate::families::refusals_tests::Refusal;
use crate::families::silu_network;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, host, numbers, values,
    values_with_threads,
};
use crate::{Cpu, Kernels};

/// The network, or its gradients of curve and weights one after the other.
struct Network {
    network: SiluNetwork,
    backward: bool,
}

impl Network {
    fn new(widths: &[usize], backward: bool) -> Self {
        let factors = (1..widths.len()).map(|layer| 1.5 / layer as f64).collect();
        Self { network: SiluNetwork::new(widths.to_vec(), factors), backward }
    }

    /// Curve, weights, and the gradient where there is one.
    fn inputs(&self, num_rows: usize) -> Vec<Vec<f64>> {
        let widths = self.network.widths();
        let curve = numbers(2 * num_rows * widths[0], 1);
        let mut all = vec![curve, numbers(self.network.num_weights(), 2)];
        if self.backward {
            all.push(numbers(2 * num_rows * widths[widths.len() - 1], 3));
        }
        all
    }

    fn tensors<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> (Vec<Tensor<B, 3>>, Tensor<B, 1>) {
        let widths = self.network.widths();
        let num_rows = inputs[0].dims()[0] / (2 * widths[0]);
        let mut curves = vec![inputs[0].clone().reshape([2, num_rows, widths[0]])];
        if self.backward {
            let last = widths[widths.len() - 1];
            curves.push(inputs[2].clone().reshape([2, num_rows, last]));
        }
        (curves, inputs[1].clone())
    }
}

impl Case for Network {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (mut curves, weights) = self.tensors(inputs);
        if !self.backward {
            return silu_network::silu_network(curves.remove(0), weights, &self.network)
                .flatten(0, 2);
        }
        let grad = curves.remove(1);
        let (x, w) =
            silu_network::silu_network_backward(grad, curves.remove(0), weights, &self.network);
        Tensor::cat(vec![x.flatten(0, 2), w], 0)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (mut curves, weights) = self.tensors(inputs);
        if !self.backward {
            return reference::forward(&curves[0], &weights, &self.network).flatten(0, 2);
        }
        let grad = curves.remove(1);
        let (x, w) = reference::backward(&grad, &curves[0], &weights, &self.network);
        Tensor::cat(vec![x.flatten(0, 2), w], 0)
    }
}

/// One row through the layers: values and slopes.
fn plain_row<T: Real>(network: &SiluNetwork, weights: &[T], row: [Vec<T>; 2]) -> [Vec<T>; 2] {
    let one = T::of(1.0);
    let mut curve = row;
    for layer in 0..network.num_layers() {
        let [_, outputs] = network.shape_of(layer);
        let weights = &weights[network.range_of(layer)];
        let factor = T::of(network.factors[layer]);
        let product = |x: &Vec<T>| -> Vec<T> {
            let column = |column: usize| {
                let terms = x.iter().enumerate();
                let sum: T = terms.map(|(k, &x)| x * weights[k * outputs + column]).sum();
                factor * sum
            };
            (0..outputs).map(column).collect()
        };
        let [u, t] = [product(&curve[0]), product(&curve[1])];
        let open = |x: T| one / (one + (-x).exp());
        let slope = u.iter().zip(&t).map(|(&u, &t)| open(u) * (one + u * (one - open(u))) * t);
        curve = [u.iter().map(|&u| u * open(u)).collect(), slope.collect()];
    }
    curve
}

fn plain<T: Real>(case: &Network, inputs: &[Vec<f64>]) -> Vec<T> {
    let width = case.network.widths()[0];
    let (curve, weights) = (cast::<T>(&inputs[0]), cast::<T>(&inputs[1]));
    let rows = curve.len() / (2 * width);
    let (values, slopes) = curve.split_at(rows * width);
    let row = |at: usize| {
        let half = |x: &[T]| x[at * width..(at + 1) * width].to_vec();
        plain_row(&case.network, &weights, [half(values), half(slopes)])
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    [0, 1].iter().flat_map(|&half| rows.iter().flat_map(move |row| row[half].clone())).collect()
}

/// Ragged in every direction; one that is deeper than a block of the summed axis.
const SHAPES: [(usize, &[usize]); 5] = [
    (1, &[1, 1]),
    (3, &[8, 5]),
    (61, &[8, 16, 7, 33]),
    (500, &[3, 20, 17, 18, 40]),
    (30, &[4, 450, 9]),
];

#[test]
fn values_and_slopes_match_plain_loops_on_ragged_shapes() {
    for (num_rows, widths) in SHAPES {
        let case = Network::new(widths, false);
        let inputs = case.inputs(num_rows);
        let (got32, got64) = values(&case, &inputs);
        assert_both(&got32, &got64, &plain::<f32>(&case, &inputs), &plain::<f64>(&case, &inputs));
    }
}

#[test]
fn gradients_match_the_reference_on_ragged_shapes() {
    for (num_rows, widths) in SHAPES {
        for backward in [false, true] {
            let case = Network::new(widths, backward);
            check_values(&case, &case.inputs(num_rows));
        }
    }
}

#[test]
fn gradients_are_those_of_differences_and_so_are_theirs() {
    for widths in [&[2, 3][..], &[2, 3, 2], &[1, 2, 2, 2]] {
        for backward in [false, true] {
            let case = Network::new(widths, backward);
            check_gradient(&case, &case.inputs(2));
        }
    }
}

/// The slope of the values where the input moves along its own slope.
#[test]
fn slopes_are_derivatives_of_the_values() {
    let case = Network::new(&[3, 6, 5, 4], false);
    let inputs = case.inputs(2);
    let (value, slope) = inputs[0].split_at(6);
    let moved = |by: f64| {
        let value = value.iter().zip(slope).map(|(x, d)| x + by * d).chain(slope.iter().copied());
        values(&case, &[value.collect(), inputs[1].clone()]).1
    };
    let exact = moved(0.0);
    let (up, down) = (moved(1e-5), moved(-1e-5));
    for at in 0..8 {
        let difference = (up[at] - down[at]) / 2e-5;
        assert!((difference - exact[8 + at]).abs() < 1e-9, "{difference} is not {}", exact[8 + at]);
    }
}

#[test]
fn no_rows_give_nothing_and_a_gradient_of_zero() {
    let case = Network::new(&[2, 3, 4], true);
    let none = |width| Tensor::<Cpu, 3>::zeros([2, 0, width], &Device::<Cpu>::default());
    let weights = Tensor::ones([18], &Device::<Cpu>::default());
    assert_eq!(
        silu_network::silu_network(none(2), weights.clone(), &case.network).dims(),
        [2, 0, 4]
    );
    let (x, w) = silu_network::silu_network_backward(none(4), none(2), weights, &case.network);
    assert_eq!((x.dims(), host(w)), ([2, 0, 2], vec![0.0; 18]));
}

#[test]
fn a_nan_spoils_its_own_row_only() {
    let case = Network::new(&[2, 3, 4], false);
    let mut inputs = case.inputs(3);
    inputs[0][2] = f64::NAN;
    let got = values(&case, &inputs).0;
    let spoiled: Vec<_> = got.chunks(4).map(|row| row.iter().all(|x| x.is_nan())).collect();
    assert_eq!(spoiled, [false, true, false, false, true, false]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for backward in [false, true] {
        let case = Network::new(&[8, 20, 40], backward);
        let inputs = case.inputs(900);
        assert_eq!(values_with_threads(&case, &inputs, 1), values_with_threads(&case, &inputs, 3));
    }
}

#[test]
#[should_panic(expected = "3 widths and 1 factors")]
fn widths_and_factors_that_disagree_are_named() {
    SiluNetwork::new(vec![1, 2, 3], vec![1.0]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let network = || SiluNetwork::new(vec![2, 3], vec![1.0]);
    vec![
        refusal("silu_network: `weights` is [5] but must be [6]", move || {
            silu_network::silu_network(zeros([2, 4, 2]), zeros([5]), &network())
        }),
        refusal("silu_network_backward: `grad` is [2, 4, 2] but must be [2, 4, 3]", move || {
            silu_network::silu_network_backward(
                zeros([2, 4, 2]),
                zeros([2, 4, 2]),
                zeros([6]),
                &network(),
            )
        }),
    ]
}
