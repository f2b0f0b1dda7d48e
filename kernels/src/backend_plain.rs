//! The references alone on CUDA.

use crate::{Kernels, PlainCuda};

impl Kernels for PlainCuda {}
