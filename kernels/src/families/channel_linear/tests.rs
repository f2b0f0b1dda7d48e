//! The three forms against plain loops and each other, on ragged shapes and any division by species.

use burn::tensor::{Device, Tensor};

use super::{ChannelLinear, DegreeMap, reference};
use crate::families::channel_linear;
use crate::families::refusals_tests::Refusal;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, host, numbers, values,
    values_with_threads,
};
use crate::{Cpu, Kernels, RowIndex};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Form {
    Output,
    Input,
    Weights,
}

pub(super) const FORMS: [Form; 3] = [Form::Output, Form::Input, Form::Weights];

pub(super) struct Linear {
    pub(super) form: Form,
    pub(super) map: ChannelLinear,
    pub(super) num_nodes: usize,
    /// Rows of x, some of which may be left unread.
    pub(super) num_rows: usize,
}

impl Linear {
    pub(super) fn new(
        form: Form,
        num_nodes: usize,
        copies: &[usize],
        channels: usize,
        s: usize,
    ) -> Self {
        let degree = |(l, &copies): (usize, &usize)| {
            let factor = 1.5 / (l + 1) as f64;
            DegreeMap { copies, factor }
        };
        // Species 1 is left without nodes where there are more than two.
        let of = |node: usize| {
            if s > 2 { [0, 2][node % 7 % 2] } else { u32::from(node.is_multiple_of(3)) }
        };
        let species: Vec<u32> = (0..num_nodes).map(of).collect();
        let map = ChannelLinear {
            degrees: copies.iter().enumerate().map(degree).collect(),
            channels,
            species: (s > 1).then(|| RowIndex::new(&species, s)),
        };
        let num_rows = map.num_inputs();
        Self { form, map, num_nodes, num_rows }
    }

    pub(super) fn with_more_rows(mut self, more: usize) -> Self {
        self.num_rows += more;
        self
    }

    /// The two that the form reads, in its order.
    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let count = |rows: usize| self.num_nodes * rows * self.map.channels;
        let x = numbers(count(self.num_rows), 1);
        let weights = numbers(self.map.num_weights(), 2);
        let grad = numbers(count(self.map.num_outputs()), 3);
        match self.form {
            Form::Output => vec![x, weights],
            Form::Input => vec![grad, weights],
            Form::Weights => vec![grad, x],
        }
    }

    fn rows<B: Kernels>(&self, x: &Tensor<B, 1>, rows: usize) -> Tensor<B, 3> {
        x.clone().reshape([self.num_nodes, rows, self.map.channels])
    }
}

impl Case for Linear {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b] = [0, 1].map(|at: usize| inputs[at].clone());
        let (map, outputs) = (&self.map, self.map.num_outputs());
        match self.form {
            Form::Output => {
                channel_linear::channel_linear(self.rows(&a, self.num_rows), b, map).flatten(0, 2)
            }
            Form::Input => {
                channel_linear::channel_linear_input(self.rows(&a, outputs), b, self.num_rows, map)
                    .flatten(0, 2)
            }
            Form::Weights => channel_linear::channel_linear_weight(
                self.rows(&a, outputs),
                self.rows(&b, self.num_rows),
                map,
            ),
        }
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b] = [0, 1].map(|at: usize| inputs[at].clone());
        let (map, outputs) = (&self.map, self.map.num_outputs());
        match self.form {
            Form::Output => {
                reference::forward(&self.rows(&a, self.num_rows), &b, map).flatten(0, 2)
            }
            Form::Input => {
                reference::input(&self.rows(&a, outputs), &b, self.num_rows, map).flatten(0, 2)
            }
            Form::Weights => {
                reference::weight(&self.rows(&a, outputs), &self.rows(&b, self.num_rows), map)
            }
        }
    }
}

/// Every product of the trilinear form once, whichever slot is open.
fn plain<T: Real>(case: &Linear, inputs: &[Vec<f64>]) -> Vec<T> {
    let [a, b] = [0, 1].map(|at| cast::<T>(&inputs[at]));
    let (map, channels, s) = (&case.map, case.map.channels, case.map.num_species());
    let (m, o) = (case.num_rows, map.num_outputs());
    let len = match case.form {
        Form::Output => case.num_nodes * o * channels,
        Form::Input => case.num_nodes * m * channels,
        Form::Weights => map.num_weights(),
    };
    let mut out = vec![T::of(0.0); len];
    for node in 0..case.num_nodes {
        let z = map.species.as_ref().map_or(0, |species| species.rows()[node] as usize);
        for block in map.blocks() {
            let factor = T::of(block.factor);
            for component in 0..block.components {
                for u in 0..block.inputs {
                    for w in 0..channels {
                        let x = (node * m + block.first_input) * channels;
                        let x = x + component * block.inputs + u;
                        let g = (node * o + block.first_output + component) * channels + w;
                        let weight = block.first_weight + (u * s + z) * channels + w;
                        let (to, product) = match case.form {
                            Form::Output => (g, a[x] * b[weight]),
                            Form::Input => (x, a[g] * b[weight]),
                            Form::Weights => (weight, a[g] * b[x]),
                        };
                        out[to] = out[to] + factor * product;
                    }
                }
            }
        }
    }
    out
}

#[test]
fn all_forms_match_plain_loops_on_ragged_shapes() {
    for (num_nodes, copies, channels, s) in [
        (1, &[1][..], 1, 1),
        (5, &[2, 1], 3, 2),
        (40, &[1, 3, 2], 17, 3),
        (150, &[1, 1, 1, 1], 32, 1),
    ] {
        for form in FORMS {
            let case = Linear::new(form, num_nodes, copies, channels, s);
            let inputs = case.inputs();
            let (got32, got64) = values(&case, &inputs);
            let (plain32, plain64) = (plain::<f32>(&case, &inputs), plain::<f64>(&case, &inputs));
            assert_both(&got32, &got64, &plain32, &plain64);
            check_values(&case, &inputs);
        }
    }
}

#[test]
fn rows_behind_the_last_degree_are_not_read_and_have_no_gradient() {
    for form in FORMS {
        let case = Linear::new(form, 4, &[2, 1], 3, 2).with_more_rows(2);
        let inputs = case.inputs();
        let (got32, got64) = values(&case, &inputs);
        assert_both(&got32, &got64, &plain::<f32>(&case, &inputs), &plain::<f64>(&case, &inputs));
        check_values(&case, &inputs);
    }
}

#[test]
fn every_form_is_differentiated_by_the_others_twice() {
    for form in FORMS {
        check_gradient(
            &Linear::new(form, 2, &[1, 2], 2, 1),
            &Linear::new(form, 2, &[1, 2], 2, 1).inputs(),
        );
        let case = Linear::new(form, 3, &[1], 2, 2).with_more_rows(1);
        check_gradient(&case, &case.inputs());
    }
}

#[test]
fn no_nodes_give_nothing_and_a_gradient_of_zero() {
    let map = Linear::new(Form::Output, 0, &[1, 2], 3, 2).map;
    let none = |rows| Tensor::<Cpu, 3>::zeros([0, rows, 3], &Device::<Cpu>::default());
    let weights = || Tensor::ones([map.num_weights()], &Device::<Cpu>::default());
    assert_eq!(channel_linear::channel_linear(none(7), weights(), &map).dims(), [0, 4, 3]);
    assert_eq!(channel_linear::channel_linear_input(none(4), weights(), 9, &map).dims(), [0, 9, 3]);
    assert_eq!(host(channel_linear::channel_linear_weight(none(4), none(7), &map)), vec![0.0; 54]);
}

#[test]
fn a_nan_spoils_its_own_component_only() {
    let case = Linear::new(Form::Output, 2, &[1, 1], 2, 1);
    let mut inputs = case.inputs();
    inputs[0][3] = f64::NAN;
    let got = values(&case, &inputs).0;
    let spoiled: Vec<_> = got.chunks(2).map(|row| row.iter().all(|x| x.is_nan())).collect();
    assert_eq!(spoiled, [false, true, false, false, false, false, false, false]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    for form in FORMS {
        let case = Linear::new(form, 300, &[2, 1, 2], 32, 3);
        let inputs = case.inputs();
        assert_eq!(values_with_threads(&case, &inputs, 1), values_with_threads(&case, &inputs, 3));
    }
}

#[test]
#[should_panic(expected = "channel_linear")]
fn too_few_rows_are_named() {
    let map = Linear::new(Form::Output, 2, &[1, 2], 3, 1).map;
    let x = Tensor::<Cpu, 3>::zeros([2, 6, 3], &Device::<Cpu>::default());
    let weights = Tensor::ones([map.num_weights()], &Device::<Cpu>::default());
    let _ = channel_linear::channel_linear(x, weights, &map);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let nodes = |channels: usize| zeros([2, 1, channels]);
    let map = || {
        let degrees = [DegreeMap { copies: 1, factor: 1.0 }];
        ChannelLinear { degrees: degrees.into(), channels: 2, species: None }
    };
    vec![
        refusal("channel_linear: `weights` is [3] but must be [4]", move || {
            channel_linear::channel_linear(nodes(2), zeros([3]), &map())
        }),
        refusal("channel_linear_input: `grad` is [2, 1, 1] but must be [2, 1, 2]", move || {
            channel_linear::channel_linear_input(nodes(1), zeros([4]), 1, &map())
        }),
        refusal("channel_linear_weight: `grad` is [2, 1, 1] but must be [2, 1, 2]", move || {
            channel_linear::channel_linear_weight(nodes(1), nodes(2), &map())
        }),
    ]
}
