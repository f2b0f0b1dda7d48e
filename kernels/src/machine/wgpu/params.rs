//! Numbers of a launch as a WGSL kernel reads them: the Rust twin of its `struct Params`.
//!
//! Every field has four bytes, so both languages agree on the layout; a test compares offsets and
//! sizes with naga's for every kernel. Not here: arrays, which are bindings of their own.

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    U32,
    I32,
    F32,
}

/// A field of a parameter struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
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
                name: stringify!($field),
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
