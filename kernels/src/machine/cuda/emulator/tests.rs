//! The emulator itself: what the prelude computes, and that errors of kernels are found and named.

use half::bf16;

use super::{Emulator, GuardedArray};
use crate::machine::cuda::CudaMachine;
use crate::machine::cuda::product::{Compute, Matrices, Product};
use crate::machine::launch::{Launch, Number, Source};
use crate::machine::{Array, Element, Machine};
use crate::testing::numbers;

static RIGHT: Source = Source::of("machine/cuda/emulator/right.cu", include_str!("right.cu"));
static WRONG: Source = Source::of("machine/cuda/emulator/wrong.cu", include_str!("wrong.cu"));

fn launch<'a>(source: &'a Source, entry: &'static str) -> Launch<'a, GuardedArray> {
    Launch::of(source, entry)
}

fn complaint(launch: &Launch<'_, GuardedArray>) -> String {
    Emulator::run(launch).expect_err("the kernel is wrong")
}

fn floats(machine: &Emulator, values: &[f64]) -> GuardedArray {
    machine.array_of(Element::F32, values)
}

#[test]
fn sums_and_maxima_over_a_block_are_the_same_in_every_thread() {
    let Some(machine) = Emulator::find() else { return };
    for threads in [32, 96, 1024] {
        let x = numbers(threads as usize, 1);
        let (input, sum) = (floats(&machine, &x), machine.array(Element::F32, x.len()));
        let most = machine.array(Element::F32, x.len());
        let launch = launch(&RIGHT, "block_totals").block(threads);
        machine.launch(launch.input(&input).output(&sum).output(&most));
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(most.values().iter().all(|&x| x.to_bits() == largest.to_bits()));
        let sums = sum.values();
        assert!(sums.iter().all(|x| x.to_bits() == sums[0].to_bits()));
        // Eleven additions one after the other, of numbers of size one.
        let tolerance = 11.0 * f64::from(f32::EPSILON) * x.iter().map(|x| x.abs()).sum::<f64>();
        assert!((sums[0] - x.iter().sum::<f64>()).abs() <= tolerance);
    }
}

#[test]
fn a_nan_of_any_lane_is_the_largest_of_its_block() {
    let Some(machine) = Emulator::find() else { return };
    for at in [0, 31, 32, 63] {
        let mut x = vec![1.0; 64];
        x[at] = f64::NAN;
        let (input, sum) = (floats(&machine, &x), machine.array(Element::F32, 64));
        let most = machine.zeros(Element::F32, 64);
        let launch = launch(&RIGHT, "block_totals").block(64);
        machine.launch(launch.input(&input).output(&sum).output(&most));
        assert!(most.values().iter().all(|x| x.is_nan()));
    }
}

#[test]
fn fragments_out_of_shared_memory_multiply_as_matrices_do() {
    let Some(machine) = Emulator::find() else { return };
    // Small integers: bf16 holds them and f32 their sums, so that the product is exact.
    let a: Vec<f64> = (0..256).map(|at| f64::from(at * 7 % 13 - 6)).collect();
    let b: Vec<f64> = (0..128).map(|at| f64::from(at * 5 % 11 - 5)).collect();
    let [left, right] = [&a, &b].map(|values| machine.array_of(Element::Bf16, values));
    let out = machine.array(Element::F32, 128);
    machine.launch(launch(&RIGHT, "multiply_fragments").input(&left).input(&right).output(&out));
    let exact = |row: usize, column: usize| -> f64 {
        (0..16).map(|k| a[row * 16 + k] * b[k * 8 + column]).sum()
    };
    let want: Vec<f64> = (0..128).map(|at| exact(at / 8, at % 8)).collect();
    assert_eq!(out.values(), want);
}

#[test]
fn words_of_philox_are_those_of_the_cpu() {
    let Some(machine) = Emulator::find() else { return };
    let (key, index) = (0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210);
    let out = machine.array(Element::U32, 32 * 4);
    let launch = launch(&RIGHT, "philox_words").output(&out);
    machine.launch(launch.number(Number::U64(key)).number(Number::U64(index)));
    let lane = |lane: u64| crate::families::dropout::philox4x32(key, (lane << 32) + lane, index);
    let want: Vec<f64> = (0..32).flat_map(lane).map(f64::from).collect();
    assert_eq!(out.values(), want);
}

#[test]
fn rounding_to_bf16_in_a_kernel_is_that_of_the_cpu() {
    let Some(machine) = Emulator::find() else { return };
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 3.4e38, 1.003_906_25, 1e-40];
    let mut x: Vec<f64> = numbers(249, 5).into_iter().chain(special).collect();
    // 1 + 2^-8 and its odd neighbour 1 + 3 2^-8 are ties.
    x.push(1.0 + 3.0 * 2f64.powi(-8));
    x.resize(288, 0.25);
    let (input, out) = (floats(&machine, &x), machine.array(Element::Bf16, x.len()));
    machine.launch(launch(&RIGHT, "to_bf16").grid(9).input(&input).output(&out));
    for (at, got) in out.bytes().chunks_exact(2).enumerate() {
        let got = bf16::from_ne_bytes([got[0], got[1]]);
        #[expect(clippy::cast_possible_truncation, reason = "what the kernel was given")]
        let want = bf16::from_f32(x[at] as f32);
        assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "{}", x[at]);
    }
}

#[test]
fn copies_arrive_when_they_are_waited_for() {
    let Some(machine) = Emulator::find() else { return };
    let x = numbers(256, 6);
    let (input, out) = (floats(&machine, &x), machine.array(Element::F32, 256));
    machine.launch(launch(&RIGHT, "copy_in_two_groups").shared(1024).input(&input).output(&out));
    assert_eq!(out.values(), x);
}

#[test]
fn lanes_vote_and_shift_within_their_warp() {
    let Some(machine) = Emulator::find() else { return };
    let out = machine.array(Element::U32, 192);
    machine.launch(launch(&RIGHT, "votes_and_shifts").block(64).output(&out));
    for (thread, of) in out.values().chunks_exact(3).enumerate() {
        let lane = thread % 32;
        let shifted = if lane < 30 { thread + 2 } else { thread };
        let expected = [0x4924_9249, shifted, thread - lane + 5].map(|x| x as f64);
        assert_eq!(of, expected, "multiples of three, two lanes further, lane 5");
    }
}

#[test]
fn a_barrier_that_some_threads_miss_is_reported() {
    let Some(machine) = Emulator::find() else { return };
    let out = machine.array(Element::F32, 64);
    let said = complaint(&launch(&WRONG, "divergent_barrier").block(64).output(&out));
    assert!(said.contains("threads of a block wait at different barriers"), "{said}");
    assert!(said.starts_with("divergent_barrier, block (0, 0, 0)"), "{said}");
    let said = complaint(&launch(&WRONG, "divergent_shuffle").output(&out));
    assert!(said.contains("which not all threads reach"), "{said}");
}

#[test]
fn a_missing_barrier_shows_as_numbers_nobody_wrote() {
    let Some(machine) = Emulator::find() else { return };
    let out = machine.zeros(Element::F32, 64);
    machine.launch(launch(&WRONG, "missing_barrier").block(64).output(&out));
    assert!(out.values().iter().any(|x| x.is_nan()));
}

#[test]
fn memory_outside_of_arrays_is_neither_read_nor_written() {
    let Some(machine) = Emulator::find() else { return };
    let (x, out) = (floats(&machine, &[1.0; 32]), machine.array(Element::F32, 32));
    let run = |entry, offset| {
        let launch = launch(&WRONG, entry).input(&x).output(&out);
        Emulator::run(&launch.number(Number::I32(offset)))
    };
    assert_eq!(run("read_at", 0), Ok(()));
    assert!(
        run("read_at", 1)
            .is_err_and(|said| said.contains("thread (31, 0, 0): reads or writes outside"))
    );
    assert!(run("write_at", 1).is_err_and(|said| said.contains("outside of its arrays")));
    assert!(
        run("write_at", -1).is_err_and(|said| said.contains("wrote around its array 1 (`out`)"))
    );
}

#[test]
fn misaligned_vectors_and_unfinished_copies_are_reported() {
    let Some(machine) = Emulator::find() else { return };
    let (x, out) = (floats(&machine, &[1.0; 256]), machine.array(Element::F32, 256));
    let of = |entry| complaint(&launch(&WRONG, entry).shared(1024).input(&x).output(&out));
    assert!(of("misaligned_vector").contains("a misaligned vector"));
    assert!(of("forgotten_copy").contains("ends with copies it never waited for"));
    assert!(of("shuffle_from_nobody").contains("which takes no part"));
}

#[test]
fn a_failed_grid_leaves_the_emulator_usable() {
    let Some(machine) = Emulator::find() else { return };
    let out = machine.array(Element::F32, 64);
    assert!(Emulator::run(&launch(&WRONG, "divergent_barrier").block(64).output(&out)).is_err());
    sums_and_maxima_over_a_block_are_the_same_in_every_thread();
}

#[test]
fn products_of_views_take_transposes_batches_bias_and_sums() {
    let Some(machine) = Emulator::find() else { return };
    // Two matrices a^T [3, 2] and one shared b [3, 2]; exact in small integers.
    let a = machine.array_of(Element::F64, &(1..=12).map(f64::from).collect::<Vec<_>>());
    let b = machine.array_of(Element::F64, &[1.0, 0.0, 2.0, -1.0, 0.0, 3.0]);
    let out = machine.array_of(Element::F64, &[100.0; 8]);
    let bias = machine.array_of(Element::F64, &[10.0, 20.0]);
    let shared = Matrices { batch_stride: 0, ..Matrices::of(&b, [3, 2]) };
    machine.multiply(Product {
        bias: Some(&bias),
        accumulate: true,
        batch: 2,
        compute: Compute::Plain,
        ..Product::of(Matrices::of(&a, [3, 2]).transpose(), shared, Matrices::of(&out, [2, 2]))
    });
    // a^T = [[1, 3, 5], [2, 4, 6]]: row 0 is (1 + 6, -3 + 15), row 1 (2 + 8, -4 + 18).
    let want = [117.0, 132.0, 120.0, 134.0, 135.0, 144.0, 138.0, 146.0];
    assert_eq!(out.values(), want);
    assert_eq!(out.len(), 8);
}
