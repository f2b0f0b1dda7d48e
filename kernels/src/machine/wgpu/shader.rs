//! A compute kernel as data: its WGSL text, its entry point and the constants it is compiled with.
//!
//! cubecl compiles a kernel once and finds it again by its identity, so the identity holds all that
//! the text depends on. Not here: which shaders there are; each family names its own, in `shaders`.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use cubecl::ir::StorageType;
use cubecl::prelude::{
    AddressType, CompiledKernel, CubeDim, ExecutionMode, KernelId, KernelMetadata,
};
use cubecl::{CompilationError, CubeTask};

use super::Field;

/// Sums and maxima over a workgroup; needs the constant `THREADS`.
pub(crate) const GROUP: &str = include_str!("group.wgsl");
/// Functions of formulas.
pub(crate) const FUNCTIONS: &str = include_str!("functions.wgsl");
/// Rounding to bf16.
pub(crate) const BF16: &str = include_str!("bf16.wgsl");

/// Where a WGSL text comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file of this crate.
    File {
        /// Below `kernels/src`.
        path: &'static str,
        text: &'static str,
    },
    /// Written by the program.
    Emitted {
        /// For messages.
        name: &'static str,
        text: Arc<str>,
        digest: u64,
    },
}

impl Source {
    /// A file, with its text: `Source::file("families/norm/norm.wgsl", include_str!("norm.wgsl"))`.
    pub(crate) const fn file(path: &'static str, text: &'static str) -> Self {
        Self::File { path, text }
    }

    /// A text written by the program; make it once and clone it, since its digest is computed here.
    pub(crate) fn emitted(name: &'static str, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self::Emitted { name, digest: hasher.finish(), text }
    }

    /// Path or name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File { path, .. } => path,
            Self::Emitted { name, .. } => name,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::File { text, .. } => text,
            Self::Emitted { text, .. } => text,
        }
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { path, .. }, Self::File { path: other, .. }) => path == other,
            (Self::Emitted { text, .. }, Self::Emitted { text: other, .. }) => {
                Arc::ptr_eq(text, other) || text == other
            }
            _ => false,
        }
    }
}

impl Eq for Source {}

impl Hash for Source {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::File { path, .. } => path.hash(state),
            Self::Emitted { digest, .. } => digest.hash(state),
        }
    }
}

/// A kernel and what the host has to know of it. A test compares all of it with what naga reads in
/// the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shader {
    pub(crate) source: Source,
    pub(crate) entry: &'static str,
    /// Texts put before that of the source.
    pub(crate) preludes: Vec<&'static str>,
    /// `override` declarations of the text and their values.
    pub(crate) constants: Vec<(Cow<'static, str>, u32)>,
    /// Threads of a workgroup along x, y and z.
    pub(crate) workgroup: [u32; 3],
    /// Memory that a workgroup shares.
    pub(crate) shared_bytes: u32,
    /// Arrays the entry point binds, as `0..num_arrays`; `Params` is the binding behind them.
    pub(crate) num_arrays: u32,
    pub(crate) fields: Vec<Field>,
}

impl Shader {
    /// The whole text. Each `override` becomes a `const`, with the host's value where it has one:
    /// cubecl makes pipelines without values for overrides.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut set = 0;
        for line in self.preludes.iter().copied().chain([self.source.text()]).flat_map(str::lines) {
            let (line, found) = self.with_constant(line);
            set += usize::from(found);
            text.push_str(&line);
            text.push('\n');
        }
        assert!(
            set == self.constants.len(),
            "{}: {set} of the constants {:?} are declared, each in a line \
             `override NAME: u32 = value;`",
            self.source.name(),
            self.constants
        );
        text
    }

    /// The line with its declaration replaced, and whether the host gave the value.
    fn with_constant<'a>(&self, line: &'a str) -> (Cow<'a, str>, bool) {
        let Some(declaration) = line.strip_prefix("override ") else {
            return (Cow::Borrowed(line), false);
        };
        let name = declaration.split(':').next().unwrap_or_default();
        match self.constants.iter().find(|(constant, _)| *constant == name) {
            Some((_, value)) => (Cow::Owned(format!("const {name}: u32 = {value}u;")), true),
            None => (Cow::Owned(format!("const {declaration}")), false),
        }
    }
}

impl KernelMetadata for Shader {
    fn name(&self) -> &'static str {
        self.entry
    }

    fn id(&self) -> KernelId {
        let [x, y, z] = self.workgroup;
        KernelId::new::<Self>().cube_dim(CubeDim { x, y, z }).info(self.clone())
    }

    fn address_type(&self) -> StorageType {
        AddressType::U32.unsigned_type()
    }
}

impl<C: cubecl::Compiler> CubeTask<C> for Shader {
    fn compile(
        &self,
        _compiler: &mut C,
        _options: &C::CompilationOptions,
        _mode: ExecutionMode,
        _address_type: StorageType,
    ) -> Result<CompiledKernel<C>, CompilationError> {
        let [x, y, z] = self.workgroup;
        Ok(CompiledKernel {
            entrypoint_name: self.entry.to_owned(),
            debug_name: Some(self.source.name()),
            source: self.text(),
            repr: None,
            cube_dim: CubeDim { x, y, z },
            debug_info: None,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const TEXT: &str = "override TILE: u32 = 16;\noverride THREADS: u32 = 256;\nfn f() {}";

    /// A kernel of this text that takes so many arrays and no number.
    pub(crate) fn kernel(source: Source, num_arrays: u32) -> Shader {
        Shader {
            source,
            entry: "kernel",
            preludes: vec![],
            constants: vec![],
            workgroup: [256, 1, 1],
            shared_bytes: 0,
            num_arrays,
            fields: vec![],
        }
    }

    fn shader() -> Shader {
        kernel(Source::file("test.wgsl", TEXT), 1)
    }

    fn with_constant(name: &'static str, value: u32) -> Shader {
        Shader { constants: vec![(Cow::Borrowed(name), value)], ..shader() }
    }

    #[test]
    fn overrides_become_constants_with_the_value_of_the_host() {
        let text = with_constant("TILE", 8).text();
        assert_eq!(text, "const TILE: u32 = 8u;\nconst THREADS: u32 = 256;\nfn f() {}\n");
    }

    #[test]
    #[should_panic(expected = "test.wgsl: 0 of the constants [(\"WIDTH\", 8)] are declared")]
    fn a_constant_that_the_text_does_not_declare_is_refused() {
        with_constant("WIDTH", 8).text();
    }

    #[test]
    fn constants_and_emitted_texts_tell_kernels_apart() {
        let same = KernelMetadata::id(&shader()) == KernelMetadata::id(&shader());
        assert!(same, "equal kernels are found again");
        assert!(KernelMetadata::id(&shader()) != KernelMetadata::id(&with_constant("TILE", 8)));
        let emitted = |text: &str| kernel(Source::emitted("e", text), 1);
        assert!(KernelMetadata::id(&emitted("a")) != KernelMetadata::id(&emitted("b")));
        assert!(KernelMetadata::id(&emitted("a")) == KernelMetadata::id(&emitted("a")));
    }
}
