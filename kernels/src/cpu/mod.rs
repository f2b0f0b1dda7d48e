//! What the kernels of the CPU share: choosing an instruction set, packs of numbers, the storage
//! of tensors, memory kept between calls, the division of rows among threads, matrix products.
//! Not here: any operation.

mod arithmetic;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod awake;
mod baseline;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod dispatch;
mod elementwise;
pub(crate) mod functions;
pub(crate) mod matmul;
mod pack;
mod prefetch;
mod rows;
mod scratch;
mod storage;
#[cfg(target_arch = "x86_64")]
mod sums;
#[cfg(target_arch = "x86_64")]
mod turn;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub use awake::{Awake, Host};

pub(crate) use arithmetic::{Arithmetic, Full, MOST_TILE_ROWS, Round, Rounded};
#[cfg(test)]
pub(crate) use dispatch::run_everywhere;
pub(crate) use dispatch::{Job, run, run_mixed};
pub(crate) use elementwise::{Elementwise, map};
pub(crate) use pack::{Lanes, MOST_LANES, Moving, Number, Set};
pub(crate) use prefetch::prefetch_line;
pub(crate) use rows::{
    Rows, for_blocks, load_wide, make_rows, rows_per_block, rows_per_copy, span, starts,
    store_wide, zeroed,
};
pub(crate) use scratch::{LINE_BYTES, Plain, Scratch};
pub(crate) use storage::{Element, filled, input, is_f64, output};
