//! Nodes of one species cut into slices, each summed by one thread per channel on a GPU.

use crate::families::rows::RowIndex;

/// Nodes of a slice at most: enough slices for all processors from a few hundred nodes on, while their
/// sums, a row of all terms each, stay small beside what the nodes' inputs took.
const NODES: usize = 32;

/// The nodes sorted by species and cut.
#[derive(Debug)]
pub(crate) struct Slices {
    /// `[slices + 1]` first item of each slice.
    pub(crate) starts: Vec<u32>,
    /// `[N]` nodes by species, ascending within one.
    pub(crate) items: Vec<u32>,
    /// The species of every slice.
    pub(crate) species: RowIndex,
}

impl Slices {
    pub(crate) fn new(species: &[u32], num_species: usize) -> Self {
        let nodes = RowIndex::new(species, num_species);
        let (mut starts, mut of_slice) = (vec![0], Vec::new());
        for z in 0..num_species {
            let mut end = nodes.starts()[z];
            for slice in nodes.items_of(z).chunks(NODES) {
                end += u32::try_from(slice.len()).expect("a slice is short");
                starts.push(end);
                of_slice.push(u32::try_from(z).expect("a species is a number of 32 bits"));
            }
        }
        let species = RowIndex::new(&of_slice, num_species);
        Self { starts, items: nodes.items().to_vec(), species }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_every_node_of_their_species_once_and_in_order() {
        let species: Vec<u32> = (0..70).map(|node| 2 * u32::from(node % 7 == 0)).collect();
        let slices = Slices::new(&species, 4);
        // 60 nodes of species 0 in 32 + 28, none of 1, 10 of species 2, none of 3.
        assert_eq!(slices.starts, [0, 32, 60, 70]);
        assert_eq!(slices.species.rows(), [0, 0, 2]);
        assert_eq!(slices.items[60..], [0, 7, 14, 21, 28, 35, 42, 49, 56, 63]);
        assert!(slices.items[..60].is_sorted());
        assert_eq!(Slices::new(&[], 2).len(), 0);
    }
}
