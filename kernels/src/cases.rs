//! What families give to time: an operation on a shape that occurs in our models, its inputs, and the least work.
//! Not here: clocks, ceilings and tables, which belong to those who time.

use std::hint::black_box;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Distribution, FloatDType, Int, Tensor, TensorData};

use crate::roofline::Work;

/// What an operation multiplies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// f32
    F32,
    /// f64
    F64,
    /// bf16 operands, f32 sums
    Bf16,
}

impl Arithmetic {
    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            // Tensors of bf16-mixed training are f32; kernels round as they read.
            Self::F32 | Self::Bf16 => 4,
        }
    }
}

/// Something that can be run again and again, its inputs made.
pub type Run = Box<dyn FnMut() + Send>;

/// Makes inputs on a device and returns what is timed.
pub type Prepare<B> = Box<dyn Fn(&Place<B>) -> Run + Send + Sync>;

/// One operation on one shape.
pub struct Case<B: Backend> {
    /// Which operation.
    pub operation: &'static str,
    /// Sizes, for people.
    pub shape: String,
    /// What it multiplies with.
    pub arithmetic: Arithmetic,
    /// What it must do at least.
    pub work: Work,
    /// Its inputs.
    pub prepare: Prepare<B>,
}

impl<B: Backend> Case<B> {
    /// `prepare` makes the inputs on a device and returns what is timed.
    pub(crate) fn new<R: FnMut() -> T + Send + 'static, T>(
        operation: &'static str,
        shape: impl Into<String>,
        arithmetic: Arithmetic,
        work: Work,
        prepare: impl Fn(&Place<B>) -> R + Send + Sync + 'static,
    ) -> Self {
        let prepare = move |at: &Place<B>| -> Run {
            let mut run = prepare(at);
            Box::new(move || {
                black_box(run());
            })
        };
        Self { operation, shape: shape.into(), arithmetic, work, prepare: Box::new(prepare) }
    }
}

/// A device, for the closures that make inputs there.
#[derive(Debug, Clone)]
pub struct Place<B: Backend> {
    /// Where.
    pub device: B::Device,
}

impl<B: Backend> Place<B> {
    /// Normal numbers in the type of `arithmetic`.
    pub(crate) fn normal<const D: usize>(
        &self,
        shape: [usize; D],
        arithmetic: Arithmetic,
    ) -> Tensor<B, D> {
        let numbers: Tensor<B, D> =
            Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device);
        match arithmetic {
            Arithmetic::F64 => numbers.cast(FloatDType::F64),
            Arithmetic::F32 | Arithmetic::Bf16 => numbers,
        }
    }

    /// Several tensors of normal f32.
    pub(crate) fn normals<const D: usize, const N: usize>(
        &self,
        shape: [usize; D],
    ) -> [Tensor<B, D>; N] {
        std::array::from_fn(|_| self.normal(shape, Arithmetic::F32))
    }

    /// [`scattered`] numbers.
    pub(crate) fn ids(&self, count: usize, end: usize) -> Tensor<B, 1, Int> {
        let ids: Vec<i32> =
            scattered(count, end).into_iter().map(|id| i32::try_from(id).unwrap_or(0)).collect();
        Tensor::from_data(TensorData::new(ids, [count]), &self.device)
    }

    /// Those of `all` that the device computes in.
    pub(crate) fn can<const N: usize>(&self, all: [Arithmetic; N]) -> Vec<Arithmetic> {
        let has_f64 = B::supports_dtype(&self.device, DType::F64);
        all.into_iter().filter(|it| has_f64 || *it != Arithmetic::F64).collect()
    }
}

/// Numbers below `end` in an order without pattern.
pub(crate) fn scattered(count: usize, end: usize) -> Vec<u32> {
    // The golden ratio's multiples are spread evenly; modulo 2^32.
    let place = |at: u32| (u64::from(at.wrapping_mul(0x9E37_79B9)) * end as u64) >> 32;
    (0..).take(count).map(|at| u32::try_from(place(at)).unwrap_or(0)).collect()
}

/// Sizes that occur together.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Of a transformer.
    pub sequences: Sequences,
    /// Of an equivariant network.
    pub atoms: Atoms,
    /// Parameters of a step of an optimizer.
    pub parameters: usize,
}

/// A batch of a transformer.
#[derive(Debug, Clone, Copy)]
pub struct Sequences {
    /// Documents.
    pub batch: usize,
    /// T
    pub context: usize,
    /// C
    pub width: usize,
    /// H
    pub heads: usize,
    /// F
    pub hidden: usize,
    /// V
    pub vocabulary: usize,
}

impl Sequences {
    pub(crate) fn tokens(&self) -> usize {
        self.batch * self.context
    }

    /// Of a head.
    pub(crate) fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

/// A batch of an equivariant network, harmonics to degree 3, three species.
#[derive(Debug, Clone, Copy)]
pub struct Atoms {
    /// N
    pub nodes: usize,
    /// Edges of a node.
    pub neighbors: usize,
    /// C
    pub channels: usize,
    /// Highest of the features.
    pub degree: usize,
}

/// Highest degree of harmonics.
pub(crate) const HARMONICS: usize = 3;
/// Species of nodes.
pub(crate) const SPECIES: usize = 3;

impl Atoms {
    pub(crate) fn edges(&self) -> usize {
        self.nodes * self.neighbors
    }

    /// Rows of radial weights: an edge and its reverse share one.
    pub(crate) fn rows(&self) -> usize {
        self.edges() / 2
    }

    pub(crate) fn species(&self) -> Vec<u32> {
        scattered(self.nodes, SPECIES)
    }

    /// Output, indices and order of all monomials to order 3 whose parity and triangle rules do not matter here:
    /// as many as a network of degree 3 has to its scalars, some 90, for every output.
    pub(crate) fn monomials(&self) -> Vec<(u16, [u16; 3], u8)> {
        let square = |degree: usize| u16::try_from((degree + 1).pow(2)).unwrap_or(u16::MAX);
        let (inputs, outputs) = (square(HARMONICS), square(self.degree));
        let mut list = Vec::new();
        for output in 0..outputs {
            list.push((output, [output, 0, 0], 1));
            list.extend((0..inputs).map(|i| (output, [i, i, 0], 2)));
            let triples = (0..inputs)
                .flat_map(|i| (i..inputs).flat_map(move |j| (j..inputs).map(move |k| [i, j, k])));
            let some = triples.filter(|of| (of.iter().sum::<u16>() + output) % 11 == 0);
            list.extend(some.map(|of| (output, of, 3)));
        }
        list
    }
}
