//! Documents packed in rows of one size, none cut that fits into one.
//!
//! The documents of a split, shuffled once by the seed of the run, are taken in windows of a fixed number. Those of a
//! window are packed by [`best_fit`], which gives it a number of rows that its lengths alone decide. So an
//! epoch always has the same number of rows, and which row comes at a place of any epoch is known from
//! the rows of each window, 8 bytes a window: see [`Rows`].
//!
//! In every epoch windows come in another order, the rows of a window too, and documents of a window that are
//! equally long change places. Not here: what becomes of a row (`loader`).

mod best_fit;
mod recent;
mod rows;
mod window;

pub use rows::{MOST_DOCUMENTS, Packing, Rows};
pub use window::Piece;
