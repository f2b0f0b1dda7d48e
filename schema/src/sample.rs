//! A sample that a batch holds: where it stands in the run, and where it is from.

/// A sample in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Samples that all ranks got before it since step 0.
    pub position: u64,
    /// Index of its dataset among those of the run, by name.
    pub source: u32,
    /// How often its dataset was gone through before.
    pub epoch: u64,
    /// Its number in the training split: of blocks cut from a stream of tokens, that of the block.
    pub index: u64,
    /// Tokens or atoms in the batch that are of it.
    pub units: u32,
}
