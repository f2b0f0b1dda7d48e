//! What a trained model is for: new sequences, representations, scores.
//!
//! Reading order: [`load`] (open a run, a checkpoint or a Hugging Face folder), then [`mod@generate`]
//! with [`sampling`], [`mod@embed`], [`mod@score`] with [`variants`] and [`spearman`]. [`records`] reads
//! the input by the rules of [`letters`], [`table`] writes the output. Everything runs in f32 on the reference backend.

mod batches;
pub mod embed;
pub mod error;
pub mod generate;
pub mod letters;
pub mod load;
mod marginal;
pub mod records;
pub mod sampling;
pub mod score;
pub mod spearman;
pub mod table;
pub mod variants;
mod wild_type;

pub use embed::{EmbedOptions, EmbedSummary, embed};
pub use error::InferenceError;
pub use generate::{Ended, GenerateOptions, Sample, generate};
pub use letters::ModelLetters;
pub use load::SequencesModel;
pub use records::{RecordOptions, Refused};
pub use score::{Method, ScoreOptions, ScoreRow, ScoreSummary, ScoreTable, score};
