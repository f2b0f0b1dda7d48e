//! What only a GPU can prove of the crossing between Burn's work and ours: any interleaving has the bits of
//! one that waits for everything. And what a crossing costs.

use std::time::Instant;

use burn::tensor::{DType, Tensor};

use super::check_device;
use super::device_tests::has_device;
use crate::families::linear::WeightLayout;
use crate::families::{linear, norm, precision};
use crate::testing::{flat, host, numbers, shaped};
use crate::{Cuda, Precision};

/// A small generator for which interleaving comes next; its bits are those of the kernels' own.
fn choice(step: u64, among: usize) -> usize {
    (crate::families::dropout::philox4x32(2025, step, 0)[0] as usize) % among
}

/// One of several operations on a pool of vectors: Burn's and ours by turns, results dropped while in flight.
fn mixed(pool: &mut [Tensor<Cuda, 2>], weight: &Tensor<Cuda, 1>, step: u64) {
    let at = choice(2 * step, pool.len());
    let other = pool[choice(2 * step + 1, pool.len())].clone();
    let x = pool[at].clone();
    pool[at] = match step % 7 {
        0 => x.add(other).mul_scalar(0.5),
        1 => norm::rms_norm(x, weight.clone(), 1e-5),
        2 => x.mul(other).tanh(),
        3 => norm::layer_norm(x, weight.clone(), weight.clone(), 1e-5),
        4 => {
            let (dx, dweight) = norm::rms_norm_backward(other, x, weight.clone(), 1e-5);
            // Half of the result is dropped before the device has computed it.
            drop(dweight);
            dx
        }
        5 => precision::round_to_bf16(x.add(other)),
        _ => {
            let [rows, width] = x.dims();
            let square = other.slice([0..width.min(rows), 0..width]);
            let square = Tensor::cat(vec![square; width.div_ceil(rows.min(width))], 0);
            let square = square.slice([0..width, 0..width]).mul_scalar(1.0 / width as f64);
            linear::linear(x, square, None, WeightLayout::InOut, Precision::Full)
        }
    };
}

/// Bits of the pool after so many steps; `waits` synchronises after every one.
fn interleaved(steps: u64, sizes: [usize; 2], waits: bool) -> Vec<u64> {
    let mut pool: Vec<Tensor<Cuda, 2>> = (0..6)
        .map(|seed| shaped::<Cuda, 2>(&numbers(sizes[0] * sizes[1], seed), sizes, DType::F32))
        .collect();
    let weight = flat::<Cuda>(&numbers(sizes[1], 9), DType::F32);
    for step in 0..steps {
        mixed(&mut pool, &weight, step);
        if waits {
            check_device(0).expect("the device works");
        }
    }
    pool.into_iter().flat_map(host).map(f64::to_bits).collect()
}

#[test]
fn any_interleaving_of_burns_work_and_ours_has_the_bits_of_one_that_waits() {
    if !has_device() {
        return;
    }
    // Small arrays finish before the next launch, large ones overlap many of them.
    for (steps, sizes) in [(3000, [7, 33]), (1500, [512, 384]), (300, [4096, 1024])] {
        let free = interleaved(steps, sizes, false);
        let waiting = interleaved(steps, sizes, true);
        assert!(free == waiting, "{steps} steps on {sizes:?} differ when nobody waits");
        check_device(0).expect("the device works");
    }
}

#[test]
fn two_threads_of_burns_work_and_ours_have_the_bits_of_one() {
    if !has_device() {
        return;
    }
    let alone = interleaved(700, [256, 96], true);
    let threads: Vec<_> =
        (0..2).map(|_| std::thread::spawn(|| interleaved(700, [256, 96], false))).collect();
    for thread in threads {
        assert!(thread.join().expect("the thread ends") == alone);
    }
}

/// Printed, not judged: a record says what it should be.
#[test]
fn the_cost_of_a_crossing_is_printed() {
    if !has_device() {
        return;
    }
    let x = shaped::<Cuda, 2>(&numbers(32, 1), [1, 32], DType::F32);
    let weight = flat::<Cuda>(&numbers(32, 2), DType::F32);
    let time = |operation: &dyn Fn() -> Tensor<Cuda, 2>| {
        let calls = 2000;
        for _ in 0..100 {
            let _ = operation();
        }
        check_device(0).expect("the device works");
        let start = Instant::now();
        for _ in 0..calls {
            let _ = operation();
        }
        check_device(0).expect("the device works");
        1e6 * start.elapsed().as_secs_f64() / f64::from(calls)
    };
    let ours = time(&|| norm::rms_norm(x.clone(), weight.clone(), 1e-5));
    let burns = time(&|| x.clone().mul_scalar(2.0));
    println!("a kernel of ours {ours:.2} us a call, one of Burn's {burns:.2} us");
}
