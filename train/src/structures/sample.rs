//! The first few atoms of a step: enough for every kernel to run, small enough to be computed several
//! times on a processor.

use genesis_schema::{Edges, Frame, GraphBatch};

/// Structures that are kept.
const FRAMES: usize = 2;
/// Atoms of each.
const ATOMS: usize = 19;

/// The first structures, each cut to the atoms nearest to its first one along edges.
pub(crate) fn some_atoms(slices: &[GraphBatch]) -> GraphBatch {
    let mut few = GraphBatch::default();
    for batch in slices {
        for at in 0..batch.num_frames() {
            let (frame, edges) = cut(batch, at);
            few.push(frame, &edges, batch.frame_ids[at]);
            if few.num_frames() == FRAMES {
                return few;
            }
        }
    }
    few
}

/// Structure `at` of a batch with at most [`ATOMS`] of its atoms and the edges between them.
fn cut(batch: &GraphBatch, at: usize) -> (Frame, Edges) {
    let whole = &batch.frames[at];
    let offset = batch.first_atom[at];
    let range = batch.first_edge[at] as usize..batch.first_edge[at + 1] as usize;
    let edges: Vec<(u32, u32, [i32; 3])> = range
        .map(|edge| {
            let all = &batch.edges;
            (all.senders[edge] - offset, all.receivers[edge] - offset, all.shifts[edge])
        })
        .collect();
    let kept = neighborhood(whole.atomic_numbers.len(), &edges);
    let place = |atom: u32| kept.binary_search(&atom).ok().and_then(|at| u32::try_from(at).ok());
    let mut few = Edges::default();
    for &(sender, receiver, shift) in &edges {
        if let (Some(sender), Some(receiver)) = (place(sender), place(receiver)) {
            few.senders.push(sender);
            few.receivers.push(receiver);
            few.shifts.push(shift);
        }
    }
    let pick = |list: &[[f64; 3]]| kept.iter().map(|&atom| list[atom as usize]).collect();
    let mut frame = Frame { positions: pick(&whole.positions), ..whole.clone() };
    frame.atomic_numbers = kept.iter().map(|&atom| whole.atomic_numbers[atom as usize]).collect();
    frame.labels.forces = whole.labels.forces.as_deref().map(pick);
    (frame, few)
}

/// Up to [`ATOMS`] atoms, ascending: the first one, its neighbours, theirs, and so on; where edges
/// end, the next atom by number.
fn neighborhood(num_atoms: usize, edges: &[(u32, u32, [i32; 3])]) -> Vec<u32> {
    let wanted = num_atoms.min(ATOMS);
    let mut kept: Vec<u32> = Vec::with_capacity(wanted);
    let mut done = 0;
    while kept.len() < wanted {
        let mut all = 0..u32::try_from(num_atoms).unwrap_or(u32::MAX);
        let next = all.find(|atom| !kept.contains(atom));
        kept.extend(next.filter(|_| done == kept.len()));
        let from = kept[done];
        done += 1;
        for &(sender, _, _) in edges.iter().filter(|edge| edge.1 == from) {
            if kept.len() < wanted && !kept.contains(&sender) {
                kept.push(sender);
            }
        }
    }
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use genesis_schema::{FrameLabels, FrameWeights};

    use super::*;

    /// A chain of atoms, each a neighbour of the next, listed in an order that is not the chain's.
    fn chain(length: u32) -> (Frame, Edges) {
        let number = |place: u32| place * 7 % length;
        let mut pairs: Vec<(u32, u32)> = (1..length)
            .flat_map(|at| [(number(at - 1), number(at)), (number(at), number(at - 1))])
            .collect();
        pairs.sort_by_key(|&(sender, receiver)| (receiver, sender));
        let frame = Frame {
            atomic_numbers: (0..length).map(|at| u8::try_from(1 + at).unwrap()).collect(),
            positions: (0..length).map(|at| [f64::from(at), 0.0, 0.0]).collect(),
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels {
                energy: Some(1.0),
                forces: Some((0..length).map(|at| [0.0, f64::from(at), 0.0]).collect()),
                stress: None,
            },
            weights: FrameWeights::default(),
            config_type: String::new(),
            head: String::new(),
        };
        let edges = Edges {
            senders: pairs.iter().map(|pair| pair.0).collect(),
            receivers: pairs.iter().map(|pair| pair.1).collect(),
            shifts: vec![[0; 3]; pairs.len()],
        };
        (frame, edges)
    }

    #[test]
    fn a_large_structure_keeps_the_atoms_around_its_first_with_their_labels_and_edges() {
        let (frame, edges) = chain(60);
        let mut batch = GraphBatch::default();
        batch.push(frame.clone(), &edges, 4);
        batch.push(frame, &edges, 5);
        let few = some_atoms(&[batch]);
        assert_eq!((few.num_frames(), few.num_atoms()), (2, 2 * ATOMS));
        // A connected piece of a chain has one bond fewer than atoms, each two edges.
        assert_eq!(few.num_edges(), 2 * 2 * (ATOMS - 1));
        let second = &few.frames[1];
        for (at, &number) in second.atomic_numbers.iter().enumerate() {
            let place = f64::from(number - 1);
            assert_eq!(second.positions[at][0].to_bits(), place.to_bits());
            assert_eq!(second.labels.forces.as_ref().unwrap()[at][1].to_bits(), place.to_bits());
        }
        let ascending = few.edges.receivers.is_sorted();
        assert!(ascending, "edges stay sorted by receiver: {:?}", few.edges.receivers);
    }

    #[test]
    fn small_structures_are_kept_whole() {
        let (frame, edges) = chain(5);
        let mut batch = GraphBatch::default();
        batch.push(frame, &edges, 4);
        assert_eq!(some_atoms(std::slice::from_ref(&batch)), batch);
    }
}
