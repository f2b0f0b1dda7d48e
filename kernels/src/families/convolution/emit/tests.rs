//! The emitted text: that no term is lost, and that it stays small. Results are tested with the host
//! sides.

use super::super::Paths;
use super::{harmonics, radial, to_edges, to_receivers};
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_compile;
use crate::machine::emit::Kernel;

fn all(paths: &Paths, channels: usize) -> Vec<Kernel> {
    let mut all = to_receivers(paths, channels);
    all.extend(to_edges(paths, channels));
    all.extend(radial(paths, channels));
    all.push(harmonics(paths, channels));
    all
}

/// Literals of couplings in a text: products of a literal and a register.
fn num_terms(kernels: &[Kernel]) -> usize {
    kernels.iter().map(|kernel| kernel.cuda().matches("Real(").count()).sum::<usize>()
        - kernels.iter().map(|kernel| kernel.cuda().matches("= Real(0.0)").count()).sum::<usize>()
}

#[test]
fn every_coupling_is_a_literal_of_each_form_exactly_once() {
    for degrees in [[0, 3, 3], [1, 3, 3], [2, 3, 3], [1, 6, 6]] {
        let paths = Paths::new(degrees[0], degrees[1], degrees[2]);
        let terms = paths.iter().map(|path| path.terms.len()).sum::<usize>();
        let ones = paths.iter().flat_map(|path| &path.terms);
        let ones = ones.filter(|term| (term.value - 1.0).abs() < 1e-14).count();
        let terms = terms - ones;
        assert_eq!(num_terms(&to_receivers(&paths, 32)), terms);
        assert_eq!(num_terms(&to_edges(&paths, 32)), terms);
        assert_eq!(num_terms(&radial(&paths, 32)), terms);
        assert_eq!(num_terms(&[harmonics(&paths, 32)]), terms);
    }
}

#[test]
fn the_loop_of_two_paths_reads_as_expected() {
    let text = to_receivers(&Paths::new(0, 1, 1), 8)[0].cuda();
    let body = text.split_once("for (").expect("a loop over edges").1;
    let want = r"u32 edge = starts[node]; edge < starts[node + 1u]; edge += 1u) {
            const u64 sent = u64(ends[u64(edge) * 3u + 0u]) * 8u + channel;
            const u64 weight = u64(ends[u64(edge) * 3u + 2u]) * 16u + channel;
            const Real h0 = features[sent + 0u];
            const Real r0 = radial[weight + 0u];
            const Real r1 = radial[weight + 8u];
            const u64 along = u64(edge) * 4u;
            const Real y0 = harmonics[along + 0u];
            const Real y1 = harmonics[along + 1u];
            const Real y2 = harmonics[along + 2u];
            const Real y3 = harmonics[along + 3u];
            const Real t0_0 = r0 * h0;
            s0 += y0 * t0_0;
            const Real t1_0 = r1 * h0;
            s1 += y1 * t1_0;
            s2 += y2 * t1_0;
            s3 += y3 * t1_0;
        }
        const u64 to = u64(node) * 32u + channel;
        out[to + 0u] = s0;
        out[to + 8u] = s1;
        out[to + 16u] = s2;
        out[to + 24u] = s3;
    }
}
";
    assert_eq!(body, want);
}

#[test]
fn texts_stay_below_the_size_that_compiles_in_a_second_or_two() {
    for (degrees, most_kernels, most_bytes) in
        [([0, 3, 3], 4, 10_000), ([1, 3, 3], 4, 30_000), ([2, 3, 3], 7, 50_000)]
    {
        let paths = Paths::new(degrees[0], degrees[1], degrees[2]);
        let kernels = all(&paths, 128);
        assert!(kernels.len() <= most_kernels, "{degrees:?} has {} kernels", kernels.len());
        for kernel in kernels {
            let size = kernel.cuda().len();
            assert!(size <= most_bytes, "{} of {degrees:?} has {size} bytes", kernel.name);
        }
    }
}

#[cfg(feature = "cuda")]
#[test]
fn kernels_of_the_degrees_of_mace_compile_and_keep_their_numbers_in_registers() {
    for degrees in [[0, 3, 3], [1, 3, 3], [2, 3, 3]] {
        assert_compile(&all(&Paths::new(degrees[0], degrees[1], degrees[2]), 128));
    }
}
