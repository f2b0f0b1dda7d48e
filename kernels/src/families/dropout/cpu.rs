//! Dropout on the CPU: the generator runs for a pack of elements side by side.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::DropoutMask;
use super::philox::first_words;
use crate::cpu::{Element, Elementwise, Lanes, MOST_LANES, map};
use crate::graph::{primitive, tensor};

/// [`dropout`](fn@crate::families::dropout::dropout).
pub(crate) fn forward(x: Tensor<Flex, 2>, mask: &DropoutMask) -> Tensor<Flex, 2> {
    let rule = Mask { of: mask, threshold: mask.threshold(), scale: mask.scale() };
    let [y] = map("dropout", &rule, [primitive(x)]);
    tensor(y)
}

struct Mask<'a> {
    of: &'a DropoutMask,
    threshold: u32,
    scale: f64,
}

impl Elementwise<1, 1> for Mask<'_> {
    #[inline(always)]
    fn apply<P: Lanes>(&self, at: usize, [x]: [P; 1]) -> [P; 1] {
        let words = first_words(self.of.key, at as u64, self.of.index, P::LANES);
        let mut factors = [P::Base::ZERO; MOST_LANES];
        let scale = P::Base::of(self.scale);
        for lane in 0..P::LANES {
            factors[lane] = if words[lane] >= self.threshold { scale } else { P::Base::ZERO };
        }
        [x.mul(P::load(&factors[..P::LANES]))]
    }
}
