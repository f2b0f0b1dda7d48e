//! Cost of the maps: one product per node and degree, the same for all three forms.

use super::ChannelLinear;
use crate::Work;

/// A multiply-add a weight and component; every operand crosses memory once.
pub fn form(map: &ChannelLinear, num_nodes: usize, element_bytes: usize) -> Work {
    let products: usize =
        map.blocks().map(|block| block.components * block.inputs * map.channels).sum();
    let rows = map.num_inputs() + map.num_outputs();
    let elements = num_nodes * rows * map.channels + map.num_weights();
    Work::new(2.0 * (num_nodes * products) as f64, elements as f64, element_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::DegreeMap;
    use super::*;

    #[test]
    fn a_map_of_two_degrees_is_counted_by_hand() {
        let degrees = [2, 3].map(|copies| DegreeMap { copies, factor: 1.0 });
        let map = ChannelLinear { degrees: degrees.into(), channels: 4, species: None };
        let work = form(&map, 10, 4);
        // One component of 8 inputs and three of 12, to 4 outputs each.
        assert!((work.flops - 2.0 * 10.0 * (8.0 * 4.0 + 3.0 * 12.0 * 4.0)).abs() < 1e-9);
        // Rows 2 + 9 and 1 + 3 of 4 channels; weights 8 x 4 and 12 x 4.
        assert!((work.bytes - 4.0 * (10.0 * 15.0 * 4.0 + 80.0)).abs() < 1e-9);
    }
}
