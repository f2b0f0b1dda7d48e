//! Matrix products on the CPU: packed operands and a register tile.
//!
//! ```text
//! maths     C[m, n] (+)= sum_k A[m, k] B[k, n] (+ bias[n])
//! layout    A and B with any distance of rows and columns; C with rows of side by side numbers
//! dtypes    f32, f64; bf16 operands (rounded while packing) with f32 sums
//! blocks    K is cut into blocks of `A::BLOCK` cells, M into panels of `A::ROWS`, N into panels
//!           of `A::COLUMNS`; a packed block of B stays in L2, a panel of A in L1
//! memory    while a panel of A is multiplied, the next one is asked for
//! ordering  every sum runs through k in order, block after block: the bits depend on K alone,
//!           not on M, N, threads or the place in a tile
//! source    Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
//!           Trans. Math. Softw. 34 (2008), doi:10.1145/1356052.1356053; ours differs: A is packed
//!           one panel at a time, and by plain copies where it is contiguous along k
//! ```
//!
//! The tests sum plainly in f64.
//!
//! [`product`] is the whole: blocks, threads. [`Packed`] is for one thread that multiplies many by one. Attention has a product of its own, whose operands are
//! read along both of their axes.

mod ahead;
mod form;
mod grid;
mod matrix;
mod packed;
mod panels;
mod product;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use form::{Form, Mixed, Plainly};
pub(crate) use matrix::{Matrix, Target};
pub(crate) use packed::Packed;
pub(crate) use product::product;
pub(crate) use tile::Finish;
