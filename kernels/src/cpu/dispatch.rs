//! Runs a kernel compiled for the best instruction set of this processor.
//!
//! A kernel is a [`Job`]; its body is inlined into one function per instruction set, so plain
//! loops over [`Pack`](super::Pack)s become vector instructions of that set. Detection is cached
//! by the standard library.

/// A piece of work whose inner loops are compiled once per instruction set.
///
/// `run` must be `#[inline(always)]`, and so must what it calls, or it is compiled for the
/// baseline; the result is then right but slow.
pub(crate) trait Job {
    /// `FUSED` says whether multiply-add is one instruction here.
    fn run<const FUSED: bool>(self);
}

/// Runs `job` with AVX-512, AVX2 with FMA, or what every processor of the architecture has.
pub(crate) fn run<J: Job>(job: J) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
        {
            // SAFETY: the processor has each of the enabled features, checked right above.
            return unsafe { avx512(job) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has both enabled features, checked right above.
            return unsafe { avx2(job) };
        }
    }
    // On AArch64 the baseline includes NEON with fused multiply-add.
    #[cfg(target_arch = "aarch64")]
    job.run::<true>();
    #[cfg(not(target_arch = "aarch64"))]
    job.run::<false>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn avx512<J: Job>(job: J) {
    job.run::<true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<J: Job>(job: J) {
    job.run::<true>();
}
