//! The views that linear maps give to matrix products, on the emulator, against the reference.

use burn::tensor::DType;

use super::super::{WeightLayout, reference};
use super::{Shape, forward, input_backward, weight_backward};
use crate::machine::cuda::Element;
use crate::machine::cuda::emulator::{Emulator, GuardedArray, assert_as_reference};
use crate::testing::{host, numbers, shaped};
use crate::{Cpu, Precision};

fn inputs(shape: Shape) -> [Vec<f64>; 4] {
    let Shape { tokens: n, inputs: i, outputs: o, .. } = shape;
    [numbers(n * i, 1), numbers(i * o, 2), numbers(o, 3), numbers(n * o, 4)]
}

fn emulated(machine: &Emulator, shape: Shape, element: Element) -> Vec<f64> {
    let [x, w, b, g] = inputs(shape).map(|values| machine.array_of(element, &values));
    let y = forward(machine, [&x, &w], Some(&b), None, shape);
    let without_bias = forward(machine, [&x, &w], None, None, shape);
    let onto = forward(machine, [&x, &w], Some(&b), Some(&g), shape);
    let dx = input_backward(machine, &g, &w, shape);
    let dw = weight_backward(machine, &g, &x, shape);
    [y, without_bias, onto, dx, dw].iter().flat_map(GuardedArray::values).collect()
}

fn plain(shape: Shape, dtype: DType) -> Vec<f64> {
    let Shape { tokens, inputs: i, outputs: o, layout, precision } = shape;
    let [x, w, b, g] = inputs(shape);
    let stored = match layout {
        WeightLayout::OutIn => [o, i],
        WeightLayout::InOut => [i, o],
    };
    let [x, w, g] = [(x, [tokens, i]), (w, stored), (g, [tokens, o])]
        .map(|(values, sizes)| shaped::<Cpu, 2>(&values, sizes, dtype));
    let b = shaped::<Cpu, 1>(&b, [o], dtype);
    let y = reference::forward(x.clone(), w.clone(), Some(b.clone()), layout, precision);
    let without_bias = reference::forward(x.clone(), w.clone(), None, layout, precision);
    let onto = reference::residual(g.clone(), x.clone(), w.clone(), Some(b), layout, precision);
    let dx = reference::input_backward(g.clone(), w, layout, precision);
    let dw = reference::weight_backward(g, x, layout, precision);
    [y, without_bias, onto, dx, dw].map(host).concat()
}

#[test]
fn emulated_linear_maps_match_the_reference_in_both_layouts_and_precisions() {
    let Some(machine) = Emulator::find() else { return };
    for [tokens, inputs, outputs] in [[1, 1, 1], [5, 7, 3], [2, 33, 9]] {
        for layout in [WeightLayout::OutIn, WeightLayout::InOut] {
            for precision in [Precision::Full, Precision::Bf16Mixed] {
                let shape = Shape { tokens, inputs, outputs, layout, precision };
                let got = [Element::F32, Element::F64].map(|e| emulated(&machine, shape, e));
                let want = [DType::F32, DType::F64].map(|dtype| plain(shape, dtype));
                assert_as_reference([&got[0], &got[1]], [&want[0], &want[1]], 2 * inputs);
            }
        }
    }
}
