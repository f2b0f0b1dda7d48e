//! A dataset folder, opened: its card and its mapped shards, joined into one long sequence of
//! samples per split.
//!
//! Memory is proportional to the number of record batches, not of samples: where samples lie is
//! read from the mapped files. Not here: what a sample is.

use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::dataset::card::{BatchCard, CARD_FILE, Card, Count, Part, ShardCard};
use crate::error::{DataError, Result};

/// A kind whose shards can be opened.
pub trait Readable: Part {
    /// An opened shard.
    type Shard: std::fmt::Debug + Send + Sync;

    /// Maps a shard of the folder `root`.
    ///
    /// # Errors
    /// A file that is not what the card says.
    fn open_shard(&self, root: &Path, shard: &ShardCard<Self>) -> Result<Self::Shard>;
}

/// An opened dataset. Share it with `Arc`: reading needs no lock.
#[derive(Debug)]
pub struct Dataset<P: Readable> {
    root: PathBuf,
    card: Card<P>,
    digest: String,
    shards: Vec<P::Shard>,
    splits: [Places; 3],
}

impl<P: Readable> Dataset<P> {
    /// Opens the folder `root`: reads and checks the card, the sizes and footers of all shards.
    ///
    /// Contents are checked batch by batch when they are first used; `verify` checks all.
    ///
    /// # Errors
    /// A folder that is no dataset of this kind; counts that do not add up; damaged shards.
    pub fn open(root: &Path) -> Result<Self> {
        if cfg!(target_endian = "big") {
            let fix = "use a little-endian machine";
            return Err(DataError::invalid("dataset", "shards are little-endian", fix));
        }
        let (card, digest) = Card::<P>::load(root)?;
        check_sums(&card)
            .map_err(|problem| DataError::Card { path: root.join(CARD_FILE), problem })?;
        let shards = card.shards.iter().map(|shard| card.part.open_shard(root, shard));
        let shards = shards.collect::<Result<Vec<_>>>()?;
        let splits = Split::ALL.map(|split| Places::new(&card, split));
        Ok(Self { root: root.to_path_buf(), card, digest, shards, splits })
    }

    /// What the dataset says of itself.
    pub fn card(&self) -> &Card<P> {
        &self.card
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// SHA-256 of the card, which holds the digests of all other files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn places(&self, split: Split) -> &Places {
        &self.splits[split as usize]
    }

    /// The shard at `entry` of the places of a split, and the index of the batch in it.
    pub(crate) fn shard(&self, places: &Places, entry: usize) -> (&P::Shard, usize) {
        let (shard, batch) = places.batches[entry];
        (&self.shards[shard], batch)
    }

    /// All shards.
    pub(crate) fn shards(&self) -> &[P::Shard] {
        &self.shards
    }

    /// The shard that holds the sample `index` of a split, the batch in it, and the row there.
    ///
    /// # Panics
    /// If there is no such sample.
    pub(crate) fn row(&self, split: Split, index: u64) -> (&P::Shard, usize, usize) {
        let places = self.places(split);
        let (count, [samples, _]) = (places.num_samples(), P::NOUNS);
        assert!(index < count, "{index} of {count} {samples} in the {} split", split.name());
        let entry = find(&places.samples_before, index);
        let (shard, batch) = self.shard(places, entry);
        let row = usize::try_from(index - places.samples_before[entry]);
        (shard, batch, row.expect("inside one mapped batch"))
    }
}

/// Where the batches of a split are, and what comes before each.
#[derive(Debug)]
pub(crate) struct Places {
    /// `[batches]` index of the shard, index of the batch in it.
    batches: Vec<(usize, usize)>,
    /// `[batches + 1]` samples before each batch, then all.
    pub(crate) samples_before: Vec<u64>,
    /// `[batches + 1]` units before each batch, then all.
    pub(crate) units_before: Vec<u64>,
}

impl Places {
    fn new<P: Part>(card: &Card<P>, split: Split) -> Self {
        let mut places =
            Self { batches: Vec::new(), samples_before: vec![0], units_before: vec![0] };
        for (s, shard) in card.shards.iter().enumerate().filter(|(_, shard)| shard.split == split) {
            for (b, batch) in shard.batches.iter().enumerate() {
                places.batches.push((s, b));
                places.samples_before.push(places.num_samples() + batch.rows);
                places.units_before.push(places.num_units() + batch.units.get());
            }
        }
        places
    }

    pub(crate) fn num_batches(&self) -> usize {
        self.batches.len()
    }

    pub(crate) fn num_samples(&self) -> u64 {
        self.samples_before.last().copied().unwrap_or(0)
    }

    pub(crate) fn num_units(&self) -> u64 {
        self.units_before.last().copied().unwrap_or(0)
    }
}

/// The batch that holds item `at`, given how many items come before each batch.
pub(crate) fn find(before: &[u64], at: u64) -> usize {
    before.partition_point(|&count| count <= at) - 1
}

/// The counts of batches, shards and splits must add up without overflow.
fn check_sums<P: Part>(card: &Card<P>) -> Result<(), String> {
    for split in Split::ALL {
        let (mut samples, mut units) = (0u64, 0u64);
        for shard in card.shards.iter().filter(|shard| shard.split == split) {
            let rows = total(&shard.batches, |batch| batch.rows);
            let held = total(&shard.batches, |batch| batch.units.get());
            let stated = (shard.samples.get(), shard.units.get());
            if (rows, held) != (Some(stated.0), Some(stated.1)) {
                return Err(format!("the batches of {} do not add up to its counts", shard.file));
            }
            samples = samples.saturating_add(stated.0);
            units = units.saturating_add(stated.1);
        }
        let stated = card.part.stated(split);
        if (samples, units) != stated {
            let [of_samples, of_units] = P::NOUNS;
            return Err(format!(
                "the {} shards hold {samples} {of_samples} and {units} {of_units}, the card says \
                 {} and {}",
                split.name(),
                stated.0,
                stated.1
            ));
        }
    }
    card.part.check()
}

/// The sum over batches; `None` if one is empty or it passes 2^64.
fn total<P: Part>(batches: &[BatchCard<P>], of: impl Fn(&BatchCard<P>) -> u64) -> Option<u64> {
    batches.iter().try_fold(0u64, |sum, batch| match of(batch) {
        0 => None,
        count => sum.checked_add(count),
    })
}
