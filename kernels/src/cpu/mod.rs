//! What the kernels of the CPU share: choosing an instruction set, packs of numbers, the storage
//! of tensors and the division of rows among threads. Not here: any operation.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod baseline;
mod dispatch;
pub(crate) mod functions;
mod pack;
mod rows;
mod storage;
#[cfg(target_arch = "x86_64")]
mod vectors;

pub(crate) use dispatch::{Job, run};
pub(crate) use pack::{Lanes, MOST_LANES, Moving, Number, Set};
pub(crate) use rows::{for_rows, rows_per_copy, span};
pub(crate) use storage::{Element, input, is_f64, output};
