//! Operands in the order in which the register tile reads them.
//!
//! ```text
//! layout    left panel   A::ROWS rows of the left operand
//!             by row     cell (row, k) at row * (A::BLOCK + one cache line) + k, where the
//!                        operand is contiguous along k: packing is a copy
//!             by depth   cell (row, k) at k * A::ROWS + row, otherwise
//!           right panel  A::COLUMNS columns of the right operand; cell (k, column) at
//!                        k * A::COLUMNS + column
//!           panels follow each other
//! edges     missing rows, columns and the second half of a last pair are zero
//! ```
//!
//! The distance between rows is a constant, so that one pointer reaches all rows of a tile, and
//! no multiple of 4 KiB, so that they do not compete for the same lines of the cache.

use super::matrix::Matrix;
use crate::cpu::{Arithmetic, LINE_BYTES, Lanes, Scratch, prefetch_line};

/// Cells of a line that are turned around at a time; the lines of the panel that they touch fit
/// into L1.
const STAGE: usize = 64;

/// Cells of the summed axis between what is read and what is asked for from memory.
const SOON: usize = 4;

/// Distance of the rows of a left panel that is packed by row.
#[inline(always)]
pub(super) const fn row_distance<A: Arithmetic>() -> usize {
    A::BLOCK + 64 / size_of::<A::Cell>()
}

/// Cells that hold `depth` numbers of the summed axis.
#[inline(always)]
pub(super) fn cells_of<A: Arithmetic>(depth: usize) -> usize {
    depth.div_ceil(A::DEPTH)
}

/// A packed left operand `[M, K]`.
pub(super) struct Left<A: Arithmetic> {
    cells: Scratch<A::Cell>,
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) by_row: bool,
}

/// A packed right operand `[K, N]`.
pub(super) struct Right<A: Arithmetic> {
    cells: Scratch<A::Cell>,
    pub(super) columns: usize,
    pub(super) depth: usize,
}

impl<A: Arithmetic> Left<A> {
    /// An operand without rows.
    pub(crate) fn new() -> Self {
        Self { cells: Scratch::take(), rows: 0, depth: 0, by_row: true }
    }

    /// Replaces what was packed.
    ///
    /// # Panics
    /// When K is more than `A::BLOCK * A::DEPTH`.
    #[inline(always)]
    pub(crate) fn pack(&mut self, source: Matrix<'_, A::Number>) {
        (self.rows, self.depth) = (source.rows(), source.columns());
        self.by_row = source.steps()[1] == 1;
        assert!(cells_of::<A>(self.depth) <= A::BLOCK, "one block of the summed axis at a time");
        let (size, rows) = (self.panel_size(), self.rows);
        let room = self.cells.room(size * rows.div_ceil(A::ROWS));
        if !self.by_row {
            pack_by_depth::<A>(source, A::ROWS, room);
            return;
        }
        for (panel, first) in room.chunks_mut(size.max(1)).zip((0..rows).step_by(A::ROWS)) {
            let end = rows.min(first + A::ROWS);
            pack_by_row::<A>(source.block(first..end, 0..self.depth), panel);
        }
    }

    /// Replaces what was packed by a panel of these rows, of one length.
    ///
    /// # Panics
    /// When there are more than `A::ROWS`, or they are longer than `A::BLOCK * A::DEPTH`.
    #[inline(always)]
    pub(crate) fn pack_rows<'a>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a [A::Number]> + Clone,
    ) where
        A::Number: 'a,
    {
        self.depth = rows.clone().next().map_or(0, <[_]>::len);
        (self.rows, self.by_row) = (rows.len(), true);
        let cells = cells_of::<A>(self.depth);
        assert!(self.rows <= A::ROWS && cells <= A::BLOCK, "one panel at a time");
        let room = self.cells.room(A::ROWS * row_distance::<A>());
        let mut places = room.chunks_exact_mut(row_distance::<A>());
        for (row, to) in rows.zip(&mut places) {
            A::along(row, &mut to[..cells]);
        }
        places.for_each(|to| to[..cells].fill(A::EMPTY));
    }

    /// Cells of a panel.
    #[inline(always)]
    pub(super) fn panel_size(&self) -> usize {
        if self.by_row {
            A::ROWS * row_distance::<A>()
        } else {
            A::ROWS * cells_of::<A>(self.depth)
        }
    }

    #[inline(always)]
    pub(super) fn panel(&self, number: usize) -> &[A::Cell] {
        let size = self.panel_size();
        &self.cells.numbers()[number * size..(number + 1) * size]
    }
}

impl<A: Arithmetic> Right<A> {
    /// An operand without columns.
    pub(crate) fn new() -> Self {
        Self { cells: Scratch::take(), columns: 0, depth: 0 }
    }

    /// Replaces what was packed.
    ///
    /// # Panics
    /// When K is more than `A::BLOCK * A::DEPTH`.
    #[inline(always)]
    pub(crate) fn pack(&mut self, source: Matrix<'_, A::Number>) {
        (self.columns, self.depth) = (source.columns(), source.rows());
        assert!(cells_of::<A>(self.depth) <= A::BLOCK, "one block of the summed axis at a time");
        let (size, columns) = (self.panel_size(), self.columns);
        let room = self.cells.room(size * columns.div_ceil(A::COLUMNS));
        pack_by_depth::<A>(source.transposed(), A::COLUMNS, room);
    }

    /// Cells of a panel.
    #[inline(always)]
    pub(super) fn panel_size(&self) -> usize {
        A::COLUMNS * cells_of::<A>(self.depth)
    }

    #[inline(always)]
    pub(super) fn panel(&self, number: usize) -> &[A::Cell] {
        let size = self.panel_size();
        &self.cells.numbers()[number * size..(number + 1) * size]
    }
}

/// Lines that are contiguous along the summed axis, one behind the other.
#[inline(always)]
fn pack_by_row<A: Arithmetic>(lines: Matrix<'_, A::Number>, panel: &mut [A::Cell]) {
    let depth = lines.columns();
    let cells = cells_of::<A>(depth);
    for row in 0..panel.len() / row_distance::<A>() {
        let to = &mut panel[row * row_distance::<A>()..][..cells];
        if row < lines.rows() && depth > 0 {
            A::along(&lines.from(row, 0)[..depth], to);
        } else {
            to.fill(A::EMPTY);
        }
    }
}

/// Panels of `width` lines: the cells of all lines of one place of the summed axis side by side,
/// then the next place; `width` is a constant where this is inlined.
#[inline(always)]
fn pack_by_depth<A: Arithmetic>(
    lines: Matrix<'_, A::Number>,
    width: usize,
    panels: &mut [A::Cell],
) {
    let size = width * cells_of::<A>(lines.columns());
    if size == 0 {
        return;
    }
    if lines.steps()[0] == 1 {
        pack_side_by_side::<A>(lines, width, panels);
        return;
    }
    let (count, depth) = (lines.rows(), lines.columns());
    for (panel, first) in panels.chunks_exact_mut(size).zip((0..count).step_by(width)) {
        let end = count.min(first + width);
        pack_turned::<A>(lines.block(first..end, 0..depth), width, panel);
    }
}

/// Lines that lie side by side in memory: all panels at once, so that memory is read in its order.
#[inline(always)]
fn pack_side_by_side<A: Arithmetic>(
    lines: Matrix<'_, A::Number>,
    width: usize,
    panels: &mut [A::Cell],
) {
    let (count, depth) = (lines.rows(), lines.columns());
    let (cells, step) = (cells_of::<A>(depth), lines.steps()[1]);
    for at in 0..cells {
        let k = at * A::DEPTH;
        let numbers = &lines.from(0, k)[..count];
        let next = if A::DEPTH > 1 && k + 1 < depth { &lines.from(0, k + 1)[..count] } else { &[] };
        for (panel, first) in panels.chunks_exact_mut(width * cells).zip((0..count).step_by(width))
        {
            let end = count.min(first + width);
            let to = &mut panel[at * width..(at + 1) * width];
            for half in 0..A::DEPTH {
                let soon = numbers.as_ptr().wrapping_add(first + (SOON * A::DEPTH + half) * step);
                prefetch_line(soon);
                prefetch_line(soon.wrapping_byte_add(LINE_BYTES));
            }
            if end == first + width {
                // The length is a constant here, so the copy is a few instructions.
                let next = next.get(first..first + width).unwrap_or_default();
                A::across(&numbers[first..first + width], next, to);
            } else {
                let next = next.get(first..end).unwrap_or_default();
                A::across(&numbers[first..end], next, &mut to[..end - first]);
                to[end - first..].fill(A::EMPTY);
            }
        }
    }
}

/// Lines that run along the summed axis, with any distance of their numbers, into one panel:
/// blocks of whole registers are turned there, the rest goes line by line.
#[inline(always)]
fn pack_turned<A: Arithmetic>(lines: Matrix<'_, A::Number>, width: usize, panel: &mut [A::Cell]) {
    let (count, depth, lanes) = (lines.rows(), lines.columns(), A::Sums::LANES);
    let [step, along] = lines.steps();
    let whole = |length: usize| if along == 1 { length / lanes * lanes } else { 0 };
    let (lines_turned, cells_turned) = (whole(count), whole(depth / A::DEPTH));
    for at in (0..cells_turned).step_by(lanes) {
        for line in (0..lines_turned).step_by(lanes) {
            let from = lines.from(line, at * A::DEPTH).as_ptr();
            for ahead in 0..lanes {
                let soon = from.wrapping_add(ahead * step + 2 * lanes * A::DEPTH);
                prefetch_line(soon);
                prefetch_line(soon.wrapping_byte_add(LINE_BYTES));
            }
            let to = &mut panel[at * width + line..(at + lanes - 1) * width + line + lanes];
            // SAFETY: `lanes` lines of `lanes` cells start at `from`, `step` apart, and their last
            // cell has the last place of `to`.
            unsafe { A::turn(from, step, to.as_mut_ptr(), width) };
        }
    }
    for line in 0..width {
        let first = if line < lines_turned { cells_turned } else { 0 };
        pack_line::<A>(lines, line, first, width, panel);
    }
}

/// The cells of one line from `first` on, zero where there is no such line.
#[inline(always)]
fn pack_line<A: Arithmetic>(
    lines: Matrix<'_, A::Number>,
    line: usize,
    first: usize,
    width: usize,
    panel: &mut [A::Cell],
) {
    let depth = lines.columns();
    let mut stage = [A::EMPTY; STAGE];
    for start in (first..cells_of::<A>(depth)).step_by(STAGE) {
        let numbers = start * A::DEPTH..depth.min((start + STAGE) * A::DEPTH);
        let cells = cells_of::<A>(numbers.len());
        if line < lines.rows() {
            along_any::<A>(lines.block(line..line + 1, numbers), &mut stage);
        }
        for at in 0..cells {
            panel[(start + at) * width + line] = stage[at];
        }
    }
}

/// One line into the stage.
#[inline(always)]
fn along_any<A: Arithmetic>(line: Matrix<'_, A::Number>, stage: &mut [A::Cell; STAGE]) {
    let (count, step) = (line.columns(), line.steps()[1]);
    if step == 1 {
        A::along(&line.from(0, 0)[..count], &mut stage[..cells_of::<A>(count)]);
        return;
    }
    for (at, cell) in stage[..cells_of::<A>(count)].iter_mut().enumerate() {
        let end = count.min((at + 1) * A::DEPTH);
        let numbers: [A::Number; 2] = std::array::from_fn(|half| {
            let k = (at * A::DEPTH + half).min(end - 1);
            line.from(0, k)[0]
        });
        A::along(&numbers[..end - at * A::DEPTH], std::slice::from_mut(cell));
    }
}
