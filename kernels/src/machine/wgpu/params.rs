//! Numbers of a launch as a WGSL kernel reads them, in a struct of its own.
//!
//! Every field has four bytes, so both languages agree on the layout; a test compares offsets and
//! sizes with naga's for every kernel. Not here: arrays, which are bindings of their own.

use std::borrow::Cow;

use crate::machine::Number;

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    U32,
    I32,
    F32,
}

/// A field of a parameter struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub(crate) name: Cow<'static, str>,
    pub(crate) scalar: Scalar,
    /// In bytes, from the start of the struct.
    pub(crate) offset: usize,
}

/// A count of the host in the kernel's arithmetic, which has 32 bits.
#[track_caller]
pub(crate) fn count(x: usize) -> u32 {
    let fits = u32::try_from(x);
    assert!(fits.is_ok(), "wgpu: a kernel counts to 2^32 but there are {x} elements");
    fits.unwrap_or_default()
}

/// A number of a launch as the fields that a kernel reads it from, with their words.
#[expect(
    clippy::cast_possible_truncation,
    reason = "kernels compute in f32, and the halves of 64 bits are what is wanted"
)]
pub(crate) fn fields_of(
    name: &'static str,
    given: Number,
) -> Vec<(Cow<'static, str>, Scalar, u32)> {
    let one = |scalar, word| vec![(Cow::Borrowed(name), scalar, word)];
    match given {
        Number::U32(x) => one(Scalar::U32, x),
        Number::I32(x) => one(Scalar::I32, u32::from_ne_bytes(x.to_ne_bytes())),
        Number::Count(x) => one(Scalar::U32, count(x)),
        Number::Real(x) => one(Scalar::F32, (x as f32).to_bits()),
        Number::U64(x) => vec![
            (Cow::Owned(format!("{name}_low")), Scalar::U32, x as u32),
            (Cow::Owned(format!("{name}_high")), Scalar::U32, (x >> 32) as u32),
        ],
    }
}
