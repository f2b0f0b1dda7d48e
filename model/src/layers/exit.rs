//! Where a branch of a block joins the residual stream again.

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::Kernels;

use super::{
    linear::Linear,
    mode::{Mode, Site},
};

/// The stream that a branch is added to, and what is dropped of the branch.
pub(crate) struct Exit<B: Backend> {
    /// `[N, C]`
    pub(crate) stream: Tensor<B, 2>,
    pub(crate) rate: f64,
    pub(crate) site: Site,
}

impl<B: Kernels> Exit<B> {
    /// The stream plus the last projection of the branch: one operation, unless elements are dropped
    /// in between.
    pub(crate) fn through(self, last: &Linear<B>, x: Tensor<B, 2>, mode: &Mode) -> Tensor<B, 2> {
        if !mode.drops(self.rate) {
            return last.forward_onto(self.stream, x, mode.precision);
        }
        let branch = last.forward(x, mode.precision);
        self.stream + mode.drop(branch, self.rate, self.site)
    }
}
