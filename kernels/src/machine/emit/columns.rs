//! Threads that have one channel of one owner: how they are numbered, and where their numbers lie in
//! tensors `[owners, rows, channels]`.

use super::{Expr, Kind, Statement, THREADS, constant, less, name, place, when, whole};

/// The number of channels, a literal of the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) channels: usize,
}

impl Columns {
    /// A thread per channel of each of `count` owners; in `body` its names are `owner` and `channel`.
    pub(crate) fn per_owner(self, owner: &str, body: Vec<Statement>) -> Vec<Statement> {
        let channels = whole(self.channels);
        let mut all = vec![
            constant(Kind::Whole, owner, name("flat") / channels.clone()),
            constant(Kind::Whole, "channel", name("flat") % channels.clone()),
        ];
        all.extend(body);
        let flat = name("group") * Expr::Whole(THREADS) + name("thread");
        vec![
            constant(Kind::Whole, "flat", flat),
            when(less(name("flat"), name("count") * channels), all),
        ]
    }

    /// Where the thread's channel begins in the rows of the owner `index`, `rows` of them.
    pub(crate) fn column(self, start: &str, index: Expr, rows: usize) -> Statement {
        let at = place(index) * whole(rows * self.channels) + name("channel");
        constant(Kind::Place, start, at)
    }

    /// Row `row` of a column.
    pub(crate) fn row(self, start: &str, row: usize) -> Expr {
        name(start) + whole(row * self.channels)
    }

    /// For the header.
    pub(crate) fn launch(owner: &str) -> String {
        format!("groups of {THREADS} threads, one per {owner} and channel, channels fastest")
    }
}

/// Groups for a thread per channel of each owner.
///
/// # Panics
/// When there are 2^32 threads or more, which kernels do not count: 32 GiB of f64 per row.
pub(crate) fn groups_of(owners: usize, channels: usize) -> usize {
    let threads = owners * channels;
    assert!(
        u32::try_from(threads).is_ok(),
        "{owners} owners of {channels} channels are more threads than a kernel counts, 2^32"
    );
    threads.div_ceil(THREADS as usize)
}
