//! What only a GPU can prove of the sequence families: each through the trait against the CPU.
//!
//! Sizes pass the tiles; what the emulator proves of edges is not repeated.

use burn::tensor::DType;

use super::device_tests::{check, has_device};
use crate::families::{attention, cross_entropy, dropout, embedding, gelu, rotary, silu, swiglu};
use crate::oracle::{Oracle, assert_matches, assert_within};
use crate::testing::{flat, host, ints, numbers, shaped};
use crate::{
    AttentionProblem, Cpu, Cuda, DropoutMask, GeluKind, Kernels, LossAndGradients, Precision,
};

/// Compares every result of the device in f32 with those of the CPU in f32 and in f64.
fn check_all(name: &str, got: &[Vec<f64>], narrow: &[Vec<f64>], exact: &[Vec<f64>]) {
    for (at, got) in got.iter().enumerate() {
        check(&format!("{name}, result {at}"), got, &narrow[at], &exact[at]);
    }
}

/// All elementwise families, forward and backward.
fn activations<B: Kernels>(sizes: [usize; 2], dtype: DType) -> Vec<Vec<f64>> {
    let of = |seed| {
        let values: Vec<f64> = numbers(sizes[0] * sizes[1], seed).iter().map(|x| 4.0 * x).collect();
        shaped::<B, 2>(&values, sizes, dtype)
    };
    let (x, up, grad) = (of(1), of(2), of(3));
    let mut results = vec![];
    for kind in [GeluKind::Erf, GeluKind::Tanh] {
        results.push(gelu::gelu(x.clone(), kind));
        results.push(gelu::gelu_backward(grad.clone(), x.clone(), kind));
    }
    results.push(swiglu::swiglu(x.clone(), up.clone()));
    let (dgate, dup) = swiglu::swiglu_backward(grad.clone(), x.clone(), up.clone());
    results.extend([dgate, dup, silu::silu(x.clone())]);
    results.push(silu::silu_slope(grad.clone(), x.clone()));
    results.push(silu::silu_bend(grad, up, x));
    results.into_iter().map(host).collect()
}

#[test]
fn activations_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for sizes in [[1, 1], [7, 130], [300, 1024]] {
        let [narrow, exact] = [DType::F32, DType::F64].map(|of| activations::<Cpu>(sizes, of));
        let got = activations::<Cuda>(sizes, DType::F32);
        check_all(&format!("activations {sizes:?}"), &got, &narrow, &exact);
    }
}

fn rotated<B: Kernels>([n, h, d]: [usize; 3], dtype: DType) -> Vec<Vec<f64>> {
    let table = |seed| shaped::<B, 2>(&numbers(n * d / 2, seed), [n, d / 2], dtype);
    let x = shaped::<B, 3>(&numbers(n * h * d, 1), [n, h, d], dtype);
    vec![host(rotary::rotary(x, table(2), table(3)))]
}

#[test]
fn rotations_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for sizes in [[1, 1, 2], [33, 3, 10], [500, 12, 64]] {
        let [narrow, exact] = [DType::F32, DType::F64].map(|of| rotated::<Cpu>(sizes, of));
        let got = rotated::<Cuda>(sizes, DType::F32);
        check_all(&format!("rotary {sizes:?}"), &got, &narrow, &exact);
    }
}

/// Dropout, lookup and the gradient of a table: the same bits on every backend.
fn exact_operations<B: Kernels>([rows, width, tokens]: [usize; 3]) -> Vec<f64> {
    let ids: Vec<i32> =
        (0..tokens).map(|at| i32::try_from(at * at * 7 % rows).expect("small")).collect();
    let of =
        |count, seed| shaped::<B, 2>(&numbers(count * width, seed), [count, width], DType::F32);
    let mask = DropoutMask { rate: 0.3, key: 0x0123_4567_89ab_cdef, index: 9 };
    let dropped = dropout::dropout(of(tokens, 1), &mask);
    let y = embedding::embedding(of(rows, 2), ints::<B>(&ids));
    let table = embedding::embedding_backward(of(tokens, 3), ints::<B>(&ids), rows);
    [dropped, y, table].map(host).concat()
}

#[test]
fn dropout_lookups_and_their_gradients_have_the_bits_of_the_cpu() {
    if !has_device() {
        return;
    }
    for sizes in [[1, 1, 1], [40, 260, 700], [5000, 64, 20_000]] {
        assert!(exact_operations::<Cuda>(sizes) == exact_operations::<Cpu>(sizes), "{sizes:?}");
    }
}

/// Loss, log-sum-exp and gradients, with a bias and some rows without a label.
fn cross_entropy<B: Kernels>(
    [n, c, v]: [usize; 3],
    precision: Precision,
    dtype: DType,
) -> Vec<Vec<f64>> {
    let label =
        |at: usize| if at % 5 == 3 { -100 } else { i32::try_from(at * 31 % v).expect("small") };
    let labels: Vec<i32> = (0..n).map(label).collect();
    let LossAndGradients { loss, log_sum_exp, hidden, weight, bias } =
        cross_entropy::linear_cross_entropy_gradients(
            shaped::<B, 2>(&numbers(n * c, 1), [n, c], dtype),
            shaped::<B, 2>(&numbers(v * c, 2), [v, c], dtype),
            Some(flat::<B>(&numbers(v, 3), dtype)),
            ints::<B>(&labels),
            precision,
        );
    let bias = host(bias.expect("there is a bias"));
    vec![host(loss), host(log_sum_exp), host(hidden), host(weight), bias]
}

/// Sums of as many terms as rows or classes, of size one, are added in another order on the device: each
/// addition rounds. Mixed, operands round: the CPU's mixed results say how far that may lead.
#[test]
fn losses_and_their_gradients_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for sizes @ [rows, _, classes] in [[5, 4, 7], [300, 64, 33], [257, 128, 5003]] {
        let exact = cross_entropy::<Cpu>(sizes, Precision::Full, DType::F64);
        for precision in [Precision::Full, Precision::Bf16Mixed] {
            let narrow = cross_entropy::<Cpu>(sizes, precision, DType::F32);
            let got = cross_entropy::<Cuda>(sizes, precision, DType::F32);
            for (at, got) in got.iter().enumerate() {
                let epsilon = f64::from(f32::EPSILON);
                let oracle = Oracle { exact: &exact[at], same_precision: &narrow[at], epsilon };
                let terms = [rows, 1, classes, rows, rows][at] as f64;
                println!("{sizes:?} {precision:?}, result {at}");
                assert_within(got, &exact[at], |_| oracle.tolerance(2.0) + terms * epsilon);
            }
        }
    }
}

/// Output, log-sum-exp and gradients.
fn attended<B: Kernels>(
    problem: &AttentionProblem,
    [h, g, d]: [usize; 3],
    dtype: DType,
) -> Vec<Vec<f64>> {
    let rows = |starts: &[u32]| starts.last().map_or(0, |&last| last as usize);
    let (n, m) = (rows(&problem.query_starts), rows(&problem.key_starts));
    let of = |rows, heads, seed| {
        shaped::<B, 3>(&numbers(rows * heads * d, seed), [rows, heads, d], dtype)
    };
    let (q, k, v, grad) = (of(n, h, 1), of(m, g, 2), of(m, g, 3), of(n, h, 4));
    let (output, lse) = attention::attention(q.clone(), k.clone(), v.clone(), problem);
    let (dq, dk, dv) =
        attention::attention_backward(grad, q, k, v, output.clone(), lse.clone(), problem);
    vec![host(output), host(lse), [dq, dk, dv].map(host).concat()]
}

const PACKS: [&[u32]; 4] = [&[0, 1], &[0, 5, 6, 140], &[0, 129, 641], &[0, 1024]];
const HEADS: [[usize; 3]; 5] = [[1, 1, 1], [4, 2, 20], [2, 2, 64], [6, 2, 128], [2, 1, 200]];

fn packed(starts: &[u32], causal: bool, width: usize, precision: Precision) -> AttentionProblem {
    AttentionProblem::packed(starts, causal, 4.0 / (width as f64).sqrt(), precision)
}

#[test]
fn attention_on_the_device_matches_the_cpu_in_full_precision() {
    if !has_device() {
        return;
    }
    for starts in PACKS {
        for causal in [false, true] {
            for sizes in HEADS {
                let problem = packed(starts, causal, sizes[2], Precision::Full);
                let [narrow, exact] =
                    [DType::F32, DType::F64].map(|dtype| attended::<Cpu>(&problem, sizes, dtype));
                let got = attended::<Cuda>(&problem, sizes, DType::F32);
                let name = format!("attention {starts:?} {sizes:?} causal {causal}");
                check_all(&name, &got, &narrow, &exact);
            }
        }
    }
}

/// No further from the exact result than twice what rounded operands cost on the CPU.
#[test]
fn attention_on_tensor_cores_errs_no_more_than_its_roundings_do() {
    if !has_device() {
        return;
    }
    for starts in PACKS {
        for causal in [false, true] {
            for sizes in HEADS {
                let full = packed(starts, causal, sizes[2], Precision::Full);
                let mixed = packed(starts, causal, sizes[2], Precision::Bf16Mixed);
                let exact = attended::<Cpu>(&full, sizes, DType::F64);
                let narrow = attended::<Cpu>(&mixed, sizes, DType::F32);
                let got = attended::<Cuda>(&mixed, sizes, DType::F32);
                for (at, got) in got.iter().enumerate() {
                    println!("attention {starts:?} {sizes:?} causal {causal}, result {at}");
                    let epsilon = f64::from(f32::EPSILON);
                    let oracle = Oracle { exact: &exact[at], same_precision: &narrow[at], epsilon };
                    assert_matches(got, &oracle, 2.0);
                }
            }
        }
    }
}

/// Gradients have passes of their own and no atomics, so nothing depends on which block ends first.
#[test]
fn attention_on_the_device_gives_the_same_bits_again() {
    if !has_device() {
        return;
    }
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let problem = packed(&[0, 300, 1324], true, 64, precision);
        let run = || attended::<Cuda>(&problem, [4, 2, 64], DType::F32);
        let first = run();
        for _ in 0..5 {
            assert!(run() == first, "{precision:?}");
        }
    }
}
