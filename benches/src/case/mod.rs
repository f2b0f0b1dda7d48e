//! One piece of work, timed in this process: what a peer program does, done by us.
//!
//! A case is a JSON object on the command line of a child process, so that peak memory is its own,
//! and its result is a JSON object with the field names that the peers print. It runs the same
//! functions as training does; data are made before the clock starts.

mod mace;
mod memory;
mod neighbors;
mod proteins;
mod transformer;

use std::time::Instant;

use burn::tensor::FloatDType;
use genesis_kernels::Kernels;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use mace::MaceCase;
pub use neighbors::NeighborsCase;
pub use proteins::ProteinsCase;
pub use transformer::{Network, TransformerCase};

use crate::statistics::median;

/// Fields of a result, under the names that peers use.
pub type Fields = Map<String, Value>;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "case", rename_all = "snake_case")]
pub enum Case {
    /// Training steps of a Llama.
    Transformer(TransformerCase),
    /// Training steps and predictions of a MACE.
    Mace(MaceCase),
    /// Training steps of a protein model, packed or padded.
    Proteins(ProteinsCase),
    /// Neighbour lists of a crystal.
    Neighbors(NeighborsCase),
}

/// How often the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Times before the clock counts.
    pub warmup: usize,
    /// Times it counts, at least 1.
    pub steps: usize,
}

impl Repeats {
    /// All of them.
    pub fn total(self) -> usize {
        self.warmup + self.steps
    }
}

/// Floating-point type of parameters and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Float {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Float {
    /// As Burn names it.
    fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F64 => FloatDType::F64,
        }
    }
}

/// Why a case could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Its data cannot be read.
    #[error(transparent)]
    Data(#[from] genesis_data::DataError),
    /// Its data cannot be made into a dataset.
    #[error(transparent)]
    Ingest(#[from] genesis_data::ingest::IngestError),
    /// A folder for its data cannot be made.
    #[error("no scratch folder: {0}")]
    Scratch(#[from] std::io::Error),
    /// A network cannot be built or cannot take its data.
    #[error("{0}")]
    Network(String),
}

impl Case {
    /// Does the work on `device`, neighbour lists on the CPU, and says how long it took.
    ///
    /// # Errors
    /// [`CaseError`] when data or network do not fit.
    pub fn measure<B: Kernels>(&self, device: &B::Device) -> Result<Fields, CaseError> {
        let mut fields = match self {
            Self::Transformer(case) => case.measure::<B>(device)?,
            Self::Mace(case) => case.measure::<B>(device)?,
            Self::Proteins(case) => case.measure::<B>(device)?,
            Self::Neighbors(case) => case.measure()?,
        };
        put(&mut fields, "peak_rss_mb", memory::peak_rss_mb());
        put(&mut fields, "threads", rayon::current_num_threads());
        Ok(fields)
    }
}

fn put(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

/// Seconds that `work` takes, with all that it leaves in the queue of `device`.
fn timed<B: Kernels, T>(device: &B::Device, work: impl FnOnce() -> T) -> (T, f64) {
    // What went wrong on the device is told by the next operation that reads a result.
    let wait = || drop(B::sync(device));
    wait();
    let start = Instant::now();
    let done = work();
    wait();
    (done, start.elapsed().as_secs_f64())
}

/// Median seconds after the warm-up.
fn median_s(seconds: &[f64], repeats: Repeats) -> Result<f64, CaseError> {
    let counted = seconds.get(repeats.warmup..).unwrap_or_default();
    median(counted).ok_or_else(|| CaseError::Network("no step was counted: steps is 0".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_survives_the_command_line() {
        let repeats = Repeats { warmup: 1, steps: 2 };
        let case = Case::Neighbors(NeighborsCase { sides: [3, 4, 5], repeats });
        let text = serde_json::to_string(&case).unwrap();
        assert!(text.contains("\"case\":\"neighbors\""), "{text}");
        assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), case);
    }

    #[test]
    fn warm_up_is_left_out_of_the_median() {
        let seconds = [9.0, 9.0, 1.0, 3.0, 2.0];
        let repeats = Repeats { warmup: 2, steps: 3 };
        assert_eq!(median_s(&seconds, repeats).unwrap().to_bits(), 2f64.to_bits());
        assert!(median_s(&seconds, Repeats { warmup: 5, steps: 0 }).is_err());
    }
}
