//! Cost of the linear map; every operand crosses memory once.

use crate::Work;

/// `[N, I] x [I, O]`, two operations a multiply-add; the bias is negligible and left out.
pub fn forward(tokens: usize, inputs: usize, outputs: usize, element_bytes: usize) -> Work {
    let [n, i, o] = [tokens, inputs, outputs].map(|x| x as f64);
    Work::new(2.0 * n * i * o, n * i + i * o + n * o, element_bytes)
}

/// Both gradients: two products of the same size; reads g, x, W, writes dx, dW.
pub fn backward(tokens: usize, inputs: usize, outputs: usize, element_bytes: usize) -> Work {
    let [n, i, o] = [tokens, inputs, outputs].map(|x| x as f64);
    Work::new(4.0 * n * i * o, 2.0 * (n * i + i * o) + n * o, element_bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_two_by_three_by_four_product_counts_by_hand() {
        let work = super::forward(2, 3, 4, 4);
        assert_eq!(
            (work.flops.to_bits(), work.bytes.to_bits()),
            (48f64.to_bits(), 104f64.to_bits())
        );
    }
}
