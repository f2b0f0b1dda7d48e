//! Cost of the network: products of matrices, for values and for slopes.

use super::SiluNetwork;
use crate::Work;

/// Activations take a logistic function and about 6 operations for value and slope.
const ACTIVATION: f64 = 7.0;
/// Their gradients about 15, activations computed again included.
const ACTIVATION_BACKWARD: f64 = 22.0;

fn products(network: &SiluNetwork, rows: usize) -> f64 {
    4.0 * rows as f64 * network.num_weights() as f64
}

fn activations(network: &SiluNetwork, rows: usize) -> f64 {
    let hidden: usize = network.widths()[1..].iter().sum();
    (rows * hidden) as f64
}

/// A multiply-add a weight and row for values, one for slopes; reads curve and weights, writes.
pub fn forward(network: &SiluNetwork, rows: usize, element_bytes: usize) -> Work {
    let flops = products(network, rows) + ACTIVATION * activations(network, rows);
    let [first, last] = [network.widths()[0], network.widths()[network.num_layers()]];
    let elements = 2 * rows * (first + last) + network.num_weights();
    Work::new(flops, elements as f64, element_bytes)
}

/// The forward again, and two products of the same size for gradients.
pub fn backward(network: &SiluNetwork, rows: usize, element_bytes: usize) -> Work {
    let flops = 3.0 * products(network, rows) + ACTIVATION_BACKWARD * activations(network, rows);
    let [first, last] = [network.widths()[0], network.widths()[network.num_layers()]];
    let elements = 2 * rows * (2 * first + last) + 2 * network.num_weights();
    Work::new(flops, elements as f64, element_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_network_is_counted_by_hand() {
        // 5 rows, 2 -> 3 -> 4: weights 6 + 12, activations 3 + 4.
        let network = SiluNetwork::new(vec![2, 3, 4], vec![1.0, 1.0]);
        let work = forward(&network, 5, 4);
        assert!((work.flops - (4.0 * 5.0 * 18.0 + 7.0 * 35.0)).abs() < 1e-9);
        assert!((work.bytes - 4.0 * (2.0 * 5.0 * 6.0 + 18.0)).abs() < 1e-9);
        let work = backward(&network, 5, 8);
        assert!((work.flops - (3.0 * 4.0 * 5.0 * 18.0 + 22.0 * 35.0)).abs() < 1e-9);
        assert!((work.bytes - 8.0 * (10.0 * 8.0 + 36.0)).abs() < 1e-9);
    }
}
