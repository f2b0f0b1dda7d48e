//! Rows of harmonics in shared memory: a thread has a row, but neighbouring threads read and write
//! neighbouring numbers of the arrays.

use crate::machine::emit::{
    Expr, Kind, SHARED, Statement, THREADS, barrier, constant, each, element, less, name, place,
    shared, store, variable, when, whole,
};

/// Most shared numbers: 16 KiB in f32, which WebGPU guarantees, 32 of the 48 of CUDA in f64.
const MOST_NUMBERS: usize = 4096;

/// The tile of a group.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    columns: usize,
}

impl Tile {
    pub(super) fn of(max_degree: usize) -> Self {
        Self { columns: (max_degree + 1) * (max_degree + 1) }
    }

    /// Numbers from row to row: odd, so that the threads of a warp meet different banks.
    fn stride(self) -> usize {
        self.columns | 1
    }

    /// Threads of a group, which are its edges.
    pub(super) fn threads(self) -> u32 {
        if THREADS as usize * self.stride() <= MOST_NUMBERS { THREADS } else { THREADS / 2 }
    }

    pub(super) fn numbers(self) -> u32 {
        self.threads() * u32::try_from(self.stride()).expect("degree 6 has 49 harmonics")
    }

    /// The first edge of the group and that of the thread.
    pub(super) fn edge(self) -> Vec<Statement> {
        vec![
            constant(Kind::Whole, "first", name("group") * Expr::Whole(self.threads())),
            constant(Kind::Whole, "edge", name("first") + name("thread")),
        ]
    }

    /// The thread's row as variables.
    pub(super) fn read_row(self, prefix: &str) -> Vec<Statement> {
        let number = |m| variable(Kind::Real, format!("{prefix}{m}"), shared(self.at(m)));
        (0..self.columns).map(number).collect()
    }

    /// The thread's row from registers, each name with a suffix.
    pub(super) fn write_row(self, prefix: &str, suffix: &str) -> Vec<Statement> {
        let number = |m| store(SHARED, self.at(m), name(format!("{prefix}{m}{suffix}")));
        (0..self.columns).map(number).collect()
    }

    fn at(self, column: usize) -> Expr {
        name("thread") * whole(self.stride()) + whole(column)
    }

    /// All rows of the group from an array.
    pub(super) fn load(self, array: &str) -> Vec<Statement> {
        let copy = store(SHARED, self.here(), element(array, self.there()));
        vec![self.all(copy), barrier("all rows are loaded")]
    }

    /// All rows of the group to an array.
    pub(super) fn store(self, array: &str) -> Vec<Statement> {
        let copy = store(array, self.there(), shared(self.here()));
        vec![barrier("all rows are written"), self.all(copy)]
    }

    /// Does something for all numbers of all rows that there are, thread by thread.
    fn all(self, body: Statement) -> Statement {
        let threads = self.threads() as usize;
        let exists = less(name("first") + name("row"), name("count"));
        let one = vec![
            constant(Kind::Whole, "row", name("at") / whole(self.columns)),
            when(exists, vec![body]),
        ];
        each("at", [name("thread"), whole(threads * self.columns), whole(threads)], one)
    }

    fn here(self) -> Expr {
        name("row") * whole(self.stride()) + name("at") % whole(self.columns)
    }

    fn there(self) -> Expr {
        place(name("first")) * whole(self.columns) + name("at")
    }
}
