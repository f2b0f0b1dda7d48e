//! Philox4x32-10: four random words as a function of a key and a counter.
//!
//! The same function, with the same counter layout, draws the host's streams; it is repeated
//! here because kernels of every device share it and this crate depends on no other of ours.
//! Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
//! doi:10.1145/2063384.2063405, table 2.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Four words at counter `[lane_lo, lane_hi, index_lo, index_hi]` under `key`, low half first.
pub fn philox4x32(key: u64, lane: u64, index: u64) -> [u32; 4] {
    let [mut k0, mut k1] = halves(key);
    let ([l0, l1], [i0, i1]) = (halves(lane), halves(index));
    let mut counter = [l0, l1, i0, i1];
    for _ in 0..ROUNDS {
        counter = round(counter, [k0, k1]);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    counter
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
#[inline(always)]
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

fn round(c: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [lo0, hi0] = halves(u64::from(MULTIPLIER[0]) * u64::from(c[0]));
    let [lo1, hi1] = halves(u64::from(MULTIPLIER[1]) * u64::from(c[2]));
    [hi1 ^ c[1] ^ key[0], lo1, hi0 ^ c[3] ^ key[1], lo0]
}

/// Most counters side by side.
const WIDE: usize = 16;

/// The first word of `count` counters from `lane` on, at most 16; words behind them mean nothing.
/// Plain loops, one instruction for all counters where they are compiled for wide registers.
#[inline(always)]
pub(super) fn first_words(key: u64, lane: u64, index: u64, count: usize) -> [u32; WIDE] {
    let ([mut k0, mut k1], [i0, i1]) = (halves(key), halves(index));
    let mut counter = [[0; WIDE], [0; WIDE], [i0; WIDE], [i1; WIDE]];
    for at in 0..count {
        let [low, high] = halves(lane.wrapping_add(at as u64));
        (counter[0][at], counter[1][at]) = (low, high);
    }
    for _ in 0..ROUNDS {
        for at in 0..count {
            let [lo0, hi0] = halves(u64::from(MULTIPLIER[0]) * u64::from(counter[0][at]));
            let [lo1, hi1] = halves(u64::from(MULTIPLIER[1]) * u64::from(counter[2][at]));
            counter[0][at] = hi1 ^ counter[1][at] ^ k0;
            counter[1][at] = lo1;
            counter[2][at] = hi0 ^ counter[3][at] ^ k1;
            counter[3][at] = lo0;
        }
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    counter[0]
}
