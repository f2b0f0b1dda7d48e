//! Several datasets as one endless sequence of samples: a pure function of the position.
//!
//! Position `k` belongs to a stretch of the run, in which weights are fixed; [`turns`] says whose turn it
//! is there and how many samples its source gave before. A source goes through its own epochs, in an
//! order of its own seeds: its `n`-th sample is the same whatever else is learned from. So the state
//! of a run is the digest of its [`plan`] and one integer.
//!
//! In every stretch a source is less than one sample from its share of it. Not here: which sample of
//! a source the `n`-th is (`order`), and weights by anything but samples ([`shares`]).

pub mod plan;
pub mod shares;
pub mod turns;

pub use plan::{MixturePlan, PackingPlan, SourcePlan, StretchPlan};
pub use turns::Turns;

/// Which source a position belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixture {
    /// By position, the first at 0.
    stretches: Vec<Stretch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    first: u64,
    turns: Turns,
    /// Samples of each source in the stretches before.
    before: Vec<u64>,
}

/// What stands at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Index of the source.
    pub source: usize,
    /// Samples that it gave before, in all.
    pub number: u64,
}

impl Mixture {
    /// One source alone.
    pub fn sole() -> Self {
        let turns = Turns::new(&[1]).expect("one part");
        Self { stretches: vec![Stretch { first: 0, turns, before: vec![0] }] }
    }

    /// Stretches by first position, each with its turns; all of as many sources.
    ///
    /// # Panics
    /// If the first does not begin at 0, positions do not rise or sources differ in number: a bug of the
    /// caller, which has a checked plan.
    pub fn new(stretches: impl IntoIterator<Item = (u64, Turns)>) -> Self {
        let mut all: Vec<Stretch> = Vec::new();
        for (first, turns) in stretches {
            let sources = turns.weights().len();
            let before = match all.last() {
                None => {
                    assert_eq!(first, 0, "Mixture: the first stretch begins at 0");
                    vec![0; sources]
                }
                Some(last) => {
                    assert!(first > last.first, "Mixture: stretches rise");
                    assert_eq!(last.before.len(), sources, "Mixture: as many sources");
                    let length = first - last.first;
                    (0..sources).map(|j| last.before[j] + last.turns.before(j, length)).collect()
                }
            };
            all.push(Stretch { first, turns, before });
        }
        assert!(!all.is_empty(), "Mixture: at least one stretch");
        Self { stretches: all }
    }

    /// What stands at position `k`.
    pub fn at(&self, k: u64) -> Draw {
        let stretch = self.stretch(k);
        let (source, number) = stretch.turns.at(k - stretch.first);
        Draw { source, number: stretch.before[source] + number }
    }

    /// Samples of `source` before position `k`.
    pub fn before(&self, source: usize, k: u64) -> u64 {
        let stretch = self.stretch(k);
        stretch.before[source] + stretch.turns.before(source, k - stretch.first)
    }

    /// Sources, those of weight 0 included.
    pub fn num_sources(&self) -> usize {
        self.stretches[0].before.len()
    }

    fn stretch(&self, k: u64) -> &Stretch {
        let behind = self.stretches.partition_point(|stretch| stretch.first <= k);
        &self.stretches[behind - 1]
    }
}
