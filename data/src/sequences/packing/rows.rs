//! Which row comes when, and what it holds: functions of the epoch and the place in it.
//!
//! The plan is made once at the start from the lengths of documents, which are offsets in the shards: they are walked
//! through in order, then looked up window by window in parallel. No token is read.

use std::sync::Arc;

use genesis_schema::{Seeds, Stream};
use rayon::prelude::*;

use super::recent::Recent;
use super::window::{Counts, Item, Piece, Window};
use crate::dataset::Split;
use crate::dataset::card::sha256_of_bytes;
use crate::dataset::feistel::Feistel;
use crate::dataset::mixture::PackingPlan;
use crate::dataset::opened::find;
use crate::dataset::order::Order;
use crate::error::{DataError, Result};
use crate::sequences::SequencesDataset;

/// What the digest of a plan begins with. Another way to pack is another number.
const ALGORITHM: &str = "best fit 1";
/// Windows that are kept packed: two threads make steps, and a step may lie in two windows.
const KEPT_WINDOWS: usize = 4;
/// Epochs whose order of windows is kept: a step may lie in two.
const KEPT_EPOCHS: usize = 2;

/// Most documents of a window. One that is packed takes some 40 bytes a document, and a few are kept.
pub const MOST_DOCUMENTS: u64 = 1 << 20;

/// How documents are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Most tokens of a row.
    pub context: usize,
    /// Documents that are packed together.
    pub window: u64,
}

/// The rows of the training split of a dataset.
#[derive(Debug)]
pub struct Rows {
    context: u32,
    window: u64,
    tokens: u64,
    /// Which documents are in which window.
    documents: Order,
    num_documents: u64,
    ties: Stream,
    order: Stream,
    /// `[windows + 1]` rows of the windows before, then all.
    before: Vec<u64>,
    counts: Counts,
    digest: String,
    epochs: Recent<u64, Vec<u64>>,
    windows: Recent<(u64, u64), Window>,
}

impl Rows {
    /// The rows of the training split of `dataset` in a run with the `seeds` of this source.
    ///
    /// # Errors
    /// A context or a window that cannot be, a split without documents, offsets that are damaged.
    pub fn plan(dataset: &SequencesDataset, packing: Packing, seeds: Seeds) -> Result<Self> {
        let (context, window) = check(packing)?;
        let num_documents = dataset.num_documents(Split::Train);
        if num_documents == 0 {
            let fix = "ingest more data, or hold out a smaller fraction";
            return Err(DataError::invalid("data", "the training split has 0 documents", fix));
        }
        dataset.check_lengths(Split::Train)?;
        let stream = seeds.stream("loader/packing");
        let documents = Order::new(num_documents, stream, 0);
        let count = |number: u64| {
            let places = places(number, window, num_documents);
            let length = |place| dataset.length(Split::Train, documents.at(place));
            Ok(Counts::of(places.map(length).collect::<Result<_>>()?, context))
        };
        let windows = (0..num_documents.div_ceil(window)).into_par_iter().map(count);
        let windows: Vec<Counts> = windows.collect::<Result<_>>()?;
        let mut before = vec![0];
        for window in &windows {
            before.push(before[before.len() - 1] + window.rows);
        }
        let head =
            format!("{ALGORITHM} {context} {window} {num_documents} {:016x}", stream.word(0, 0));
        let numbers = before.iter().flat_map(|rows| rows.to_le_bytes());
        let digest = sha256_of_bytes(&head.bytes().chain(numbers).collect::<Vec<u8>>());
        Ok(Self {
            context,
            window,
            tokens: dataset.num_tokens(Split::Train),
            documents,
            num_documents,
            ties: seeds.stream("loader/ties"),
            order: seeds.stream("loader/rows"),
            before,
            counts: windows.into_iter().fold(Counts::default(), Counts::plus),
            digest,
            epochs: Recent::new(KEPT_EPOCHS),
            windows: Recent::new(KEPT_WINDOWS),
        })
    }

    /// Rows of an epoch.
    pub fn num_rows(&self) -> u64 {
        self.counts.rows
    }

    /// Tokens of an epoch.
    pub fn num_tokens(&self) -> u64 {
        self.tokens
    }

    /// Documents longer than a row, and the pieces that they are cut into.
    pub fn cut(&self) -> (u64, u64) {
        (self.counts.cut, self.counts.pieces)
    }

    /// The share of rows that holds nothing.
    pub fn padding(&self) -> f64 {
        1.0 - self.tokens as f64 / (self.num_rows() as f64 * f64::from(self.context))
    }

    /// What a checkpoint says of it.
    pub fn described(&self) -> PackingPlan {
        PackingPlan {
            context: u64::from(self.context),
            window: self.window,
            rows: self.num_rows(),
            digest: self.digest.clone(),
        }
    }

    /// The row at `place` of `epoch`: a bijection of `0..num_rows()`.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn at(&self, epoch: u64, place: u64) -> u64 {
        let rows = self.num_rows();
        assert!(place < rows, "Rows: place {place} of an epoch of {rows} rows");
        let order = Feistel::new(self.num_windows() as u64, self.order.word(epoch, 0));
        let before = self.before_slots(epoch, order);
        let slot = find(&before, place);
        let window = to_usize(order.forward(slot as u64));
        let (first, end) = (self.before[window], self.before[window + 1]);
        let inside = Feistel::new(end - first, self.order.word(epoch, 1 + window as u64));
        first + inside.forward(place - before[slot])
    }

    /// What row `row` holds in `epoch`.
    ///
    /// # Errors
    /// Damaged offsets.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, dataset: &SequencesDataset, epoch: u64, row: u64) -> Result<Vec<Piece>> {
        let rows = self.num_rows();
        assert!(row < rows, "Rows: row {row} of {rows}");
        let number = find(&self.before, row);
        let key = (epoch, number as u64);
        let window = self.windows.get(key, || self.pack(dataset, key))?;
        let wanted = self.before[number + 1] - self.before[number];
        if window.num_rows() != wanted {
            let found = window.num_rows();
            let problem = format!("window {number} has {found} rows and had {wanted} at the start");
            return Err(DataError::invalid("packing", problem, "find out who changed the dataset"));
        }
        Ok(window.row(row - self.before[number]))
    }

    /// Packs window `number` as in `epoch`.
    fn pack(&self, dataset: &SequencesDataset, (epoch, number): (u64, u64)) -> Result<Window> {
        dataset.check_sizes()?;
        let places = places(number, self.window, self.num_documents);
        let first = places.start;
        let ranks = Feistel::new(places.end - first, self.ties.word(epoch, number));
        let item = |place| {
            let document = self.documents.at(place);
            let length = dataset.length(Split::Train, document)?;
            Ok(Item { document, length, rank: ranks.forward(place - first) })
        };
        Ok(Window::pack(places.map(item).collect::<Result<_>>()?, self.context))
    }

    fn num_windows(&self) -> usize {
        self.before.len() - 1
    }

    /// `[windows + 1]` rows before each window in the `order` of `epoch`, then all.
    fn before_slots(&self, epoch: u64, order: Feistel) -> Arc<Vec<u64>> {
        let make = || {
            let mut before = vec![0];
            for slot in 0..self.num_windows() {
                let window = to_usize(order.forward(slot as u64));
                before.push(before[slot] + self.before[window + 1] - self.before[window]);
            }
            Ok::<_, std::convert::Infallible>(before)
        };
        match self.epochs.get(epoch, make) {
            Ok(before) => before,
            Err(never) => match never {},
        }
    }
}

/// Places of window `number` among `num_documents` shuffled documents.
fn places(number: u64, window: u64, num_documents: u64) -> std::ops::Range<u64> {
    number * window..((number + 1) * window).min(num_documents)
}

fn check(packing: Packing) -> Result<(u32, u64)> {
    let Packing { context, window } = packing;
    let context = u32::try_from(context).ok().filter(|&it| it > 0).ok_or_else(|| {
        let problem = format!("a row of {context} tokens cannot be made");
        DataError::invalid("objective.context", problem, "use 1 or more")
    })?;
    if (1..=MOST_DOCUMENTS).contains(&window) {
        return Ok((context, window));
    }
    let problem = format!("windows of {window} documents cannot be packed");
    let fix = format!("use 1 to {MOST_DOCUMENTS}; 4096 is customary");
    Err(DataError::invalid("batch.packing.window", problem, fix))
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("fewer windows than fit memory")
}
