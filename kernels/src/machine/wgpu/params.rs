//! Numbers of a launch as a WGSL kernel reads them: the Rust twin of its `struct Params`.
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

/// A parameter struct; made by [`params!`].
pub(crate) trait Params {
    const FIELDS: &'static [Field];
    /// The fields in order, as the device gets them.
    fn words(&self) -> Vec<u32>;
}

/// A number that a field can hold.
pub(crate) trait Word: Copy {
    const SCALAR: Scalar;
    fn word(self) -> u32;
}

impl Word for u32 {
    const SCALAR: Scalar = Scalar::U32;
    fn word(self) -> u32 {
        self
    }
}

impl Word for i32 {
    const SCALAR: Scalar = Scalar::I32;
    fn word(self) -> u32 {
        u32::from_ne_bytes(self.to_ne_bytes())
    }
}

impl Word for f32 {
    const SCALAR: Scalar = Scalar::F32;
    fn word(self) -> u32 {
        self.to_bits()
    }
}

/// A count of the host in the kernel's arithmetic, which has 32 bits.
#[track_caller]
pub(crate) fn count(x: usize) -> u32 {
    let fits = u32::try_from(x);
    assert!(fits.is_ok(), "wgpu: a kernel counts to 2^32 but there are {x} elements");
    fits.unwrap_or_default()
}

/// A number of the host in the precision of the kernels.
#[expect(clippy::cast_possible_truncation, reason = "kernels compute in f32")]
pub(crate) fn number(x: f64) -> f32 {
    x as f32
}

/// A number of a launch as the fields that a kernel reads it from, with their words.
#[expect(clippy::cast_possible_truncation, reason = "the halves of 64 bits are what is wanted")]
pub(crate) fn fields_of(
    name: &'static str,
    given: Number,
) -> Vec<(Cow<'static, str>, Scalar, u32)> {
    let one = |scalar, word| vec![(Cow::Borrowed(name), scalar, word)];
    match given {
        Number::U32(x) => one(Scalar::U32, x),
        Number::I32(x) => one(Scalar::I32, x.word()),
        Number::Count(x) => one(Scalar::U32, count(x)),
        Number::Real(x) => one(Scalar::F32, number(x).word()),
        Number::U64(x) => vec![
            (Cow::Owned(format!("{name}_low")), Scalar::U32, x as u32),
            (Cow::Owned(format!("{name}_high")), Scalar::U32, (x >> 32) as u32),
        ],
    }
}

/// Declares a struct that is [`Params`]: `params! { /// What for. Name { rows: u32, epsilon: f32 } }`.
macro_rules! params {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $scalar:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        #[repr(C)]
        struct $name {
            $($field: $scalar),+
        }

        impl $crate::machine::wgpu::Params for $name {
            const FIELDS: &'static [$crate::machine::wgpu::Field] = &[$($crate::machine::wgpu::Field {
                name: std::borrow::Cow::Borrowed(stringify!($field)),
                scalar: <$scalar as $crate::machine::wgpu::Word>::SCALAR,
                offset: std::mem::offset_of!($name, $field),
            }),+];

            fn words(&self) -> Vec<u32> {
                vec![$($crate::machine::wgpu::Word::word(self.$field)),+]
            }
        }
    };
}
pub(crate) use params;
