//! A launch as data: which kernel, compiled how, over which grid, with which arguments. Every machine takes it.
//!
//! Arrays come in one order and numbers behind them in another, in both languages. Where a launch in WGSL has
//! another geometry than in CUDA, it says so. Not here: the checks (`cuda/check.rs`, `wgpu/limits.rs`) and
//! running it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use super::emit::{Kernel, Written};

/// The text of a kernel in CUDA, in WGSL where there is one, and its name in messages.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Such as `families/norm/norm.cu`.
    pub(crate) name: Cow<'static, str>,
    /// Its content.
    pub(crate) text: Cow<'static, str>,
    digest: OnceLock<u64>,
    #[cfg(feature = "wgpu")]
    pub(crate) wgsl: Option<crate::machine::wgpu::Source>,
}

impl Source {
    /// A file of the repository: `Source::of("families/norm/norm.cu", include_str!("norm.cu"))`.
    pub(crate) const fn of(name: &'static str, text: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            text: Cow::Borrowed(text),
            digest: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            wgsl: None,
        }
    }

    /// Two files with the same kernels, each with its name.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_variables, reason = "nobody asks for WGSL"))]
    pub(crate) const fn both(cuda: [&'static str; 2], wgsl: [&'static str; 2]) -> Self {
        Self {
            name: Cow::Borrowed(cuda[0]),
            text: Cow::Borrowed(cuda[1]),
            digest: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            wgsl: Some(crate::machine::wgpu::Source::file(wgsl[0], wgsl[1])),
        }
    }

    /// A file in WGSL alone.
    #[cfg(feature = "wgpu")]
    pub(crate) const fn wgsl(name: &'static str, text: &'static str) -> Self {
        Self::both([name, ""], [name, text])
    }

    /// A kernel that is described once.
    pub(crate) fn printed(name: String, kernel: &Kernel) -> Self {
        Self {
            name: Cow::Owned(name),
            text: Cow::Owned(kernel.cuda()),
            digest: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            wgsl: Some(crate::machine::wgpu::Source::emitted(kernel.name, kernel.wgsl())),
        }
    }

    /// An elementwise kernel that is described once.
    pub(crate) fn elementwise(of: &Written) -> Self {
        let name = of.kernel().name;
        Self {
            name: Cow::Owned(format!("elementwise/{name}.cu")),
            text: Cow::Owned(of.cuda()),
            digest: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            wgsl: Some(crate::machine::wgpu::Source::emitted(name, of.kernel().wgsl())),
        }
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
    /// `u64`; two numbers of WGSL, with `_low` and `_high` behind the name.
    U64(u64),
    /// `u32`, or `u64` where the kernel's parameter is one.
    Count(usize),
    /// `Real`: becomes what the kernel's parameter is.
    Real(f64),
}

/// An argument of a launch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument<'a, A> {
    /// Read and never written.
    Input(&'a A),
    /// Written, and read where the kernel's header says so.
    Output(&'a A),
    /// Passed by value, with the name of the parameter; kernels in CUDA alone are called without.
    Number(&'static str, Number),
}

/// What differs in WGSL.
#[cfg(feature = "wgpu")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Wgsl {
    /// Texts before that of the source.
    pub(crate) preludes: Vec<&'static str>,
    /// Defines of CUDA alone.
    pub(crate) without: Vec<&'static str>,
    /// Constants of WGSL alone.
    pub(crate) constants: Vec<(&'static str, usize)>,
    /// Workgroups, where they are not the blocks.
    pub(crate) groups: Option<usize>,
    /// Whether each axis of the grid has a meaning, so that none may go on along the next.
    pub(crate) has_axes: bool,
    /// Threads of a workgroup, where they are not those of a block.
    pub(crate) threads: Option<u32>,
    /// Bytes that a workgroup shares.
    pub(crate) shared_bytes: u32,
}

/// One launch; built as `Launch::of(&SOURCE, "name").define(…).grid(…).block(…).input(&x).output(&y)`.
#[derive(Debug)]
pub(crate) struct Launch<'a, A> {
    /// Where the kernel is.
    pub(crate) source: &'a Source,
    /// Its name.
    pub(crate) entry: &'static str,
    /// What it is compiled with; one of the `// variants` of the source.
    pub(crate) defines: BTreeMap<String, String>,
    /// Blocks along x, y, z.
    pub(crate) grid: [usize; 3],
    /// Threads along x, y, z.
    pub(crate) block: [u32; 3],
    /// Dynamic shared memory, in CUDA.
    pub(crate) shared_bytes: usize,
    /// In the order of the parameters.
    pub(crate) arguments: Vec<Argument<'a, A>>,
    #[cfg(feature = "wgpu")]
    pub(crate) wgsl: Wgsl,
}

impl<'a, A> Launch<'a, A> {
    /// A launch of one block of one warp without arguments.
    pub(crate) fn of(source: &'a Source, entry: &'static str) -> Self {
        let (grid, block) = ([1; 3], [32, 1, 1]);
        Self {
            source,
            entry,
            defines: BTreeMap::new(),
            grid,
            block,
            shared_bytes: 0,
            arguments: Vec::new(),
            #[cfg(feature = "wgpu")]
            wgsl: Wgsl::default(),
        }
    }

    /// Compiled with `-Dname=value`; in WGSL, whose numbers are all f32, all but `Real` are constants.
    pub(crate) fn define(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.defines.insert(name.to_owned(), value.to_string());
        self
    }

    /// In CUDA alone, compiled with `-Dname=value`.
    #[cfg_attr(not(feature = "wgpu"), expect(unused_mut, reason = "nobody asks for WGSL"))]
    pub(crate) fn in_cuda(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        #[cfg(feature = "wgpu")]
        self.wgsl.without.push(name);
        self.define(name, value)
    }

    /// In WGSL alone, with `override name` set.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(unused_mut, unused_variables, reason = "nobody asks for WGSL")
    )]
    pub(crate) fn in_wgsl(mut self, name: &'static str, value: usize) -> Self {
        #[cfg(feature = "wgpu")]
        self.wgsl.constants.push((name, value));
        self
    }

    /// Blocks along x.
    pub(crate) fn grid(mut self, x: usize) -> Self {
        self.grid = [x, 1, 1];
        self
    }

    /// Blocks along x, y and z.
    pub(crate) fn grid3(mut self, grid: [usize; 3]) -> Self {
        self.grid = grid;
        #[cfg(feature = "wgpu")]
        {
            self.wgsl.has_axes = true;
        }
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

    /// In WGSL, that many workgroups.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(unused_mut, unused_variables, reason = "nobody asks for WGSL")
    )]
    pub(crate) fn groups(mut self, groups: usize) -> Self {
        #[cfg(feature = "wgpu")]
        {
            self.wgsl.groups = Some(groups);
        }
        self
    }

    /// In WGSL, behind this text, whose workgroups share so many bytes.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(unused_mut, unused_variables, reason = "nobody asks for WGSL")
    )]
    pub(crate) fn behind(mut self, prelude: &'static str, shared_bytes: u32) -> Self {
        #[cfg(feature = "wgpu")]
        {
            self.wgsl.preludes.extend((!prelude.is_empty()).then_some(prelude));
            self.wgsl.shared_bytes += shared_bytes;
        }
        self
    }

    /// In WGSL, with workgroups of so many threads that take sums over them.
    pub(crate) fn group_sums(self, threads: u32) -> Self {
        // `tree: array<f32, THREADS>`
        self.group_threads(threads).behind("", 4 * threads)
    }

    /// In WGSL, with workgroups of so many threads, in a text with kernels that take sums over them.
    #[cfg_attr(
        not(feature = "wgpu"),
        expect(unused_mut, unused_variables, reason = "nobody asks for WGSL")
    )]
    pub(crate) fn group_threads(mut self, threads: u32) -> Self {
        #[cfg(feature = "wgpu")]
        {
            self.wgsl.threads = Some(threads);
            self.wgsl.preludes.push(crate::machine::wgpu::GROUP);
        }
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

    /// The next argument: a number, of a kernel in CUDA alone.
    pub(crate) fn number(self, number: Number) -> Self {
        self.named("", number)
    }

    /// The next argument: a number, by the name that both languages have for it.
    pub(crate) fn named(mut self, name: &'static str, number: Number) -> Self {
        self.arguments.push(Argument::Number(name, number));
        self
    }

    /// The next argument: a size, by its name.
    pub(crate) fn count(self, name: &'static str, count: usize) -> Self {
        self.named(name, Number::Count(count))
    }
}
