//! How a family says what a backend may compute its own way, and which backend does.
//!
//! [`kernels!`] takes the operations of a family once, each with its reference as body, and for each
//! backend a table from operation to function. It makes the trait and its implementations from them, so
//! what a backend says it overrides is what it overrides. Not here: shapes, which the functions of a
//! family check before they call the trait.

/// Has who may call what a backend computes: the functions of the families alone, which checked the shapes.
#[derive(Clone, Copy, Debug)]
pub struct Checked(());

/// The only one.
pub(crate) const CHECKED: Checked = Checked(());

/// Declares the trait of a family and implements it for every backend.
///
/// ```text
/// kernels! {
///     pub trait SiluKernels: Backend {
///         fn silu(x: Tensor<Self, 2>) -> Tensor<Self, 2> { reference::forward(x) }
///     }
///     cpu { silu: cpu::forward }
///     cuda {}
///     wgpu {}
///     autodiff { silu: op::tracked }
/// }
/// ```
///
/// Where both kinds of GPU have the same functions, `gpu { … }` stands for both tables. A table may hold a
/// closure where the arguments of a kernel are others. What is in no table is the reference; inside a graph
/// that is Burn operations, which differentiate by themselves. Tests find the kernels in WGSL by the function
/// `shaders` of the module `gpu`; a family whose table for wgpu is of its own names its own. Its tests give a wrong shape for each operation,
/// `refusals`.
macro_rules! kernels {
    ($($declaration:tt)*) => {
        $crate::dispatch::kernels_with! { ($) $($declaration)* }
    };
}

/// [`kernels!`] with the dollar that the macro it writes needs.
macro_rules! kernels_with {
    (
        ($d:tt)
        pub trait $family:ident: $above:ident $(+ $more:ident)* { $($operations:tt)* }
        cpu { $($cpu:tt)* }
        gpu { $($gpu:tt)* }
        autodiff { $($autodiff:tt)* }
    ) => {
        $crate::dispatch::kernels_with! {
            ($d) implemented
            pub trait $family: $above $(+ $more)* { $($operations)* }
            cpu { $($cpu)* }
            cuda { $($gpu)* }
            wgpu { $($gpu)* }
            autodiff { $($autodiff)* }
        }

        #[cfg(all(test, feature = "wgpu"))]
        pub(crate) use self::gpu::shaders;
    };
    (
        ($d:tt)
        pub trait $family:ident: $above:ident $(+ $more:ident)* { $($operations:tt)* }
        cpu { $($cpu:tt)* }
        cuda { $($cuda:tt)* }
        wgpu {}
        autodiff { $($autodiff:tt)* }
    ) => {
        $crate::dispatch::kernels_with! {
            ($d) implemented
            pub trait $family: $above $(+ $more)* { $($operations)* }
            cpu { $($cpu)* }
            cuda { $($cuda)* }
            wgpu {}
            autodiff { $($autodiff)* }
        }

        /// No kernel in WGSL.
        #[cfg(all(test, feature = "wgpu"))]
        pub(crate) fn shaders() -> Vec<$crate::machine::wgpu::Shader> {
            Vec::new()
        }
    };
    (
        ($d:tt)
        pub trait $family:ident: $above:ident $(+ $more:ident)* { $($operations:tt)* }
        cpu { $($cpu:tt)* }
        cuda { $($cuda:tt)* }
        wgpu { $($wgpu:tt)+ }
        autodiff { $($autodiff:tt)* }
    ) => {
        $crate::dispatch::kernels_with! {
            ($d) implemented
            pub trait $family: $above $(+ $more)* { $($operations)* }
            cpu { $($cpu)* }
            cuda { $($cuda)* }
            wgpu { $($wgpu)+ }
            autodiff { $($autodiff)* }
        }
    };
    (
        ($d:tt) implemented
        pub trait $family:ident: $above:ident $(+ $more:ident)* {
            $(
                fn $operation:ident $(<const $rank:ident: usize>)?
                ($($argument:ident: $type:ty),* $(,)?) -> $output:ty $reference:block
            )+
        }
        cpu { $($cpu:ident: $on_cpu:expr),* $(,)? }
        cuda { $($cuda:ident: $on_cuda:expr),* $(,)? }
        wgpu { $($wgpu:ident: $on_wgpu:expr),* $(,)? }
        autodiff { $($autodiff:ident: $in_graph:expr),* $(,)? }
    ) => {
        /// What a backend may compute its own way; the functions of the same names say what, check
        /// shapes and alone can call these.
        pub trait $family: $above $(+ $more)* {
            /// The operations of the family.
            const OPERATIONS: &'static [&'static str] = &[$(stringify!($operation)),+];
            /// Those with a kernel of this backend; the others are the references.
            const OWN: &'static [&'static str] = &[];
            $(
                #[doc = concat!("[`", stringify!($operation), "`](fn@", stringify!($operation), ") of checked shapes.")]
                fn $operation $(<const $rank: usize>)? (
                    _: $crate::dispatch::Checked,
                    $($argument: $type),*
                ) -> $output $reference
            )+
        }

        #[cfg(test)]
        pub(crate) use self::tests::refusals;

        macro_rules! own {
            $(
                ($operation, $d kernel:expr) => {
                    fn $operation $(<const $rank: usize>)? (
                        _: $crate::dispatch::Checked,
                        $($argument: $type),*
                    ) -> $output {
                        $d kernel($($argument),*)
                    }
                };
            )+
        }

        impl $family for ::genesis_backends::Cpu {
            const OWN: &'static [&'static str] = &[$(stringify!($cpu)),*];
            $(own!($cpu, $on_cpu);)*
        }

        #[cfg(feature = "cuda")]
        impl $family for ::genesis_backends::Cuda {
            const OWN: &'static [&'static str] = &[$(stringify!($cuda)),*];
            $(own!($cuda, $on_cuda);)*
        }

        #[cfg(feature = "cuda")]
        impl $family for ::genesis_backends::PlainCuda {}

        #[cfg(feature = "wgpu")]
        impl $family for ::genesis_backends::Wgpu {
            const OWN: &'static [&'static str] = &[$(stringify!($wgpu)),*];
            $(own!($wgpu, $on_wgpu);)*
        }

        impl<B, C> $family for ::burn::backend::Autodiff<B, C>
        where
            B: $family,
            C: ::burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
        {
            const OWN: &'static [&'static str] = &[$(stringify!($autodiff)),*];
            $(own!($autodiff, $in_graph);)*
        }
    };
}

pub(crate) use {kernels, kernels_with};
