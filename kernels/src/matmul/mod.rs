//! Matrix products on the CPU: packed operands and a register tile.
//!
//! ```text
//! maths     C[m, n] (+)= sum_k A[m, k] B[k, n] (+ bias[n])
//! layout    A and B with any distance of rows and columns; C with rows of side by side numbers
//! dtypes    f32, f64; bf16 operands (rounded while packing) with f32 sums
//! blocks    K is cut into blocks of `A::BLOCK` cells, M into panels of `A::ROWS`, N into panels
//!           of `A::COLUMNS`; a packed block of B stays in L2, a panel of A in L1
//! ordering  every sum runs through k in order, block after block: the bits depend on K alone,
//!           not on M, N, threads or the place in a tile
//! source    Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
//!           Trans. Math. Softw. 34 (2008), doi:10.1145/1356052.1356053; ours differs: A is packed
//!           one panel at a time, and by plain copies where it is contiguous along k
//! ```
//!
//! No reference: the tests sum plainly in f64.
//! No op: `linear` and others are made of it.
//! No roofline: that of `linear`.
//!
//! [`product`] is the whole: blocks, threads. Inside a kernel of one's own, on one thread and tiles that fit the cache, a
//! [`Job`](crate::cpu::Job) picks an [`Arithmetic`](crate::cpu::Arithmetic) of its set and
//! multiplies packed operands. What is used several times is packed once:
//!
//! ```text
//! fn run<S: Set>(self) {                       // through `run_mixed` if S::Bf16 may be used
//!     type Form = S::Bf16;                     // or Full<S, f32>, Full<S, f64>
//!     let (mut left, mut right) = (Left::<Form>::new(), Right::<Form>::new());
//!     left.pack(Matrix::strided(q, [rows, d], [q_step, 1]));               // Q    [rows, d]
//!     for keys in ... {
//!         right.pack(Matrix::strided(k, [keys, d], [k_step, 1]).transposed());  // K^T  [d, keys]
//!         let mut scores = Target::new(&mut scratch, [rows, keys], keys);
//!         multiply(&left, &right, &mut scores, Finish::OVERWRITE);         // or Finish::ADD
//!     }
//! }
//! ```
//!
//! The summed axis of one such product is at most `Form::BLOCK * Form::DEPTH` (f32 384, f64 192,
//! bf16 768). Rows are best a multiple of `Form::ROWS` (14 with AVX-512), columns of
//! `Form::COLUMNS` (32; 16 in f64).

mod form;
mod grid;
mod matrix;
mod panels;
mod product;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use form::{Form, Mixed, Plainly};
pub(crate) use matrix::{Matrix, Target};
#[cfg_attr(not(test), expect(unused_imports, reason = "for kernels with products inside"))]
pub(crate) use panels::{Left, Right};
pub(crate) use product::product;
pub(crate) use tile::Finish;
#[cfg_attr(not(test), expect(unused_imports, reason = "for kernels with products inside"))]
pub(crate) use tile::multiply;
