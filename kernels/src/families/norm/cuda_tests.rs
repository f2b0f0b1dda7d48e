//! `norm.cu` on the emulator against the reference in f64: ragged, tiny and empty shapes, NaN.

use burn::tensor::DType;

use super::super::reference;
use super::{Rows, backward, forward};
use crate::Cpu;
use crate::machine::cuda::Element;
use crate::machine::cuda::emulator::{Emulator, GuardedArray, assert_as_reference};
use crate::testing::{host, numbers, shaped};

const EPSILON: f64 = 1e-5;

/// Widths around a pack, a warp's registers and a block's; the last takes the variant that reads again.
/// Wide rows come in numbers, so that the largest error in f32 is not that of a few lucky sums.
const SHAPES: [[usize; 2]; 14] = [
    [1, 1],
    [3, 2],
    [5, 7],
    [9, 33],
    [12, 256],
    [17, 257],
    [16, 600],
    [16, 1025],
    [16, 2050],
    [16, 3000],
    [16, 4097],
    [16, 8192],
    [16, 8193],
    [1100, 5],
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Norm {
    Rms,
    Layer,
}

struct Problem {
    norm: Norm,
    sizes: [usize; 2],
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    grad: Vec<f64>,
}

impl Problem {
    fn new(norm: Norm, sizes: [usize; 2]) -> Self {
        let [rows, width] = sizes;
        let [x, grad] = [1, 4].map(|seed| numbers(rows * width, seed));
        Self { norm, sizes, x, weight: numbers(width, 2), bias: numbers(width, 3), grad }
    }

    /// Output, gradient of x, of the weight and of the bias, one after the other.
    fn emulated(&self, machine: &Emulator, element: Element) -> Vec<f64> {
        let array = |values: &[f64]| machine.array_of(element, values);
        let [x, weight, bias, grad] =
            [&self.x, &self.weight, &self.bias, &self.grad].map(|v| array(v));
        let of = Rows { count: self.sizes[0], width: self.sizes[1], epsilon: EPSILON };
        let results: Vec<GuardedArray> = match self.norm {
            Norm::Rms => {
                let (dx, [dweight]) = backward(machine, [&grad, &x, &weight], of);
                vec![forward(machine, &x, &weight, None, of), dx, dweight]
            }
            Norm::Layer => {
                let (dx, [dw, db]) = backward(machine, [&grad, &x, &weight], of);
                vec![forward(machine, &x, &weight, Some(&bias), of), dx, dw, db]
            }
        };
        results.iter().flat_map(GuardedArray::values).collect()
    }

    fn reference(&self, dtype: DType) -> Vec<f64> {
        let matrix = |values: &[f64]| shaped::<Cpu, 2>(values, self.sizes, dtype);
        let vector = |values: &[f64]| shaped::<Cpu, 1>(values, [self.sizes[1]], dtype);
        let (x, grad) = (matrix(&self.x), matrix(&self.grad));
        let (w, b) = (vector(&self.weight), vector(&self.bias));
        match self.norm {
            Norm::Rms => {
                let y = reference::rms_norm(x.clone(), w.clone(), EPSILON);
                let (dx, dw) = reference::rms_norm_backward(grad, x, w, EPSILON);
                [host(y), host(dx), host(dw)].concat()
            }
            Norm::Layer => {
                let y = reference::layer_norm(x.clone(), w.clone(), b, EPSILON);
                let (dx, dw, db) = reference::layer_norm_backward(grad, x, w, EPSILON);
                [host(y), host(dx), host(dw), host(db)].concat()
            }
        }
    }

    fn check(&self, machine: &Emulator) {
        let got = [Element::F32, Element::F64].map(|element| self.emulated(machine, element));
        let want = [DType::F32, DType::F64].map(|dtype| self.reference(dtype));
        let terms = self.sizes[0].max(self.sizes[1]);
        assert_as_reference([&got[0], &got[1]], [&want[0], &want[1]], terms);
    }
}

#[test]
fn emulated_norms_match_the_reference_for_ragged_and_tiny_shapes() {
    let Some(machine) = Emulator::find() else { return };
    for sizes in SHAPES {
        for norm in [Norm::Rms, Norm::Layer] {
            Problem::new(norm, sizes).check(&machine);
        }
    }
}

#[test]
fn empty_rows_launch_nothing_and_give_gradients_of_zero() {
    let Some(machine) = Emulator::find() else { return };
    assert_eq!(Problem::new(Norm::Rms, [0, 3]).emulated(&machine, Element::F32), [0.0; 3]);
    assert_eq!(Problem::new(Norm::Layer, [0, 2]).emulated(&machine, Element::F64), [0.0; 4]);
    assert_eq!(Problem::new(Norm::Layer, [2, 0]).emulated(&machine, Element::F64), [0.0; 0]);
}

#[test]
fn emulated_norms_keep_a_nan_within_its_row_and_its_column_sums() {
    let Some(machine) = Emulator::find() else { return };
    for norm in [Norm::Rms, Norm::Layer] {
        let mut problem = Problem::new(norm, [3, 5]);
        problem.x[7] = f64::NAN;
        let got = problem.emulated(&machine, Element::F32);
        let want = problem.reference(DType::F64);
        let nan = |values: &[f64]| values.iter().map(|x| x.is_nan()).collect::<Vec<_>>();
        assert_eq!(nan(&got), nan(&want), "{norm:?}");
        assert!(got[5..10].iter().all(|x| x.is_nan()));
    }
}

#[test]
fn the_same_rows_give_the_same_bits() {
    let Some(machine) = Emulator::find() else { return };
    let problem = Problem::new(Norm::Layer, [700, 36]);
    let bits = || {
        problem.emulated(&machine, Element::F32).into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(bits(), bits());
}
