//! A matrix product as data: operands as views of arrays, so that a transpose is a stride and not a copy.
//!
//! `out[b] = a[b] b[b] (+ bias) (+ out[b])`, or `(+ onto[b])`, for every `b` of the batch. Row-major or its transpose; what a
//! machine does with it is its own affair. Not here: algorithms.

use crate::machine::{Array, Element};

/// A batch of matrices in an array.
#[derive(Debug)]
pub(crate) struct Matrices<'a, A> {
    /// Where they are.
    pub(crate) array: &'a A,
    /// Elements before the first.
    pub(crate) offset: usize,
    /// Rows of the matrix as it takes part in the product.
    pub(crate) rows: usize,
    /// Columns of the matrix as it takes part in the product.
    pub(crate) columns: usize,
    /// Elements from one stored row to the next.
    pub(crate) stride: usize,
    /// Stored are its columns: the array holds the transpose.
    pub(crate) transposed: bool,
    /// Elements from one matrix of the batch to the next; 0 shares one matrix.
    pub(crate) batch_stride: usize,
}

// By hand, since `derive` would ask it of the array.
impl<A> Clone for Matrices<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Matrices<'_, A> {}

impl<'a, A> Matrices<'a, A> {
    /// One matrix `[rows, columns]` that fills the array row by row.
    pub(crate) fn of(array: &'a A, [rows, columns]: [usize; 2]) -> Self {
        let (offset, stride, batch_stride) = (0, columns, rows * columns);
        Self { array, offset, rows, columns, stride, transposed: false, batch_stride }
    }

    /// The transpose, without a copy.
    pub(crate) fn transpose(self) -> Self {
        let (rows, columns) = (self.columns, self.rows);
        Self { rows, columns, transposed: !self.transposed, ..self }
    }

    /// Rows from `first` on, `count` of them, of a matrix that is stored by rows.
    pub(crate) fn rows_from(self, first: usize, count: usize) -> Self {
        assert!(!self.transposed && first + count <= self.rows, "rows {first}+{count} of a matrix");
        Self { offset: self.offset + first * self.stride, rows: count, ..self }
    }

    /// Place of an element in the array.
    pub(crate) fn place(&self, batch: usize, row: usize, column: usize) -> usize {
        let (major, minor) = if self.transposed { (column, row) } else { (row, column) };
        self.offset + batch * self.batch_stride + major * self.stride + minor
    }
}

/// How the sums of a product are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Compute {
    /// In the type of the operands: f32 or f64. Operands of bf16 are summed in f32.
    Plain,
    /// Operands of f32 cut to 10 bits of fraction by the tensor cores, sums in f32.
    Tf32,
}

/// One product.
#[derive(Debug)]
pub(crate) struct Product<'a, A> {
    /// Left, `[m, k]`.
    pub(crate) a: Matrices<'a, A>,
    /// Right, `[k, n]`, of the same element type.
    pub(crate) b: Matrices<'a, A>,
    /// Result, `[m, n]`, stored by rows. Of f32 where the operands are bf16, else of their type.
    pub(crate) out: Matrices<'a, A>,
    /// `[n]`, added to every row; of the type of the result.
    pub(crate) bias: Option<&'a A>,
    /// Added to what is there, instead of replacing it.
    pub(crate) accumulate: bool,
    /// Added instead: laid out as the result and read where that is written. Needs terms to sum.
    pub(crate) onto: Option<&'a A>,
    /// Matrices in the batch.
    pub(crate) batch: usize,
    /// How sums are computed.
    pub(crate) compute: Compute,
}

impl<A> Clone for Product<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Product<'_, A> {}

impl<'a, A> Product<'a, A> {
    /// `out = a b`.
    pub(crate) fn of(a: Matrices<'a, A>, b: Matrices<'a, A>, out: Matrices<'a, A>) -> Self {
        let (bias, onto) = (None, None);
        Self { a, b, out, bias, accumulate: false, onto, batch: 1, compute: Compute::Plain }
    }
}

impl<A: Array> Product<'_, A> {
    /// `[m, n, k]`
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.a.rows, self.b.columns, self.a.columns]
    }

    /// Asserts that shapes and types fit and that every operand lies in its array.
    ///
    /// # Panics
    /// When they do not: a bug of the caller.
    pub(crate) fn check(&self) {
        let [m, n, k] = self.sizes();
        assert!(self.b.rows == k, "product: `a` is [{m}, {k}] but `b` has {} rows", self.b.rows);
        let out = [self.out.rows, self.out.columns];
        assert!(out == [m, n], "product: `out` is {out:?} but must be [{m}, {n}]");
        assert!(!self.out.transposed, "product: `out` is stored by rows");
        let operands = [self.a.array.element(), self.b.array.element()];
        let result = self.out.array.element();
        let fits = match operands {
            [Element::F32, Element::F32] | [Element::Bf16, Element::Bf16] => result == Element::F32,
            [Element::F64, Element::F64] => result == Element::F64,
            _ => false,
        };
        assert!(fits, "product: operands {operands:?} do not give {result:?}");
        for (name, matrices) in [("a", &self.a), ("b", &self.b), ("out", &self.out)] {
            self.check_bounds(name, matrices);
        }
        if let Some(bias) = self.bias {
            let (element, len) = (bias.element(), bias.len());
            assert!(element == result && len == n, "product: `bias` is {len} {element:?}, not {n}");
        }
        if let Some(onto) = self.onto {
            self.check_onto(onto);
        }
    }

    fn check_onto(&self, onto: &A) {
        let (element, len) = (onto.element(), onto.len());
        let out = (self.out.array.element(), self.out.array.len());
        assert!((element, len) == out, "product: `onto` is {len} {element:?}, not {out:?}");
        assert!(!self.accumulate, "product: added to `out` or to `onto`");
        assert!(self.a.columns > 0, "product: `onto` needs terms to sum");
    }

    fn check_bounds(&self, name: &str, matrices: &Matrices<'_, A>) {
        if self.batch * matrices.rows * matrices.columns == 0 {
            return;
        }
        let last = matrices.place(self.batch - 1, matrices.rows - 1, matrices.columns - 1);
        let len = matrices.array.len();
        assert!(last < len, "product: `{name}` ends at element {last} of an array of {len}");
        let minor = if matrices.transposed { matrices.rows } else { matrices.columns };
        let stride = matrices.stride;
        assert!(stride >= minor, "product: `{name}` has rows of {minor} at a stride of {stride}");
    }
}
