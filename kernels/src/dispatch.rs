//! How a family says what a backend may compute its own way, and which backend does.
//!
//! [`kernels!`] takes the operations of a family once, each with its reference as body, and for each
//! backend a table from operation to function. It makes the trait and its implementations from them, so
//! what a backend says it overrides is what it overrides. Not here: shapes, which the functions of a
//! family check before they call the trait.

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
/// Where both kinds of GPU have the same functions, `gpu { … }` stands for both tables. A table may hold a closure where the arguments of a kernel are others. What is in no table is the
/// reference; inside a graph that is Burn operations, which differentiate by themselves.
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
            ($d)
            pub trait $family: $above $(+ $more)* { $($operations)* }
            cpu { $($cpu)* }
            cuda { $($gpu)* }
            wgpu { $($gpu)* }
            autodiff { $($autodiff)* }
        }
    };
    (
        ($d:tt)
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
        /// shapes and call these.
        pub trait $family: $above $(+ $more)* {
            /// The operations of the family.
            const OPERATIONS: &'static [&'static str] = &[$(stringify!($operation)),+];
            /// Those with a kernel of this backend; the others are the references.
            const OWN: &'static [&'static str] = &[];
            $(
                #[doc = concat!("Unchecked [`", stringify!($operation), "`](fn@", stringify!($operation), ").")]
                fn $operation $(<const $rank: usize>)? ($($argument: $type),*) -> $output $reference
            )+
        }

        macro_rules! own {
            $(
                ($operation, $d kernel:expr) => {
                    fn $operation $(<const $rank: usize>)? ($($argument: $type),*) -> $output {
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
