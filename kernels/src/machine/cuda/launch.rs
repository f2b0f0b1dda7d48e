//! A launch as data: which kernel, compiled how, over which grid, with which arguments; and its checks.
//!
//! A launch is checked against the text of its kernel and the limits of the machine before anything runs,
//! on every machine alike, so that what the emulator accepts is what a device is given. A launch that does
//! not fit is a bug in the host side of a family. Not here: running it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use super::machine::{Array, Limits};
use super::signature::{self, Defines, Kind, Parameter, Passing, Signature, SignatureError};

/// The text of a `.cu` file and its name in messages.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Such as `norm/norm.cu`.
    pub(crate) name: Cow<'static, str>,
    /// Its content.
    pub(crate) text: Cow<'static, str>,
    digest: OnceLock<u64>,
}

impl Source {
    /// A file of the repository: `Source::of("families/norm/norm.cu", include_str!("norm.cu"))`.
    pub(crate) const fn of(name: &'static str, text: &'static str) -> Self {
        let (name, text) = (Cow::Borrowed(name), Cow::Borrowed(text));
        Self { name, text, digest: OnceLock::new() }
    }

    /// A text that was written by the program.
    pub(crate) fn generated(name: String, text: String) -> Self {
        Self { name: Cow::Owned(name), text: Cow::Owned(text), digest: OnceLock::new() }
    }

    /// Tells texts apart within this process; computed once.
    pub(crate) fn digest(&self) -> u64 {
        *self.digest.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            self.text.hash(&mut hasher);
            hasher.finish()
        })
    }
}

/// A number given to a kernel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Number {
    /// `u32`
    U32(u32),
    /// `i32`
    #[cfg_attr(not(test), expect(dead_code, reason = "kernels of tests take them"))]
    I32(i32),
    /// `u64`
    U64(u64),
    /// `Real`: becomes what the kernel's parameter is.
    Real(f64),
}

impl Number {
    /// The bytes of the number as a parameter of this kind, when it is one.
    pub(crate) fn bytes(self, kind: Kind) -> Option<[u8; 8]> {
        let mut bytes = [0; 8];
        match (self, kind) {
            (Self::U32(x), Kind::U32) => bytes[..4].copy_from_slice(&x.to_ne_bytes()),
            (Self::I32(x), Kind::I32) => bytes[..4].copy_from_slice(&x.to_ne_bytes()),
            (Self::U64(x), Kind::U64) => bytes.copy_from_slice(&x.to_ne_bytes()),
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

/// An argument of a launch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument<'a, A> {
    /// Read and never written.
    Input(&'a A),
    /// Written, and read where the kernel's header says so.
    Output(&'a A),
    /// Passed by value.
    Number(Number),
}

/// One launch; built as `Launch::of(&SOURCE, "name").define(…).grid(…).block(…).input(&x).output(&y)`.
#[derive(Debug)]
pub(crate) struct Launch<'a, A> {
    /// Where the kernel is.
    pub(crate) source: &'a Source,
    /// Its name.
    pub(crate) entry: &'static str,
    /// What it is compiled with; one of the `// variants` of the source.
    pub(crate) defines: Defines,
    /// Blocks along x, y, z.
    pub(crate) grid: [usize; 3],
    /// Threads along x, y, z.
    pub(crate) block: [u32; 3],
    /// Dynamic shared memory.
    pub(crate) shared_bytes: usize,
    /// In the order of the parameters.
    pub(crate) arguments: Vec<Argument<'a, A>>,
}

impl<'a, A> Launch<'a, A> {
    /// A launch of one block of one warp without arguments.
    pub(crate) fn of(source: &'a Source, entry: &'static str) -> Self {
        let (grid, block) = ([1; 3], [32, 1, 1]);
        Self {
            source,
            entry,
            defines: Defines::new(),
            grid,
            block,
            shared_bytes: 0,
            arguments: Vec::new(),
        }
    }

    /// Compiled with `-Dname=value`.
    pub(crate) fn define(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.defines.insert(name.to_owned(), value.to_string());
        self
    }

    /// Blocks along x.
    pub(crate) fn grid(self, x: usize) -> Self {
        self.grid3([x, 1, 1])
    }

    /// Blocks along x, y and z.
    pub(crate) fn grid3(mut self, grid: [usize; 3]) -> Self {
        self.grid = grid;
        self
    }

    /// Threads of a block, along x.
    pub(crate) fn block(mut self, threads: u32) -> Self {
        self.block = [threads, 1, 1];
        self
    }

    /// Dynamic shared memory of a block.
    pub(crate) fn shared(mut self, bytes: usize) -> Self {
        self.shared_bytes = bytes;
        self
    }

    /// The next argument: `const T*`.
    pub(crate) fn input(mut self, array: &'a A) -> Self {
        self.arguments.push(Argument::Input(array));
        self
    }

    /// The next argument: `T*`.
    pub(crate) fn output(mut self, array: &'a A) -> Self {
        self.arguments.push(Argument::Output(array));
        self
    }

    /// The next argument: a size, as `u32`.
    ///
    /// # Panics
    /// When it is 2^32 or more; such a size needs [`Launch::number`] with a `u64`.
    pub(crate) fn size(self, size: usize) -> Self {
        let size = u32::try_from(size);
        assert!(size.is_ok(), "`{}`: a size of 2^32 or more is given as u32", self.entry);
        self.number(Number::U32(size.unwrap_or_default()))
    }

    /// The next argument: `Real`.
    pub(crate) fn real(self, x: f64) -> Self {
        self.number(Number::Real(x))
    }

    /// The next argument: a number.
    pub(crate) fn number(mut self, number: Number) -> Self {
        self.arguments.push(Argument::Number(number));
        self
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
            Self::Number(number) => {
                parameter.passing == Passing::Number && number.bytes(parameter.kind).is_some()
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Input(array) => format!("an input of {:?}", array.element()),
            Self::Output(array) => format!("an output of {:?}", array.element()),
            Self::Number(number) => format!("the number {number:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Element;
    use super::*;

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
