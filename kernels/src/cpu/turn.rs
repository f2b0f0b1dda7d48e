//! Squares of numbers turned in registers of AVX-512, so that lines become columns.
//!
//! Neighbouring lines are interleaved number by number, then pair by pair, then their 16-byte parts
//! are gathered: 64 instructions for 256 numbers of four bytes, where storing one by one takes 256.

use std::arch::x86_64::{
    __m512, _mm512_castpd_ps, _mm512_castps_pd, _mm512_loadu_pd, _mm512_loadu_ps,
    _mm512_setzero_pd, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_shuffle_f64x2,
    _mm512_storeu_pd, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};

/// The parts 0 and 1, then 2 and 3, of both registers; and of these the even and the odd ones.
pub(super) const LOW: i32 = 0x44;
pub(super) const HIGH: i32 = 0xEE;
pub(super) const EVEN: i32 = 0x88;
pub(super) const ODD: i32 = 0xDD;

/// Sixteen lines of sixteen numbers of four bytes.
///
/// # Safety
/// Lines start at `from + l * step`; number `at` of line `l` has a place at `to + at * width + l`.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) unsafe fn single(from: *const f32, step: usize, to: *mut f32, width: usize) {
    let mut lines = [_mm512_setzero_ps(); 16];
    for (line, numbers) in lines.iter_mut().enumerate() {
        // SAFETY: the caller says that the numbers are there.
        *numbers = unsafe { _mm512_loadu_ps(from.add(line * step)) };
    }
    // SAFETY: the caller says that there is room.
    unsafe { columns(&lines, to, width) };
}

/// Stores the columns of sixteen lines.
///
/// # Safety
/// There is a register's room at `to + at * width` for every column.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) unsafe fn columns(lines: &[__m512; 16], to: *mut f32, width: usize) {
    let mut quads = [lines[0]; 16];
    for group in 0..4 {
        let first = 4 * group;
        let (a, b, c, d) = (lines[first], lines[first + 1], lines[first + 2], lines[first + 3]);
        let ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        let ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        quads[4 * group] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        quads[4 * group + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
        quads[4 * group + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
        quads[4 * group + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
    }
    for column in 0..4 {
        let (a, b) = (quads[column], quads[4 + column]);
        let (c, d) = (quads[8 + column], quads[12 + column]);
        let (ab, cd) = (_mm512_shuffle_f32x4::<LOW>(a, b), _mm512_shuffle_f32x4::<LOW>(c, d));
        let (ab_high, cd_high) =
            (_mm512_shuffle_f32x4::<HIGH>(a, b), _mm512_shuffle_f32x4::<HIGH>(c, d));
        // SAFETY: the caller says that there is room.
        unsafe {
            _mm512_storeu_ps(to.add(column * width), _mm512_shuffle_f32x4::<EVEN>(ab, cd));
            _mm512_storeu_ps(to.add((4 + column) * width), _mm512_shuffle_f32x4::<ODD>(ab, cd));
            let (even, odd) = (
                _mm512_shuffle_f32x4::<EVEN>(ab_high, cd_high),
                _mm512_shuffle_f32x4::<ODD>(ab_high, cd_high),
            );
            _mm512_storeu_ps(to.add((8 + column) * width), even);
            _mm512_storeu_ps(to.add((12 + column) * width), odd);
        }
    }
}

/// Eight lines of eight numbers of eight bytes.
///
/// # Safety
/// As [`single`].
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) unsafe fn double(from: *const f64, step: usize, to: *mut f64, width: usize) {
    let (mut lower, mut higher) = ([_mm512_setzero_pd(); 4], [_mm512_setzero_pd(); 4]);
    for (pair, (lower, higher)) in lower.iter_mut().zip(&mut higher).enumerate() {
        // SAFETY: the caller says that the numbers are there.
        let (a, b) = unsafe {
            let first = from.add(2 * pair * step);
            (_mm512_loadu_pd(first), _mm512_loadu_pd(first.add(step)))
        };
        *lower = _mm512_unpacklo_pd(a, b);
        *higher = _mm512_unpackhi_pd(a, b);
    }
    for (column, [a, b, c, d]) in [lower, higher].into_iter().enumerate() {
        let (ab, cd) = (_mm512_shuffle_f64x2::<LOW>(a, b), _mm512_shuffle_f64x2::<LOW>(c, d));
        let (ab_high, cd_high) =
            (_mm512_shuffle_f64x2::<HIGH>(a, b), _mm512_shuffle_f64x2::<HIGH>(c, d));
        // SAFETY: the caller says that there is room.
        unsafe {
            _mm512_storeu_pd(to.add(column * width), _mm512_shuffle_f64x2::<EVEN>(ab, cd));
            _mm512_storeu_pd(to.add((2 + column) * width), _mm512_shuffle_f64x2::<ODD>(ab, cd));
            let (even, odd) = (
                _mm512_shuffle_f64x2::<EVEN>(ab_high, cd_high),
                _mm512_shuffle_f64x2::<ODD>(ab_high, cd_high),
            );
            _mm512_storeu_pd(to.add((4 + column) * width), even);
            _mm512_storeu_pd(to.add((6 + column) * width), odd);
        }
    }
}
