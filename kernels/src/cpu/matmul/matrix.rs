//! Where the operands and the result of a product lie in memory.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// An operand: number `(row, column)` stands at `row * row_step + column * column_step`.
#[derive(Debug)]
pub(crate) struct Matrix<'a, T> {
    numbers: &'a [T],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<T> Clone for Matrix<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Matrix<'_, T> {}

impl<'a, T> Matrix<'a, T> {
    /// Rows one behind the other.
    pub(crate) fn new(numbers: &'a [T], [rows, columns]: [usize; 2]) -> Self {
        Self::strided(numbers, [rows, columns], [columns, 1])
    }

    /// Rows and columns at any distance.
    ///
    /// # Panics
    /// When the last number lies outside.
    pub(crate) fn strided(
        numbers: &'a [T],
        [rows, columns]: [usize; 2],
        [row_step, column_step]: [usize; 2],
    ) -> Self {
        let inside = rows == 0
            || columns == 0
            || (rows - 1) * row_step + (columns - 1) * column_step < numbers.len();
        assert!(inside, "{rows} x {columns} numbers do not fit into {}", numbers.len());
        Self { numbers, rows, columns, row_step, column_step }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }

    /// A part of it.
    pub(crate) fn block(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(rows.end <= self.rows && columns.end <= self.columns, "a block lies inside");
        let start = rows.start * self.row_step + columns.start * self.column_step;
        // A block without numbers may start behind the last one.
        let numbers = self.numbers.get(start..).unwrap_or_default();
        Self { numbers, rows: rows.len(), columns: columns.len(), ..self }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// `[row, column]` distances.
    pub(super) fn steps(&self) -> [usize; 2] {
        [self.row_step, self.column_step]
    }

    /// The numbers from `(row, column)` on.
    #[inline(always)]
    pub(super) fn from(&self, row: usize, column: usize) -> &'a [T] {
        &self.numbers[row * self.row_step + column * self.column_step..]
    }
}

/// The result: rows of side by side numbers, `row_step` apart, which need not hold anything yet.
pub(crate) struct Target<'a, T> {
    start: *mut T,
    rows: usize,
    columns: usize,
    row_step: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a unique borrow of numbers, which may move to another thread.
unsafe impl<T: Send> Send for Target<'_, T> {}
// SAFETY: a shared borrow gives access through `part` alone, whose caller answers for it.
unsafe impl<T: Send> Sync for Target<'_, T> {}

impl<'a, T: Copy> Target<'a, T> {
    /// Memory that holds numbers.
    pub(crate) fn new(numbers: &'a mut [T], shape: [usize; 2], row_step: usize) -> Self {
        let (start, count) = (numbers.as_mut_ptr(), numbers.len());
        Self::checked(start, count, shape, row_step)
    }

    /// Memory that holds nothing yet; a product that does not add makes it hold numbers.
    pub(crate) fn uninit(
        numbers: &'a mut [MaybeUninit<T>],
        shape: [usize; 2],
        row_step: usize,
    ) -> Self {
        let (start, count) = (numbers.as_mut_ptr().cast(), numbers.len());
        Self::checked(start, count, shape, row_step)
    }

    fn checked(start: *mut T, count: usize, [rows, columns]: [usize; 2], row_step: usize) -> Self {
        let inside = rows == 0 || columns == 0 || (rows - 1) * row_step + columns <= count;
        assert!(inside && columns <= row_step, "{rows} x {columns} numbers in room for {count}");
        Self { start, rows, columns, row_step, memory: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn row_step(&self) -> usize {
        self.row_step
    }

    /// Address of `(row, column)`, which must lie inside to be used.
    #[inline(always)]
    pub(super) fn address(&mut self, row: usize, column: usize) -> *mut T {
        self.start.wrapping_add(row * self.row_step + column)
    }

    /// A part of it, borrowed.
    pub(crate) fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> Target<'_, T> {
        // SAFETY: this is borrowed as long as the part lives.
        unsafe { self.part(rows, columns) }
    }

    /// A part of it.
    ///
    /// # Safety
    /// Parts that live at the same time do not overlap.
    pub(crate) unsafe fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Target<'_, T> {
        assert!(rows.end <= self.rows && columns.end <= self.columns, "a part lies inside");
        let start = self.start.wrapping_add(rows.start * self.row_step + columns.start);
        Target {
            start,
            rows: rows.len(),
            columns: columns.len(),
            row_step: self.row_step,
            memory: PhantomData,
        }
    }
}
