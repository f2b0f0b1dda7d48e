//! Order in which an epoch visits its samples: a keyed bijection of `0..n`, computed, not stored.
//!
//! Two levels. Samples lie in blocks of neighbours; the blocks are permuted over the whole
//! dataset; runs of permuted blocks form windows; inside a window the samples are permuted. So
//! the samples of a window come from everywhere, yet only the blocks of one window are in use at
//! a time, which is what the page cache (later: the cache of a remote store) has to hold. A
//! dataset of one window, up to 262,144 samples, is permuted as a whole.
//!
//! Any position can be asked for in O(1), so a run resumes from one integer.
//! Not here: which samples a step takes (`cursor`).

use genesis_schema::Stream;

use crate::dataset::feistel::Feistel;

/// Samples that stay neighbours on disk: about one read-ahead of the operating system.
pub const BLOCK_SAMPLES: u64 = 64;
/// Blocks in a window; with the above, 2^18 samples are mixed thoroughly.
pub const WINDOW_BLOCKS: u64 = 4096;

/// The order of one epoch.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    n: u64,
    block: u64,
    window: u64,
    epoch: u64,
    stream: Stream,
    blocks: Feistel,
    num_blocks: u64,
    /// Where the last block, which may be short, was permuted to.
    short_slot: u64,
    /// Samples that the short block lacks.
    missing: u64,
}

impl Order {
    /// The order of `epoch` over `n` samples, with the standard block and window.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn new(n: u64, stream: Stream, epoch: u64) -> Self {
        Self::with_sizes(n, stream, epoch, BLOCK_SAMPLES, WINDOW_BLOCKS)
    }

    /// The same with `block` samples in a block and `window` blocks in a window.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn with_sizes(n: u64, stream: Stream, epoch: u64, block: u64, window: u64) -> Self {
        assert!(n > 0 && block > 0 && window > 0, "Order: n, block and window must be positive");
        let num_blocks = n.div_ceil(block);
        let blocks = Feistel::new(num_blocks, stream.word(epoch, 0));
        let short_slot = blocks.inverse(num_blocks - 1);
        let missing = num_blocks * block - n;
        Self { n, block, window, epoch, stream, blocks, num_blocks, short_slot, missing }
    }

    /// The sample at position `k` of the epoch.
    ///
    /// # Panics
    /// If `k >= n`.
    pub fn at(&self, k: u64) -> u64 {
        assert!(k < self.n, "Order: position {k} of an epoch of {} samples", self.n);
        let window = self.slot(k) / self.window;
        let first = self.start(window * self.window);
        let end = self.start(((window + 1) * self.window).min(self.num_blocks));
        let inside = Feistel::new(end - first, self.stream.word(self.epoch, 1 + window));
        let place = first + inside.forward(k - first);
        let slot = self.slot(place);
        self.blocks.forward(slot) * self.block + (place - self.start(slot))
    }

    /// First position of the permuted block in `slot`.
    fn start(&self, slot: u64) -> u64 {
        slot * self.block - if slot > self.short_slot { self.missing } else { 0 }
    }

    /// The slot that holds `position`: the quotient, or the next one behind the short block.
    fn slot(&self, position: u64) -> u64 {
        let slot = position / self.block;
        if self.start(slot + 1) <= position { slot + 1 } else { slot }
    }
}

/// The `i`-th of `wanted` places spread evenly over `total`.
pub(crate) fn spread(i: u64, wanted: u64, total: u64) -> u64 {
    let place = u128::from(i) * u128::from(total) / u128::from(wanted);
    u64::try_from(place).expect("below the total")
}

/// How many of `max` evenly spread samples fall into each of several sets, laid end to end.
pub(crate) fn spread_over(sizes: &[u64], max: Option<usize>) -> Vec<usize> {
    let total: u64 = sizes.iter().sum();
    let wanted = max.map_or(total, |max| total.min(max as u64));
    // Sample i is at i * total / wanted, so as many lie before a border as its share of them, rounded up.
    let before = |border: u64| {
        let share = (u128::from(border) * u128::from(wanted)).div_ceil(u128::from(total.max(1)));
        usize::try_from(share).expect("at most those that are wanted")
    };
    let mut border = 0;
    let part = |size: &u64| {
        let first = before(border);
        border += size;
        before(border) - first
    };
    sizes.iter().map(part).collect()
}
