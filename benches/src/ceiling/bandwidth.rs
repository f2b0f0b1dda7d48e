//! Memory bandwidth by loops as in the `STREAM` benchmark, copy and triad, and by an update in place,
//! on arrays of several sizes: what lies in a cache moves faster than what does not.
//!
//! Bytes are those the loop names, read plus written; what a cache fetches before a write is not
//! counted, as it is not in the models of the kernels. The update writes what it has read, so nothing
//! is fetched in vain, and is often the fastest.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Sizes of all arrays together: from the caches of one core to several times the largest.
const BYTES: [usize; 7] = [1 << 17, 1 << 19, 1 << 21, 1 << 23, 1 << 25, 1 << 27, 1 << 28];
/// Bytes that a try moves at least, so that it takes some milliseconds.
const BYTES_PER_TRY: usize = 1 << 27;
const TRIES: usize = 4;
const FACTOR: f32 = 0.5;

/// The fastest loop on arrays of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// Of all arrays together, all threads.
    pub bytes: usize,
    /// Read plus written.
    pub bytes_per_s: f64,
}

/// Of every size, ascending; a larger size is not faster than a smaller one.
pub(super) fn measure() -> Vec<Bandwidth> {
    Bandwidth::bounds(BYTES.iter().map(|&bytes| of_size(bytes)).collect())
}

impl Bandwidth {
    /// Rates, ascending in size, as bounds: what holds for a size holds for what is smaller still.
    pub(super) fn bounds(mut all: Vec<Self>) -> Vec<Self> {
        for at in (1..all.len()).rev() {
            all[at - 1].bytes_per_s = all[at - 1].bytes_per_s.max(all[at].bytes_per_s);
        }
        all
    }
}

fn of_size(bytes: usize) -> Bandwidth {
    let length = bytes / (3 * size_of::<f32>());
    let [mut a, b, c] = [0.0_f32, 1.0, 2.0].map(|value| vec![value; length]);
    let piece = length.div_ceil(rayon::current_num_threads()).max(1);
    let repeats = (BYTES_PER_TRY / bytes).max(1);
    // A thread repeats its own piece, so that handing out work is not what is measured.
    let copy = best(2 * length * repeats, || {
        let pieces = a.par_chunks_mut(piece).zip(b.par_chunks(piece));
        pieces.with_max_len(1).for_each(|(a, b)| {
            for _ in 0..repeats {
                black_box(&mut *a).copy_from_slice(b);
            }
        });
    });
    let triad = best(3 * length * repeats, || {
        let pieces = a.par_chunks_mut(piece).zip(b.par_chunks(piece)).zip(c.par_chunks(piece));
        pieces.with_max_len(1).for_each(|((a, b), c)| {
            for _ in 0..repeats {
                for ((a, b), c) in black_box(&mut *a).iter_mut().zip(b).zip(c) {
                    *a = b + FACTOR * c;
                }
            }
        });
    });
    let update = best(3 * length * repeats, || {
        let pieces = a.par_chunks_mut(piece).zip(b.par_chunks(piece));
        pieces.with_max_len(1).for_each(|(a, b)| {
            for _ in 0..repeats {
                for (a, b) in black_box(&mut *a).iter_mut().zip(b) {
                    *a += FACTOR * b;
                }
            }
        });
    });
    Bandwidth { bytes, bytes_per_s: copy.max(triad).max(update) }
}

/// Bytes a second of `work`, which moves so many numbers.
fn best(numbers: usize, mut work: impl FnMut()) -> f64 {
    let bytes = (numbers * size_of::<f32>()) as f64;
    let once = |_| {
        let start = Instant::now();
        work();
        bytes / start.elapsed().as_secs_f64()
    };
    (0..TRIES).map(once).fold(0.0, f64::max)
}
