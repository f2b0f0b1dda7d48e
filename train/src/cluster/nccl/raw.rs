//! Numbers of the host as the bytes that they are.

use std::ffi::c_int;

use super::super::collective::{Received, Sent, Summed};
use super::library::{BYTES, DOUBLES, FLOATS};

/// Numbers as bytes, with their size and `ncclDataType_t`.
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) size: usize,
    pub(super) dtype: c_int,
}

pub(super) struct RawMut<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) size: usize,
    pub(super) dtype: c_int,
}

fn bytes_of<T: Copy>(values: &[T]) -> &[u8] {
    // SAFETY: floats and bytes have no padding, and any pattern of bits is a byte.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn bytes_of_mut<T: Copy>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any pattern of bits is a float.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

impl<'a> Raw<'a> {
    pub(super) fn of(sent: Sent<'a>) -> Self {
        match sent {
            Sent::F32(values) => Self { bytes: bytes_of(values), size: 4, dtype: FLOATS },
            Sent::F64(values) => Self { bytes: bytes_of(values), size: 8, dtype: DOUBLES },
            Sent::Bytes(bytes) => Self { bytes, size: 1, dtype: BYTES },
        }
    }
}

impl<'a> RawMut<'a> {
    pub(super) fn summed(summed: Summed<'a>) -> Self {
        match summed {
            Summed::F32(values) => Self { bytes: bytes_of_mut(values), size: 4, dtype: FLOATS },
            Summed::F64(values) => Self { bytes: bytes_of_mut(values), size: 8, dtype: DOUBLES },
        }
    }

    pub(super) fn received(received: Received<'a>) -> Self {
        match received {
            Received::F32(values) => Self { bytes: bytes_of_mut(values), size: 4, dtype: FLOATS },
            Received::F64(values) => Self { bytes: bytes_of_mut(values), size: 8, dtype: DOUBLES },
            Received::Bytes(bytes) => Self { bytes, size: 1, dtype: BYTES },
        }
    }
}
