//! Products of pairs of bf16 with sums in f32: AVX512-BF16.
//!
//! ```text
//! maths     sum[j] += left[0] right[j][0] + left[1] right[j][1]
//! dtypes    operands are rounded to bf16 while they are packed, nearest, ties to even
//! rounding  the two products are added to the sum one after the other, each addition rounded to
//!           nearest, ties to even; numbers below 2^-126 count as zero, going in and coming out
//! source    Intel 64 and IA-32 Software Developer's Manual, volume 2: VCVTNEPS2BF16, VDPBF16PS
//! ```

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _mm256_mask_storeu_epi32, _mm512_cvtne2ps_pbh,
    _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_storeu_si512,
};
use std::mem::transmute;

use super::arithmetic::Arithmetic;
use super::pack::Set;
use super::turn;
use super::vectors::{Avx512, F32x16, F64x8};

/// Registers of 64 bytes, and products of pairs of bf16.
pub(crate) struct Avx512Bf16;

impl Set for Avx512Bf16 {
    type F32 = F32x16;
    type F64 = F64x8;
    type Bf16 = Pairs;
    const TILE_ROWS: usize = Avx512::TILE_ROWS;
}

/// A cell is two bf16, the first in the lower half.
pub(crate) struct Pairs;

/// Numbers in a register.
const WIDTH: usize = 16;

/// One bit for each of the first `count` lanes.
#[inline(always)]
fn first_lanes(count: usize) -> u16 {
    if count >= WIDTH { u16::MAX } else { (1 << count) - 1 }
}

/// Where the bf16 of a pair stand in a register of first halves and then second halves.
#[inline(always)]
fn interleaving() -> __m512i {
    const PLACES: [u16; 2 * WIDTH] = {
        let mut places = [0; 2 * WIDTH];
        let mut at = 0_u16;
        while at < 16 {
            places[2 * at as usize] = at;
            places[2 * at as usize + 1] = 16 + at;
            at += 1;
        }
        places
    };
    // SAFETY: both types are 64 bytes of any value.
    unsafe { transmute::<[u16; 2 * WIDTH], __m512i>(PLACES) }
}

/// Up to 16 numbers, zeros behind.
#[inline(always)]
fn load_numbers(numbers: &[f32]) -> __m512 {
    // SAFETY: only lanes below the length are read; `run_mixed` checked the processor.
    unsafe { _mm512_maskz_loadu_ps(first_lanes(numbers.len()), numbers.as_ptr()) }
}

impl Arithmetic for Pairs {
    type Number = f32;
    type Cell = u32;
    type Cells = __m512bh;
    type Sums = F32x16;
    const EMPTY: u32 = 0;
    const DEPTH: usize = 2;
    const ROWS: usize = Avx512::TILE_ROWS;

    #[inline(always)]
    fn along(numbers: &[f32], cells: &mut [u32]) {
        let (whole, rest) = numbers.as_chunks::<{ 2 * WIDTH }>();
        let (registers, cells) = cells.split_at_mut(whole.len() * WIDTH);
        for (numbers, cells) in whole.iter().zip(registers.as_chunks_mut::<WIDTH>().0) {
            // SAFETY: 32 numbers make 16 cells; `run_mixed` checked the processor.
            unsafe {
                let low = _mm512_loadu_ps(numbers.as_ptr());
                let high = _mm512_loadu_ps(numbers.as_ptr().add(WIDTH));
                let rounded = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(cells.as_mut_ptr().cast(), rounded);
            }
        }
        for (numbers, cells) in rest.chunks(WIDTH).zip(cells.chunks_mut(WIDTH / 2)) {
            #[expect(clippy::cast_possible_truncation, reason = "eight cells have eight bits")]
            let mask = first_lanes(cells.len()) as u8;
            // SAFETY: only lanes below the length are written; `run_mixed` checked the processor.
            unsafe {
                let rounded =
                    transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(load_numbers(numbers)));
                _mm256_mask_storeu_epi32(cells.as_mut_ptr().cast(), mask, rounded);
            }
        }
    }

    #[inline(always)]
    fn across(numbers: &[f32], next: &[f32], cells: &mut [u32]) {
        let mut next = next.chunks(WIDTH);
        for (numbers, cells) in numbers.chunks(WIDTH).zip(cells.chunks_mut(WIDTH)) {
            let second = load_numbers(next.next().unwrap_or_default());
            let mask = first_lanes(cells.len());
            // SAFETY: only lanes below the length are written; `run_mixed` checked the processor.
            unsafe {
                let halves = _mm512_cvtne2ps_pbh(second, load_numbers(numbers));
                let halves = transmute::<__m512bh, __m512i>(halves);
                let pairs = _mm512_permutexvar_epi16(interleaving(), halves);
                _mm512_mask_storeu_epi32(cells.as_mut_ptr().cast(), mask, pairs);
            }
        }
    }

    #[inline(always)]
    unsafe fn turn(from: *const f32, step: usize, to: *mut u32, width: usize) {
        // SAFETY: the caller says that the numbers and the room are there; `run_mixed` checked the
        // processor.
        unsafe {
            let mut lines = [_mm512_setzero_ps(); WIDTH];
            for (line, pairs) in lines.iter_mut().enumerate() {
                let numbers = from.add(line * step);
                let (low, high) = (_mm512_loadu_ps(numbers), _mm512_loadu_ps(numbers.add(WIDTH)));
                *pairs = transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(high, low));
            }
            turn::columns(&lines, to.cast(), width);
        }
    }

    #[inline(always)]
    unsafe fn load(cells: *const u32) -> __m512bh {
        // SAFETY: the caller says that there are 16 cells; `run_mixed` checked the processor.
        unsafe { transmute::<__m512i, __m512bh>(_mm512_loadu_si512(cells.cast())) }
    }

    #[inline(always)]
    fn splat(cell: u32) -> __m512bh {
        // SAFETY: both types are 64 bytes of any value; `run_mixed` checked the processor.
        unsafe { transmute::<__m512i, __m512bh>(_mm512_set1_epi32(cell.cast_signed())) }
    }

    #[inline(always)]
    fn multiply_add(sums: F32x16, left: __m512bh, right: __m512bh) -> F32x16 {
        // SAFETY: `run_mixed` checked that the processor has the instruction.
        F32x16(unsafe { _mm512_dpbf16_ps(sums.0, left, right) })
    }
}
