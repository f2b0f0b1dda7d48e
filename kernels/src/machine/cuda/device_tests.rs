//! What only a GPU can prove of kernels: each against the CPU. Families of atoms have theirs beside their
//! tests on the emulator.
//!
//! Without one these tests print that they are skipped; where `REQUIRE_DEVICE` names `cuda` they fail instead.

use burn::tensor::{DType, Tensor};
use burn_cuda::CudaDevice;

use super::product::{Compute, Matrices, Product};
use super::{Array, CudaError, CudaMachine, Element, device, device_facts, driver};
use crate::families::linear::WeightLayout;
use crate::families::{adamw, linear, norm, precision, reduce};
use crate::machine::Tensors;
use crate::oracle::{Oracle, assert_within, ulp};
use crate::testing::{Case, FEW_VALUES_SLACK, flat, host, numbers, shaped, tensors};
use crate::{AdamwStep, AmsgradState, Cpu, Cuda, Kernels, Precision};

/// Is there a device? Says so when there is none, and fails when there must be.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn has_device() -> bool {
    let required = std::env::var_os("REQUIRE_DEVICE")
        .is_some_and(|names| names.to_string_lossy().split(',').any(|name| name == "cuda"));
    let found = if driver::is_present() { device_facts(0) } else { Err(CudaError::NoDriver) };
    match found {
        Ok(_) => true,
        Err(error) => {
            assert!(!required, "REQUIRE_DEVICE names cuda: {error}");
            println!("SKIPPED: no cuda device ({error})");
            false
        }
    }
}

/// Asserts that f32 on the device errs as little as the reference in f32 on the CPU does.
#[track_caller]
#[expect(clippy::print_stdout, reason = "a failed comparison follows its name")]
pub(crate) fn check(name: &str, got: &[f64], narrow: &[f64], exact: &[f64]) {
    let oracle = Oracle { exact, same_precision: narrow, epsilon: f64::from(f32::EPSILON) };
    let largest = exact.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let spacing = ulp(largest, oracle.epsilon);
    let allowed = FEW_VALUES_SLACK * oracle.natural_error().max(0.5 * spacing) + spacing;
    println!("{name}: allowed {allowed:e}");
    assert_within(got, exact, |_| allowed);
}

/// Asserts the same of a case of a family, through the trait.
#[track_caller]
pub(crate) fn check_case(name: &str, case: &impl Case, inputs: &[Vec<f64>]) {
    let got = host(case.kernel(&tensors::<Cuda>(inputs, DType::F32)));
    let plain = |dtype| host(case.reference(&tensors::<Cpu>(inputs, dtype)));
    check(name, &got, &plain(DType::F32), &plain(DType::F64));
}

const SHAPES: [[usize; 2]; 7] =
    [[1, 1], [5, 7], [33, 257], [64, 768], [7, 1030], [2, 9000], [3000, 20]];

/// Both norms and their gradients, through the trait, on any backend.
fn norms<B: Kernels>([rows, width]: [usize; 2], dtype: DType) -> Vec<f64> {
    let matrix = |seed| shaped::<B, 2>(&numbers(rows * width, seed), [rows, width], dtype);
    let vector = |seed| flat::<B>(&numbers(width, seed), dtype);
    let (x, g, w, b) = (matrix(1), matrix(2), vector(3), vector(4));
    let (dx, dw) = norm::rms_norm_backward(g.clone(), x.clone(), w.clone(), 1e-5);
    let (lx, lw, lb) = norm::layer_norm_backward(g, x.clone(), w.clone(), 1e-5);
    let rms = norm::rms_norm(x.clone(), w.clone(), 1e-5);
    let layer = norm::layer_norm(x, w, b, 1e-5);
    [host(dx), host(dw), host(lx), host(lw), host(lb), host(rms), host(layer)].concat()
}

#[test]
fn norms_on_the_device_match_the_cpu_for_all_variants() {
    if !has_device() {
        return;
    }
    for sizes in SHAPES {
        let [narrow, exact] = [DType::F32, DType::F64].map(|dtype| norms::<Cpu>(sizes, dtype));
        check(&format!("norms {sizes:?}"), &norms::<Cuda>(sizes, DType::F32), &narrow, &exact);
    }
}

fn step(number: u64) -> AdamwStep {
    AdamwStep {
        rate: 1e-2,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: number,
        grad_scale: 0.5,
    }
}

/// Three steps of both rules and a sum of squares, through the trait.
fn optimizers<B: Kernels>(count: usize, dtype: DType) -> Vec<f64> {
    let of = |seed| flat::<B>(&numbers(count, seed), dtype);
    let mut adamw = (of(1), of(2), of(3).abs());
    let mut state =
        AmsgradState { param: of(1), first: of(2), second: of(3).abs(), largest: of(4).abs() };
    for number in 1..=3 {
        let grad = of(10 + number);
        adamw = adamw::adamw(adamw.0, grad.clone(), adamw.1, adamw.2, &step(number));
        state = adamw::amsgrad(state, grad, &step(number));
    }
    let sum = host(reduce::sum_of_squares(of(5))).iter().map(|x| x / count.max(1) as f64).collect();
    let adamw = [adamw.0, adamw.1, adamw.2].map(host).concat();
    let state = [state.param, state.first, state.second, state.largest].map(host).concat();
    [adamw, state, sum].concat()
}

#[test]
fn optimizers_and_sums_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for count in [1, 3, 1027, 8193, 300_001] {
        let [narrow, exact] = [DType::F32, DType::F64].map(|of| optimizers::<Cpu>(count, of));
        let got = optimizers::<Cuda>(count, DType::F32);
        check(&format!("optimizers {count}"), &got, &narrow, &exact);
    }
}

/// A linear map and its gradients, through the trait.
fn maps<B: Kernels>(
    [n, i, o]: [usize; 3],
    layout: WeightLayout,
    precision: Precision,
    dtype: DType,
) -> Vec<f64> {
    let stored = if layout == WeightLayout::OutIn { [o, i] } else { [i, o] };
    let x = shaped::<B, 2>(&numbers(n * i, 1), [n, i], dtype);
    let w = shaped::<B, 2>(&numbers(i * o, 2), stored, dtype);
    let b = flat::<B>(&numbers(o, 3), dtype);
    let g = shaped::<B, 2>(&numbers(n * o, 4), [n, o], dtype);
    let y = linear::linear(x.clone(), w.clone(), Some(b.clone()), layout, precision);
    let (r, of, by) = (g.clone(), x.clone(), w.clone());
    let onto = linear::linear_residual(r, of, by, Some(b), layout, precision);
    let bare = linear::linear(x.clone(), w.clone(), None, layout, precision);
    let dx = linear::linear_input_backward(g.clone(), w, layout, precision);
    let dw = linear::linear_weight_backward(g, x, layout, precision);
    [y, onto, bare, dx, dw].map(host).concat()
}

#[test]
fn linear_maps_on_the_device_match_the_cpu_in_both_layouts_and_precisions() {
    if !has_device() {
        return;
    }
    for sizes in [[1, 1, 1], [5, 7, 3], [33, 65, 17], [128, 256, 64], [100, 768, 130]] {
        for layout in [WeightLayout::OutIn, WeightLayout::InOut] {
            for precision in [Precision::Full, Precision::Bf16Mixed] {
                let [narrow, exact] = [DType::F32, DType::F64]
                    .map(|dtype| maps::<Cpu>(sizes, layout, precision, dtype));
                let got = maps::<Cuda>(sizes, layout, precision, DType::F32);
                check(&format!("linear {sizes:?} {layout:?} {precision:?}"), &got, &narrow, &exact);
            }
        }
    }
}

/// Products of small integers are exact in every precision, so every element must be equal.
#[test]
fn products_of_views_are_exact_on_the_device_in_every_type() {
    if !has_device() {
        return;
    }
    let (batch, m, n, k) = (3, 5, 6, 9);
    let of = |count: usize, by: usize| -> Vec<f64> {
        (0..count).map(|at| (at * by % 7) as f64 - 3.0).collect()
    };
    let (a, b, start) = (of(batch * k * m, 5), of(batch * k * n, 3), of(batch * m * 8, 2));
    let bias = of(n, 4);
    let exact = |at: [usize; 3], bias: &[f64], accumulate: bool| -> f64 {
        let [z, row, column] = at;
        let term = |of: usize| a[z * k * m + of * m + row] * b[z * k * n + of * n + column];
        let sum: f64 = (0..k).map(term).sum();
        let old = if accumulate { start[z * m * 8 + row * 8 + column] } else { 0.0 };
        sum + bias.get(column).unwrap_or(&0.0) + old
    };
    let cases = [
        (DType::F32, Compute::Plain),
        (DType::F32, Compute::Tf32),
        (DType::F64, Compute::Plain),
        (DType::BF16, Compute::Plain),
    ];
    for (dtype, compute) in cases {
        let result = if dtype == DType::BF16 { DType::F32 } else { dtype };
        for (has_bias, accumulate) in [(false, false), (true, false), (false, true), (true, true)] {
            let out = device::on(&CudaDevice::default(), |machine| {
                let [a, b] = [&a, &b].map(|x| machine.input(flat::<Cuda>(x, dtype)));
                let out = machine.input(flat::<Cuda>(&start, result));
                let bias = machine.input(flat::<Cuda>(&bias, result));
                // Rows of six in memory of eight, so that rows have gaps.
                let rows =
                    Matrices { stride: 8, batch_stride: m * 8, ..Matrices::of(&out, [m, n]) };
                machine.multiply(Product {
                    bias: has_bias.then_some(&bias),
                    accumulate,
                    batch,
                    compute,
                    ..Product::of(
                        Matrices::of(&a, [k, m]).transpose(),
                        Matrices::of(&b, [k, n]),
                        rows,
                    )
                });
                machine.tensor(out, [batch * m * 8])
            });
            let got = host(out);
            for (at, got) in got.iter().enumerate() {
                let [z, row, column] = [at / (m * 8), at / 8 % m, at % 8];
                let bias = if has_bias { &bias[..] } else { &[] };
                let want =
                    if column < n { exact([z, row, column], bias, accumulate) } else { start[at] };
                assert_within(&[*got], &[want], |_| 0.0);
            }
        }
    }
}

#[test]
fn a_product_without_terms_is_its_bias_and_an_empty_one_is_nothing() {
    if !has_device() {
        return;
    }
    let x = Tensor::<Cuda, 2>::zeros([3, 0], &CudaDevice::default());
    let w = Tensor::<Cuda, 2>::zeros([2, 0], &CudaDevice::default());
    let b = flat::<Cuda>(&[1.5, -2.0], DType::F32);
    let y = linear::linear(x, w, Some(b), WeightLayout::OutIn, Precision::Full);
    assert_eq!(host(y), [1.5, -2.0, 1.5, -2.0, 1.5, -2.0]);
}

#[test]
fn rounding_on_the_device_has_the_bits_of_the_cpu() {
    if !has_device() {
        return;
    }
    let x: Vec<f64> = numbers(5003, 4).into_iter().chain([f64::NAN, f64::INFINITY]).collect();
    let got = host(precision::round_to_bf16(flat::<Cuda>(&x, DType::F32)));
    let want = host(precision::round_to_bf16(flat::<Cpu>(&x, DType::F32)));
    assert_within(&got, &want, |_| 0.0);
}

/// f64 through arrays: what Burn does not do in f64 is not needed for it.
#[test]
fn kernels_in_f64_match_the_cpu_on_the_device() {
    if !has_device() {
        return;
    }
    let sizes @ [rows, width] = [33, 257];
    let values = numbers(rows * width, 1);
    let weight = numbers(width, 3);
    let (y, is_f64) = device::on(&CudaDevice::default(), |machine| {
        let x = machine.input(flat::<Cuda>(&values, DType::F64));
        let w = machine.input(flat::<Cuda>(&weight, DType::F64));
        let of = norm::gpu::Rows { count: rows, width, epsilon: 1e-5 };
        let y = norm::gpu::forward(machine, &x, &w, None, of);
        let is_f64 = y.element() == Element::F64;
        (machine.tensor(y, [rows * width]), is_f64)
    });
    assert!(is_f64);
    let x = shaped::<Cpu, 2>(&values, sizes, DType::F64);
    let w = flat::<Cpu>(&weight, DType::F64);
    let want = host(norm::rms_norm(x, w, 1e-5));
    let largest = want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    // As many additions, each half a spacing of the largest.
    assert_within(&host(y), &want, |_| width as f64 * ulp(largest, f64::EPSILON));
}
