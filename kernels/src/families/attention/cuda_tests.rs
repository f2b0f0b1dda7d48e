//! Both files of kernels on the emulator against the reference: tiles, ragged packs, caches, shared heads.

use burn::tensor::{DType, Tensor};

use super::super::gpu::{Inputs, Known};
use super::super::{AttentionProblem, reference};
use super::{backward, forward};
use crate::machine::cuda::emulated::narrow;
use crate::machine::cuda::emulator::{Emulator, GuardedArray};
use crate::machine::cuda::product::Product;
use crate::machine::cuda::{CudaMachine, Element, Launch, Limits, Machine};
use crate::oracle::{Oracle, assert_matches, assert_within};
use crate::testing::{assert_both, host, numbers, shaped};
use crate::{Cpu, Precision};

struct Case {
    problem: AttentionProblem,
    /// H, G, D
    sizes: [usize; 3],
    /// q, k, v, g
    inputs: [Vec<f64>; 4],
}

const RESULTS: [&str; 5] = ["output", "log-sum-exp", "dq", "dk", "dv"];

impl Case {
    fn new(problem: AttentionProblem, sizes: [usize; 3]) -> Self {
        let [heads, shared, width] = sizes;
        let rows = |starts: &[u32]| starts.last().map_or(0, |&last| last as usize);
        let (n, m) = (rows(&problem.query_starts), rows(&problem.key_starts));
        let counts = [n * heads, m * shared, m * shared, n * heads].map(|rows| rows * width);
        let inputs = [1, 2, 3, 4].map(|seed| numbers(counts[seed - 1], seed as u64));
        Self { problem, sizes, inputs }
    }

    fn packed(starts: &[u32], causal: bool, sizes: [usize; 3], precision: Precision) -> Self {
        // Scores of size one and more, so that weights differ.
        let scale = 4.0 / (sizes[2] as f64).sqrt();
        Self::new(AttentionProblem::packed(starts, causal, scale, precision), sizes)
    }

    fn mixed(&self, precision: Precision) -> AttentionProblem {
        AttentionProblem { precision, ..self.problem.clone() }
    }

    fn shapes(&self) -> [[usize; 3]; 2] {
        let [heads, shared, width] = self.sizes;
        let rows = |x: &[f64], heads: usize| x.len() / (heads * width);
        let [n, m] = [rows(&self.inputs[0], heads), rows(&self.inputs[1], shared)];
        [[n, heads, width], [m, shared, width]]
    }

    /// Output, log-sum-exp, gradients of q, k and v.
    fn emulated(&self, machine: &Emulator, element: Element) -> Vec<Vec<f64>> {
        let arrays = self.inputs.each_ref().map(|x| machine.array_of(element, x));
        self.computed(machine, &arrays)
    }

    fn computed<M: CudaMachine<Array = GuardedArray>>(
        &self,
        machine: &M,
        [q, k, v, grad]: &[GuardedArray; 4],
    ) -> Vec<Vec<f64>> {
        let [query_shape, key_shape] = self.shapes();
        let inputs = Inputs { q, k, v, query_shape, key_shape, problem: &self.problem };
        let [output, log_sum_exp] = forward(machine, &inputs);
        let known = Known { grad, output: &output, log_sum_exp: &log_sum_exp };
        let gradients = backward(machine, &inputs, &known);
        [output, log_sum_exp].iter().chain(&gradients).map(GuardedArray::values).collect()
    }

    fn reference(&self, dtype: DType, precision: Precision) -> Vec<Vec<f64>> {
        let [queries, keys] = self.shapes();
        let of = |at: usize, shape| shaped::<Cpu, 3>(&self.inputs[at], shape, dtype);
        let [q, k, v, grad] = [of(0, queries), of(1, keys), of(2, keys), of(3, queries)];
        let problem = self.mixed(precision);
        let (output, lse): (Tensor<Cpu, 3>, Tensor<Cpu, 2>) =
            reference::forward(q.clone(), k.clone(), v.clone(), &problem);
        let (dq, dk, dv) = reference::backward(grad, q, k, v, output.clone(), &lse, &problem);
        vec![host(output), host(lse), host(dq), host(dk), host(dv)]
    }

    /// Says which comparison comes, so that a failure stands below its name.
    #[expect(clippy::print_stdout, reason = "a failed comparison follows its name")]
    fn name(&self, result: &str) {
        println!("{:?} {:?} {result}", self.problem, self.sizes);
    }

    /// Against the reference in f32 and f64. The gradients together: what cancels in one of them, all of
    /// it for a single key, errs by roundings of the size of the others.
    fn check_full(&self, machine: &Emulator) {
        let joined = |of: Vec<Vec<f64>>| [of[0].clone(), of[1].clone(), of[2..].concat()];
        let got = [Element::F32, Element::F64].map(|to| joined(self.emulated(machine, to)));
        let want = [DType::F32, DType::F64].map(|to| joined(self.reference(to, Precision::Full)));
        for at in 0..3 {
            self.name(RESULTS[at]);
            assert_both(&got[0][at], &got[1][at], &narrow(&want[0][at]), &want[1][at]);
        }
    }

    /// Rounded products: no further from the exact result than twice what the reference's own roundings
    /// cost, and output and log-sum-exp close to what the reference gives with the same roundings.
    fn check_mixed(&self, machine: &Emulator, element: Element) {
        let got = self.emulated(machine, element);
        let exact = self.reference(DType::F64, Precision::Full);
        let mixed =
            [DType::F32, DType::F64].map(|dtype| self.reference(dtype, Precision::Bf16Mixed));
        let epsilon = f64::from(f32::EPSILON);
        for at in 0..5 {
            self.name(RESULTS[at]);
            let oracle = Oracle { exact: &exact[at], same_precision: &mixed[0][at], epsilon };
            assert_matches(&got[at], &oracle, 2.0);
        }
        // Weights are rounded relative to the largest score so far: where a later key has a larger one,
        // both roundings, 2^-9 of a weight each, are independent. Weights sum to one, v is below one.
        let oracle =
            |at: usize| Oracle { exact: &mixed[1][at], same_precision: &mixed[0][at], epsilon };
        let allowed = oracle(0).tolerance(2.0) + 2f64.powi(-8);
        assert_within(&got[0], &mixed[1][0], |_| allowed);
        assert_matches(&got[1], &oracle(1), crate::testing::FEW_VALUES_SLACK);
    }
}

/// A segment of one, ragged segments, and lengths around the tile of 64.
const STARTS: [&[u32]; 6] =
    [&[0, 1], &[0, 5], &[0, 4, 5, 9, 11], &[0, 64], &[0, 65, 66], &[0, 31, 94, 226]];
const SIZES: [[usize; 3]; 4] = [[1, 1, 1], [4, 2, 16], [3, 1, 33], [2, 2, 64]];

#[test]
fn emulated_attention_and_its_gradients_match_the_reference_in_full_precision() {
    let Some(machine) = Emulator::find() else { return };
    for starts in STARTS {
        for causal in [false, true] {
            for sizes in SIZES {
                Case::packed(starts, causal, sizes, Precision::Full).check_full(&machine);
            }
        }
    }
}

#[test]
fn emulated_wide_heads_match_the_reference_in_full_precision() {
    let Some(machine) = Emulator::find() else { return };
    for width in [100, 128, 130, 256] {
        Case::packed(&[0, 3, 37], true, [2, 1, width], Precision::Full).check_full(&machine);
    }
}

/// `(query starts, key starts)` of caches: a single new token, several, lengths past a tile.
const CACHES: [[&[u32]; 2]; 3] =
    [[&[0, 1, 3], &[0, 3, 6]], [&[0, 5, 6], &[0, 70, 71]], [&[0, 66], &[0, 140]]];

fn cached(at: usize, causal: bool, precision: Precision) -> AttentionProblem {
    let [queries, keys] = CACHES[at];
    let packed = AttentionProblem::packed(&[0, 1], causal, 0.6, precision);
    AttentionProblem { query_starts: queries.into(), key_starts: keys.into(), ..packed }
}

#[test]
fn emulated_queries_after_a_cache_match_the_reference() {
    let Some(machine) = Emulator::find() else { return };
    for at in 0..CACHES.len() {
        for causal in [false, true] {
            let sizes = [4, 2, 20];
            Case::new(cached(at, causal, Precision::Full), sizes).check_full(&machine);
            let mixed = cached(at, causal, Precision::Bf16Mixed);
            Case::new(mixed, sizes).check_mixed(&machine, Element::F32);
        }
    }
}

#[test]
fn emulated_tensor_cores_match_the_mixed_reference_for_ragged_segments_and_shared_heads() {
    let Some(machine) = Emulator::find() else { return };
    for starts in [&[0, 1][..], &[0, 5], &[0, 4, 5, 9, 11], &[0, 65, 66]] {
        for causal in [false, true] {
            for sizes in [[1, 1, 1], [4, 2, 16], [3, 1, 33], [2, 1, 64]] {
                let case = Case::packed(starts, causal, sizes, Precision::Bf16Mixed);
                case.check_mixed(&machine, Element::F32);
            }
        }
    }
}

/// Blocks of 128 queries, of 128 and 64 keys, stages of 64 and 32 rows, and one row around them.
#[test]
fn emulated_tensor_cores_match_the_mixed_reference_around_their_tiles() {
    let Some(machine) = Emulator::find() else { return };
    for (width, lengths) in [(64, [63, 64, 129]), (128, [31, 33, 129])] {
        for length in lengths {
            let starts = [0, length];
            let causal = length != 64;
            let case = Case::packed(&starts, causal, [1, 1, width], Precision::Bf16Mixed);
            case.check_mixed(&machine, Element::F32);
        }
    }
}

#[test]
fn emulated_tensor_cores_match_the_mixed_reference_for_every_width_of_a_tile() {
    let Some(machine) = Emulator::find() else { return };
    for width in [15, 24, 48, 80, 90, 112] {
        let case = Case::packed(&[0, 20, 57], true, [2, 1, width], Precision::Bf16Mixed);
        case.check_mixed(&machine, Element::F32);
    }
}

/// An emulator whose blocks get the 99 KiB of shared memory that `sm_86` and `sm_89` give them. Source: CUDA
/// C++ Programming Guide, "Technical Specifications per Compute Capability".
struct Small(Emulator);

impl Machine for Small {
    type Array = GuardedArray;

    fn array(&self, element: Element, len: usize) -> GuardedArray {
        self.0.array(element, len)
    }

    fn zeros(&self, element: Element, len: usize) -> GuardedArray {
        self.0.zeros(element, len)
    }

    fn upload(&self, values: &[u32]) -> GuardedArray {
        self.0.upload(values)
    }

    fn launch(&self, launch: Launch<'_, GuardedArray>) {
        let bytes = launch.shared_bytes;
        assert!(bytes <= 99 * 1024, "`{}` asks for {bytes} bytes", launch.entry);
        self.0.launch(launch);
    }
}

impl CudaMachine for Small {
    fn limits(&self) -> Limits {
        Limits { shared_bytes: 99 * 1024, ..self.0.limits() }
    }

    fn multiply(&self, product: Product<'_, GuardedArray>) {
        self.0.multiply(product);
    }
}

#[test]
fn with_less_shared_memory_emulated_tensor_cores_give_the_same_bits() {
    let Some(machine) = Emulator::find() else { return };
    let case = Case::packed(&[0, 20, 150], true, [1, 1, 128], Precision::Bf16Mixed);
    let want = case.emulated(&machine, Element::F32);
    let arrays = case.inputs.each_ref().map(|x| machine.array_of(Element::F32, x));
    assert!(case.computed(&Small(machine), &arrays) == want);
}

#[test]
fn emulated_rounded_multiplications_serve_f64_and_heads_beyond_the_tensor_cores() {
    let Some(machine) = Emulator::find() else { return };
    let case = |width| Case::packed(&[0, 20, 57], true, [2, 1, width], Precision::Bf16Mixed);
    case(24).check_mixed(&machine, Element::F64);
    case(130).check_mixed(&machine, Element::F32);
}

#[test]
fn emulated_scales_of_zero_and_below_match_the_mixed_reference() {
    let Some(machine) = Emulator::find() else { return };
    for scale in [-0.7, 0.0] {
        let mut case = Case::packed(&[0, 3, 12], true, [2, 1, 8], Precision::Bf16Mixed);
        case.problem.scale = scale;
        case.check_mixed(&machine, Element::F32);
    }
}

#[test]
fn emulated_scores_beyond_the_range_of_the_exponential_give_the_best_key() {
    let Some(machine) = Emulator::find() else { return };
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let mut case = Case::packed(&[0, 2], false, [1, 1, 1], precision);
        case.problem.scale = 1.0;
        case.inputs = [vec![16384.0; 2], vec![1.0, -1.0], vec![3.0, 5.0], vec![1.0; 2]];
        assert_eq!(case.emulated(&machine, Element::F32)[0], [3.0, 3.0]);
    }
}

#[test]
fn an_emulated_nan_stays_in_its_document_and_reaches_who_sees_it() {
    let Some(machine) = Emulator::find() else { return };
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let mut case = Case::packed(&[0, 2, 4], false, [1, 1, 2], precision);
        case.inputs[1][0] = f64::NAN;
        let got = case.emulated(&machine, Element::F32);
        for (at, name) in RESULTS.into_iter().enumerate() {
            let half = got[at].len() / 2;
            assert!(got[at][..half].iter().all(|x| x.is_nan()), "{name} {:?}", got[at]);
            assert!(got[at][half..].iter().all(|x| x.is_finite()), "{name} {:?}", got[at]);
        }
    }
}

#[test]
fn changing_one_document_leaves_the_emulated_bits_of_another() {
    let Some(machine) = Emulator::find() else { return };
    for precision in [Precision::Full, Precision::Bf16Mixed] {
        let case = Case::packed(&[0, 4, 13], false, [2, 1, 4], precision);
        let mut changed = Case::packed(&[0, 4, 13], false, [2, 1, 4], precision);
        for x in &mut changed.inputs {
            let first = x.len() * 4 / 13;
            x[..first].iter_mut().for_each(|x| *x = 1.0 - 3.0 * *x);
        }
        let [before, after] = [&case, &changed].map(|case| case.emulated(&machine, Element::F32));
        for (before, after) in before.iter().zip(&after) {
            let first = before.len() * 4 / 13;
            assert!(before[..first] != after[..first] && before[first..] == after[first..]);
        }
    }
}

#[test]
fn without_queries_nothing_is_launched() {
    let Some(machine) = Emulator::find() else { return };
    let case = Case::packed(&[0], true, [2, 1, 4], Precision::Bf16Mixed);
    assert!(case.emulated(&machine, Element::F32).concat().is_empty());
}

#[test]
#[should_panic(expected = "attention: heads of 257 numbers")]
fn heads_wider_than_the_kernels_hold_are_refused() {
    let Some(machine) = Emulator::find() else {
        unreachable!("attention: heads of 257 numbers cannot be refused without a compiler")
    };
    Case::packed(&[0, 1], true, [1, 1, 257], Precision::Full).emulated(&machine, Element::F32);
}
