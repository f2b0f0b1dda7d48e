//! The checks of a launch in CUDA: against the text of its kernel and the limits of the machine, before anything
//! runs, on every machine of CUDA alike, so that what the emulator accepts is what a device is given. A launch that
//! does not fit is a bug in the host side of a family.

use super::Limits;
use super::signature::{self, Defines, Kind, Parameter, Passing, Signature, SignatureError};
use crate::machine::launch::{Argument, Launch, Number};
use crate::machine::{Array, Element};

impl Element {
    /// What a kernel's pointer to it points to.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::F32,
            Self::F64 => Kind::F64,
            Self::Bf16 => Kind::U16,
            Self::U8 => Kind::U8,
            Self::U32 => Kind::U32,
            Self::I32 => Kind::I32,
        }
    }
}

impl Number {
    /// The bytes of the number as a parameter of this kind, when it is one.
    pub(crate) fn bytes(self, kind: Kind) -> Option<[u8; 8]> {
        let mut bytes = [0; 8];
        match (self, kind) {
            (Self::U32(x), Kind::U32) => bytes[..4].copy_from_slice(&x.to_ne_bytes()),
            (Self::I32(x), Kind::I32) => bytes[..4].copy_from_slice(&x.to_ne_bytes()),
            (Self::U64(x), Kind::U64) => bytes.copy_from_slice(&x.to_ne_bytes()),
            (Self::Count(x), Kind::U64) => bytes.copy_from_slice(&(x as u64).to_ne_bytes()),
            (Self::Count(x), Kind::U32) => {
                bytes[..4].copy_from_slice(&u32::try_from(x).ok()?.to_ne_bytes());
            }
            (Self::Real(x), Kind::F64) => bytes.copy_from_slice(&x.to_ne_bytes()),
            (Self::Real(x), Kind::F32) => {
                #[expect(clippy::cast_possible_truncation, reason = "the kernel computes in f32")]
                let narrow = x as f32;
                bytes[..4].copy_from_slice(&narrow.to_ne_bytes());
            }
            _ => return None,
        }
        Some(bytes)
    }

    /// The bytes of the number as this parameter.
    ///
    /// # Panics
    /// When it is none, which the check of a launch finds first.
    pub(crate) fn bytes_for(self, parameter: &Parameter) -> [u8; 8] {
        self.bytes(parameter.kind).expect("the launch was checked")
    }
}

/// Why a launch does not fit its kernel or the machine.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum LaunchError {
    /// The text of the kernel.
    #[error("{source_name}: {error}")]
    Text {
        /// Name of the source.
        source_name: String,
        /// What is wrong with it.
        error: SignatureError,
    },
    /// No such kernel.
    #[error("{source_name} has no kernel `{entry}`; it has {known:?}")]
    NoEntry {
        /// Name of the source.
        source_name: String,
        /// The kernel asked for.
        entry: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// Defines that no line of variants allows.
    #[error("{source_name} is not compiled with {defines:?}: no `// variants` line of it says so")]
    Variant {
        /// Name of the source.
        source_name: String,
        /// The defines asked for.
        defines: Defines,
    },
    /// Too many or too few arguments.
    #[error("`{entry}` has {want} parameters but the launch gives {got}")]
    Count {
        /// The kernel.
        entry: String,
        /// Parameters.
        want: usize,
        /// Arguments.
        got: usize,
    },
    /// An argument that is not what the parameter is.
    #[error("`{entry}`: argument {at} is {got} but the parameter is `{want}`")]
    Kind {
        /// The kernel.
        entry: String,
        /// Place of the argument, from 0.
        at: usize,
        /// The argument.
        got: String,
        /// The parameter.
        want: String,
    },
    /// Grid, block or shared memory beyond the limits.
    #[error("`{entry}`: {what} is {got} but must be in 1..={limit}")]
    Limit {
        /// The kernel.
        entry: String,
        /// What is out of range.
        what: &'static str,
        /// What was asked for.
        got: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A block that is no whole number of warps, which the functions of the prelude need.
    #[error("`{entry}`: a block of {got} threads is no whole number of warps of 32")]
    Warps {
        /// The kernel.
        entry: String,
        /// Threads of the block.
        got: u32,
    },
}

/// Blocks along y and z. Source: CUDA C++ Programming Guide, "Technical Specifications per Compute
/// Capability".
const GRID_YZ: usize = 65_535;

impl<A: Array> Launch<'_, A> {
    /// Checks everything; returns the signature of the kernel.
    #[cfg(test)]
    pub(crate) fn check(&self, limits: &Limits) -> Result<Signature, LaunchError> {
        let signature = self.signature()?;
        self.check_against(&signature, limits)?;
        Ok(signature)
    }

    /// Checks arguments, grid, block and shared memory.
    pub(crate) fn check_against(
        &self,
        signature: &Signature,
        limits: &Limits,
    ) -> Result<(), LaunchError> {
        self.check_arguments(signature)?;
        self.check_limits(limits)
    }

    /// The signature of the kernel, when the source has it and may be compiled like this.
    pub(crate) fn signature(&self) -> Result<Signature, LaunchError> {
        let source_name = self.source.name.to_string();
        let text = |error| LaunchError::Text { source_name: source_name.clone(), error };
        let variants = signature::variants(&self.source.text).map_err(text)?;
        if !variants.contains(&self.defines) {
            return Err(LaunchError::Variant { source_name, defines: self.defines.clone() });
        }
        let entries = signature::entries(&self.source.text, &self.defines).map_err(text)?;
        let known = entries.iter().map(|entry| entry.name.clone()).collect();
        let found = entries.into_iter().find(|entry| entry.name == self.entry);
        found.ok_or(LaunchError::NoEntry { source_name, entry: self.entry.into(), known })
    }

    fn check_arguments(&self, signature: &Signature) -> Result<(), LaunchError> {
        let (want, got) = (signature.parameters.len(), self.arguments.len());
        if want != got {
            return Err(LaunchError::Count { entry: self.entry.into(), want, got });
        }
        let pairs = self.arguments.iter().zip(&signature.parameters).enumerate();
        for (at, (argument, parameter)) in pairs {
            if !argument.is(parameter) {
                let (got, want) = (argument.shown(), parameter.to_string());
                return Err(LaunchError::Kind { entry: self.entry.into(), at, got, want });
            }
        }
        Ok(())
    }

    fn check_limits(&self, limits: &Limits) -> Result<(), LaunchError> {
        let threads: u32 = self.block.iter().product();
        let sizes = [
            ("the grid along x", self.grid[0], limits.grid_x as usize),
            ("the grid along y", self.grid[1], GRID_YZ),
            ("the grid along z", self.grid[2], GRID_YZ),
            ("the number of threads of a block", threads as usize, limits.block_threads as usize),
            // One more than asked for, so that none is in range.
            ("shared memory + 1", self.shared_bytes + 1, limits.shared_bytes as usize + 1),
        ];
        for (what, got, limit) in sizes {
            if !(1..=limit).contains(&got) {
                return Err(LaunchError::Limit { entry: self.entry.into(), what, got, limit });
            }
        }
        if !threads.is_multiple_of(32) {
            return Err(LaunchError::Warps { entry: self.entry.into(), got: threads });
        }
        Ok(())
    }
}

impl<A: Array> Argument<'_, A> {
    fn is(&self, parameter: &Parameter) -> bool {
        match self {
            Self::Input(array) => {
                parameter.passing == Passing::Input && array.element().kind() == parameter.kind
            }
            Self::Output(array) => {
                parameter.passing == Passing::Output && array.element().kind() == parameter.kind
            }
            Self::Number(name, number) => {
                parameter.passing == Passing::Number
                    && (name.is_empty() || *name == parameter.name)
                    && number.bytes(parameter.kind).is_some()
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Input(array) => format!("an input of {:?}", array.element()),
            Self::Output(array) => format!("an output of {:?}", array.element()),
            Self::Number("", number) => format!("the number {number:?}"),
            Self::Number(name, number) => format!("`{name}`, the number {number:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::launch::Source;

    #[derive(Clone, Debug)]
    struct Fake(Element);

    impl Array for Fake {
        fn element(&self) -> Element {
            self.0
        }
        fn len(&self) -> usize {
            0
        }
    }

    static SOURCE: Source = Source::of(
        "scale.cu",
        "// variants Real = float | double\n\
         extern \"C\" __global__ void scale(const Real* x, Real* y, u32 n, Real by) {}",
    );
    const LIMITS: Limits =
        Limits { block_threads: 1024, shared_bytes: 1000, grid_x: 100, multiprocessors: 1 };
    const F32: Fake = Fake(Element::F32);
    const F64: Fake = Fake(Element::F64);

    fn scale<'a>(real: &str, x: &'a Fake, y: &'a Fake) -> Launch<'a, Fake> {
        Launch::of(&SOURCE, "scale").define("Real", real).input(x).output(y).size(3).real(2.0)
    }

    fn error(launch: &Launch<'_, Fake>) -> String {
        launch.check(&LIMITS).expect_err("the launch is wrong").to_string()
    }

    #[test]
    fn a_launch_that_fits_passes_in_both_precisions() {
        assert!(scale("float", &F32, &F32).check(&LIMITS).is_ok());
        assert!(scale("double", &F64, &F64).check(&LIMITS).is_ok());
    }

    #[test]
    fn an_argument_of_another_kind_is_named_with_its_parameter() {
        let want = "`scale`: argument 1 is an output of F64 but the parameter is `float* y`";
        assert_eq!(error(&scale("float", &F32, &F64)), want);
        let swapped = Launch::of(&SOURCE, "scale").define("Real", "float").output(&F32).input(&F32);
        assert!(error(&swapped.size(3).real(1.0)).contains("argument 0 is an output"));
        let number = Launch::of(&SOURCE, "scale").define("Real", "float").input(&F32).output(&F32);
        let want = "`scale`: argument 2 is the number I32(3) but the parameter is `u32 n`";
        assert_eq!(error(&number.number(Number::I32(3)).real(1.0)), want);
    }

    #[test]
    fn a_missing_argument_and_an_unknown_kernel_are_errors() {
        let short = Launch::of(&SOURCE, "scale").define("Real", "float").input(&F32);
        assert_eq!(error(&short), "`scale` has 4 parameters but the launch gives 1");
        let other = Launch::of(&SOURCE, "shrink").define("Real", "float");
        assert!(error(&other).contains("has no kernel `shrink`; it has [\"scale\"]"));
    }

    #[test]
    fn defines_that_the_header_does_not_list_are_refused() {
        let launch = scale("half", &F32, &F32);
        assert!(error(&launch).contains("no `// variants` line"));
        assert!(error(&scale("float", &F32, &F32).define("TILE", 3)).contains("TILE"));
    }

    #[test]
    fn grid_block_and_shared_memory_stay_within_the_limits() {
        let of = || scale("float", &F32, &F32);
        assert!(error(&of().grid(0)).contains("the grid along x is 0"));
        assert!(error(&of().grid(101)).contains("must be in 1..=100"));
        assert!(error(&of().grid3([1, 65_536, 1])).contains("along y"));
        assert!(error(&of().block(2048)).contains("threads of a block is 2048"));
        assert!(error(&of().block(48)).contains("no whole number of warps"));
        assert!(error(&of().shared(1001)).contains("shared memory"));
        assert!(of().shared(1000).grid(100).block(1024).check(&LIMITS).is_ok());
    }
}
