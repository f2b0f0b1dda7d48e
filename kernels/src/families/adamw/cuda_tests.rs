//! `adamw.cu` on the emulator against the reference, in place and not, at every tail of a pack.

use burn::tensor::DType;

use super::super::{AdamwStep, AmsgradState, reference};
use super::step;
use crate::Cpu;
use crate::machine::cuda::emulator::{Emulator, GuardedArray, assert_as_reference};
use crate::machine::cuda::{Element, Machine};
use crate::testing::{flat, host, numbers};

const COUNTS: [usize; 7] = [1, 2, 3, 4, 7, 1023, 2051];
/// Operations one after the other on the longest path of an element.
const TERMS: usize = 12;

const STEP: AdamwStep = AdamwStep {
    rate: 1e-2,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weight_decay: 0.1,
    step: 3,
    grad_scale: 0.5,
};

/// Parameters, moments, largest moments; then the gradient.
fn buffers(count: usize) -> [Vec<f64>; 5] {
    let squares = |seed| numbers(count, seed).iter().map(|x| x * x).collect();
    [numbers(count, 1), numbers(count, 2), squares(3), squares(4), numbers(count, 5)]
}

fn emulated(machine: &Emulator, buffers: &[Vec<f64>; 5], element: Element, ams: bool) -> Vec<f64> {
    let [p, m, v, u, g] = buffers.each_ref().map(|values| machine.array_of(element, values));
    let new = || machine.array(element, buffers[0].len());
    let out = [new(), new(), new(), new()];
    if ams {
        step(machine, &g, [&p, &m, &v, &u], out.each_ref(), &STEP);
        return out.iter().flat_map(GuardedArray::values).collect();
    }
    step(machine, &g, [&p, &m, &v], [&out[0], &out[1], &out[2]], &STEP);
    out[..3].iter().flat_map(GuardedArray::values).collect()
}

fn plain(buffers: &[Vec<f64>; 5], dtype: DType, ams: bool) -> Vec<f64> {
    let [param, first, second, largest, grad] =
        buffers.each_ref().map(|values| flat::<Cpu>(values, dtype));
    if ams {
        let state = AmsgradState { param, first, second, largest };
        let state = reference::amsgrad(state, grad, &STEP);
        return [state.param, state.first, state.second, state.largest].map(host).concat();
    }
    let (p, m, v) = reference::step(param, grad, first, second, &STEP);
    [p, m, v].map(host).concat()
}

#[test]
fn emulated_steps_of_both_rules_match_the_reference() {
    let Some(machine) = Emulator::find() else { return };
    for count in COUNTS {
        let buffers = buffers(count);
        for ams in [false, true] {
            let got = [Element::F32, Element::F64].map(|e| emulated(&machine, &buffers, e, ams));
            let want = [DType::F32, DType::F64].map(|dtype| plain(&buffers, dtype, ams));
            assert_as_reference([&got[0], &got[1]], [&want[0], &want[1]], TERMS);
        }
    }
}

#[test]
fn a_step_in_place_gives_the_bits_of_one_into_new_memory() {
    let Some(machine) = Emulator::find() else { return };
    let buffers = buffers(1031);
    let apart = emulated(&machine, &buffers, Element::F32, true);
    let [p, m, v, u, g] = buffers.map(|values| machine.array_of(Element::F32, &values));
    step(&machine, &g, [&p, &m, &v, &u], [&p, &m, &v, &u], &STEP);
    let within: Vec<f64> = [p, m, v, u].iter().flat_map(GuardedArray::values).collect();
    assert_eq!(within, apart);
}

#[test]
fn emulated_steps_keep_a_nan_to_its_own_parameter() {
    let Some(machine) = Emulator::find() else { return };
    let mut buffers = buffers(9);
    buffers[4][6] = f64::NAN;
    for ams in [false, true] {
        let got = emulated(&machine, &buffers, Element::F32, ams);
        assert!(got.iter().enumerate().all(|(at, x)| x.is_nan() == (at % 9 == 6)), "{got:?}");
    }
}

#[test]
fn empty_buffers_take_no_launch() {
    let Some(machine) = Emulator::find() else { return };
    assert!(emulated(&machine, &buffers(0), Element::F32, true).is_empty());
}
