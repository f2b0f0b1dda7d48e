//! Runs a kernel compiled for the best instruction set of this processor.
//!
//! A kernel is a [`Job`], written for the packs of any [`Set`]; its body is inlined into one
//! function per instruction set. What the processor can do is asked once and remembered by the
//! standard library.

use super::baseline::Baseline;
use super::pack::Set;
#[cfg(target_arch = "x86_64")]
use super::{
    bf16::Avx512Bf16,
    vectors::{Avx2, Avx512},
};

/// A piece of work whose inner loops are compiled once per instruction set.
///
/// `run` must be `#[inline(always)]`, and so must what it calls, or its packs go through memory;
/// the result is then right but slow.
pub(crate) trait Job {
    fn run<S: Set>(self);
}

/// Runs `job` with AVX-512, AVX2 with FMA, or what every processor has.
pub(crate) fn run<J: Job>(job: J) {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has each of the enabled features, checked right above.
            return unsafe { avx512(job) };
        }
        if avx2 {
            // SAFETY: the processor has both enabled features, checked right above.
            return unsafe { avx256(job) };
        }
    }
    job.run::<Baseline>();
}

/// As [`run`], with AVX512-BF16 where the processor has it: for jobs that use [`Set::Bf16`].
pub(crate) fn run_mixed<J: Job>(job: J) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
    {
        // SAFETY: the processor has each of the enabled features, checked right above.
        return unsafe { avx512_bf16(job) };
    }
    run(job);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512bf16,avx512bw,avx512f,avx512vl,avx2,fma")]
fn avx512_bf16<J: Job>(job: J) {
    job.run::<Avx512Bf16>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn avx512<J: Job>(job: J) {
    job.run::<Avx512>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx256<J: Job>(job: J) {
    job.run::<Avx2>();
}

/// Runs the jobs that `job` makes on every instruction set that this processor has.
#[cfg(test)]
pub(crate) fn run_everywhere<J: Job>(job: impl Fn() -> J) {
    for choice in choices() {
        run_with(choice, job());
    }
    run_mixed(job());
}

/// An instruction set to run a job with in a test.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// What [`run`] takes.
    Best,
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

/// Every choice that this processor has.
#[cfg(test)]
pub(crate) fn choices() -> Vec<Choice> {
    let mut all = vec![Choice::Best, Choice::Plain];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        all.push(Choice::Avx2);
    }
    all
}

/// Runs `job` with one of [`choices`].
#[cfg(test)]
pub(crate) fn run_with<J: Job>(choice: Choice, job: J) {
    match choice {
        Choice::Best => run(job),
        Choice::Plain => job.run::<Baseline>(),
        #[cfg(target_arch = "x86_64")]
        Choice::Avx2 => {
            // SAFETY: `choices` names this only where the processor has both features.
            unsafe { avx256(job) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Element, Lanes, Moving, Number};
    use super::*;

    /// `sum of (x + x x - 2)` over ragged packs, with its derivative along ones, `1 + 2 x`.
    struct Check<'a> {
        values: &'a [f32],
        out: &'a mut [f32],
    }

    impl Job for Check<'_> {
        #[inline(always)]
        fn run<S: Set>(self) {
            let packs = self.values.chunks(S::F32::LANES).zip(self.out.chunks_mut(S::F32::LANES));
            for (values, out) in packs {
                let x = Moving::of(S::F32::load(values), || S::F32::splat(1.0));
                let two = Moving::constant(S::F32::splat(2.0));
                x.add(x.mul(x)).sub(two).result().store(out);
            }
        }
    }

    struct Sum<'a>(&'a [f32], &'a mut f32);

    impl Job for Sum<'_> {
        #[inline(always)]
        fn run<S: Set>(self) {
            let double: Vec<f64> = self.0.iter().copied().map(f64::from).collect();
            let lanes = S::F64::LANES;
            let halves = |mut x: Vec<f64>| {
                while x.len() > 1 {
                    let (low, high) = x.split_at(x.len() / 2);
                    x = low.iter().zip(high).map(|(a, b)| a + b).collect();
                }
                x[0]
            };
            let want = halves(double[..lanes].to_vec());
            assert_eq!(S::F64::load(&double[..lanes]).sum().to_bits(), want.to_bits());
            *self.1 = S::F32::load(&self.0[..S::F32::LANES]).sum();
        }
    }

    /// Numbers whose sums depend on the order: with 16 lanes halves cancel the large ones first.
    #[test]
    fn lanes_are_summed_by_halves_on_every_instruction_set() {
        for choice in choices() {
            let mut values = [0.25; 16];
            let mut sum = 0.0;
            (values[0], values[1]) = (1e9, -1e9);
            run_with(choice, Sum(&values, &mut sum));
            // The large ones meet last, when each has swallowed what was added to it.
            assert!(sum.abs() < 1e-6, "{choice:?}: {sum}");
        }
    }

    struct Sums<'a>(&'a [f64]);

    impl Job for Sums<'_> {
        #[inline(always)]
        fn run<S: Set>(self) {
            let single: Vec<f32> = self.0.iter().map(|&x| f32::of(x)).collect();
            check_sums::<S::F32>(&single);
            check_sums::<S::F64>(self.0);
        }
    }

    /// Of two squares and three packs, and of less than a square.
    #[inline(always)]
    fn check_sums<P: Lanes>(numbers: &[P::Base]) {
        for count in [0, 1, 3, P::LANES, 2 * P::LANES + 3] {
            let mut got = vec![numbers[1]; count];
            let packs = &numbers[..count * P::LANES];
            P::sums(packs, &mut got);
            let want: Vec<_> = packs.chunks(P::LANES).map(|pack| P::load(pack).sum()).collect();
            assert!(got == want, "{count} packs of {}: {got:?} are not {want:?}", P::LANES);
        }
    }

    #[test]
    fn many_sums_of_lanes_are_each_the_sum_alone() {
        let numbers: Vec<f64> = (0..35 * 16).map(|at| (f64::from(at) * 0.37).sin() * 1e3).collect();
        for choice in choices() {
            run_with(choice, Sums(&numbers));
        }
    }

    #[test]
    fn every_instruction_set_here_computes_the_same_ragged_packs() {
        let values: Vec<f32> = (0..37_u8).map(f32::from).collect();
        let want: Vec<f32> = values.iter().map(|x| 1.0 + 2.0 * x).collect();
        for choice in choices() {
            let mut out = vec![0.0; 37];
            run_with(choice, Check { values: &values, out: &mut out });
            assert_eq!(out, want, "{choice:?}");
        }
    }
}
