//! The neighbour list against all pairs and images, one by one, and against what others found.

use proptest::prelude::*;

use super::*;
use crate::structures::geometry::{determinant, heights, norm};

const CUBE: Matrix = [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]];

/// Every pair with every image that can be near: as many cells as the longest way between atoms
/// and the cut-off take, counted by the heights of the cell.
fn brute_force(positions: &[Vector], cell: &Matrix, periodic: [bool; 3], cutoff: f64) -> Edges {
    let mut full = *cell;
    for axis in (0..3).filter(|&axis| !periodic[axis]) {
        full[axis] = [0.0; 3];
    }
    let far = positions.iter().flatten().fold(0.0f64, |far, x| far.max(x.abs()));
    let reach = reaches(cell, periodic, cutoff + 4.0 * far);
    let mut edges = Edges::default();
    for receiver in 0..positions.len() {
        for sender in 0..positions.len() {
            for x in -reach[0]..=reach[0] {
                for y in -reach[1]..=reach[1] {
                    for z in -reach[2]..=reach[2] {
                        let shift = [x, y, z];
                        let direct = subtract(positions[receiver], positions[sender]);
                        let vector = add_scaled(direct, 1.0, translation(shift, &full));
                        let near = dot(vector, vector) < cutoff * cutoff;
                        if near && (sender != receiver || shift != [0; 3]) {
                            edges.receivers.push(u32::try_from(receiver).unwrap());
                            edges.senders.push(u32::try_from(sender).unwrap());
                            edges.shifts.push(shift);
                        }
                    }
                }
            }
        }
    }
    edges
}

#[expect(clippy::cast_possible_truncation, reason = "a test with small cells")]
fn reaches(cell: &Matrix, periodic: [bool; 3], distance: f64) -> [i32; 3] {
    let mut basis = *cell;
    match (0..3).filter(|&k| periodic[k]).collect::<Vec<_>>()[..] {
        [] => return [0; 3],
        [k] => {
            let mut reach = [0; 3];
            reach[k] = (distance / norm(cell[k])).ceil() as i32 + 1;
            return reach;
        }
        [a, b] => {
            let normal = crate::structures::geometry::cross(cell[a], cell[b]);
            basis[3 - a - b] = normal;
        }
        _ => {}
    }
    let high = heights(&basis);
    [0, 1, 2].map(|k| if periodic[k] { (distance / high[k]).ceil() as i32 + 1 } else { 0 })
}

fn same(positions: &[Vector], cell: &Matrix, periodic: [bool; 3], cutoff: f64) {
    let found = neighbor_list(positions, cell, periodic, cutoff).unwrap();
    let wanted = brute_force(positions, cell, periodic, cutoff);
    assert_eq!(found, wanted, "{positions:?} in {cell:?} {periodic:?} within {cutoff}");
}

fn vectors(range: f64, atoms: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vector>> {
    let one = -range..range;
    proptest::collection::vec([one.clone(), one.clone(), one], atoms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_cell_and_any_periodicity_gives_the_edges_of_all_pairs_and_images(
        rows in [[-6.0..6.0f64, -6.0..6.0, -6.0..6.0], [-6.0..6.0, -6.0..6.0, -6.0..6.0],
                 [-6.0..6.0, -6.0..6.0, -6.0..6.0]],
        positions in vectors(7.0, 1..7),
        periodic in [any::<bool>(), any::<bool>(), any::<bool>()],
        cutoff in 0.5..6.0f64,
    ) {
        // Thinner cells are in tests of their own: here they would make the oracle slow.
        prop_assume!(determinant(&rows).abs() > 20.0);
        same(&positions, &rows, periodic, cutoff);
    }

    #[test]
    fn many_boxes_give_the_edges_of_all_pairs(
        positions in vectors(15.0, 100..200),
        periodic in [any::<bool>(), any::<bool>(), any::<bool>()],
    ) {
        let cell = [[12.0, 0.0, 1.0], [3.0, 11.0, 0.0], [0.0, -2.0, 13.0]];
        let moved: Vec<Vector> = positions.iter().map(|r| r.map(|x| x / 4.0)).collect();
        same(&moved, &cell, periodic, 1.7);
        let found = neighbor_list(&positions, &cell, periodic, 2.5).unwrap();
        for edge in 0..found.len() {
            let back = (0..found.len()).any(|other| {
                found.senders[other] == found.receivers[edge]
                    && found.receivers[other] == found.senders[edge]
                    && found.shifts[other] == found.shifts[edge].map(|n| -n)
            });
            prop_assert!(back, "edge {} has no opposite", edge);
        }
    }
}

#[test]
fn a_long_skewed_cell_has_the_neighbours_of_the_compact_one() {
    let atoms = [[0.1, 0.2, 0.3], [1.9, 2.2, 0.4]];
    let skewed = [[4.0, 0.0, 0.0], [400.0, 4.0, 0.0], [-80.0, 440.0, 4.0]];
    let (compact, long) = (
        neighbor_list(&atoms, &CUBE, [true; 3], 5.0).unwrap(),
        neighbor_list(&atoms, &skewed, [true; 3], 5.0).unwrap(),
    );
    let ends = |edges: &Edges, cell: &Matrix| {
        let end = |e: usize| {
            let to = translation(edges.shifts[e], cell).map(|x| x.round().to_string());
            (edges.receivers[e], edges.senders[e], to)
        };
        let mut ends: Vec<_> = (0..edges.len()).map(end).collect();
        ends.sort_unstable();
        ends
    };
    assert_eq!(ends(&compact, &CUBE), ends(&long, &skewed));
}

#[test]
fn a_cell_smaller_than_the_cut_off_counts_every_image_of_its_one_atom() {
    // Points of the cubic lattice of 1 Å within 2.5 Å, the origin excluded: 6 + 12 + 8 + 6 + 24 +
    // 24 for squared distances 1 to 6.
    let cell = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let edges = neighbor_list(&[[0.3, -7.2, 11.9]], &cell, [true; 3], 2.5).unwrap();
    assert_eq!(edges.len(), 80);
    assert!((mean_in_degree(&edges) - 80.0).abs() < f64::EPSILON);
}

#[test]
fn the_cut_off_is_strict_and_only_the_atom_itself_is_left_out() {
    let pair = [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]];
    let zero = [[0.0; 3]; 3];
    assert_eq!(neighbor_list(&pair, &zero, [false; 3], 2.0).unwrap(), Edges::default());
    let edges = neighbor_list(&pair, &zero, [false; 3], 2.0 + 1e-12).unwrap();
    assert_eq!((edges.senders, edges.receivers), (vec![1, 0], vec![0, 1]));
    let own = neighbor_list(&[[0.0; 3]], &CUBE, [true, false, false], 4.1).unwrap();
    assert_eq!(own.shifts, [[-1, 0, 0], [1, 0, 0]]);
}

#[test]
fn identical_positions_are_neighbours_and_empty_structures_have_none() {
    let edges = neighbor_list(&[[1.0; 3]; 2], &CUBE, [true; 3], 1.0).unwrap();
    assert_eq!(edges.shifts, [[0; 3]; 2]);
    assert_eq!(neighbor_list(&[], &CUBE, [true; 3], 1.0).unwrap(), Edges::default());
    assert_eq!(neighbor_list(&[], &CUBE, [false; 3], 1.0).unwrap(), Edges::default());
}

#[test]
fn what_has_no_neighbours_is_refused_with_the_place() {
    let list = |positions: &[Vector], cell: Matrix, cutoff: f64| {
        neighbor_list(positions, &cell, [true; 3], cutoff).unwrap_err()
    };
    assert!(matches!(list(&[], CUBE, 0.0), NeighborError::Cutoff { .. }));
    assert!(matches!(list(&[], CUBE, f64::NAN), NeighborError::Cutoff { .. }));
    let lost = [[0.0; 3], [f64::NAN, 0.0, 0.0]];
    assert!(matches!(list(&lost, CUBE, 1.0), NeighborError::Position { atom: 1, .. }));
    let far = [[0.0; 3], [1e30, 0.0, 0.0]];
    assert!(matches!(list(&far, CUBE, 1.0), NeighborError::FarAway { atom: 1, .. }));
    let mut cell = CUBE;
    cell[1] = [0.0; 3];
    assert_eq!(list(&far, cell, 1.0), NeighborError::ZeroCell { axis: 1 });
    cell[1] = [2.0, 0.0, 1e-12];
    assert!(matches!(list(&far, cell, 1.0), NeighborError::FlatCell { .. }));
    cell[1] = [f64::INFINITY, 0.0, 0.0];
    assert!(matches!(list(&far, cell, 1.0), NeighborError::Cell { axis: 1, .. }));
    let tiny = CUBE.map(|row| row.map(|x| x * 1e-3));
    let message = list(&[[0.0; 3]], tiny, 5.0).to_string();
    assert!(message.contains("check the units"), "{message}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let stream = genesis_schema::Seeds::new(3).stream("positions");
    let at = |i: u64| [0, 1, 2].map(|k| 30.0 * stream.uniform(i, k) - 5.0);
    let positions: Vec<Vector> = (0..3000).map(at).collect();
    let cell = [[22.0, 0.0, 0.0], [1.0, 21.0, 0.0], [0.0, 3.0, 20.0]];
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| neighbor_list(&positions, &cell, [true, true, false], 3.0).unwrap())
    };
    let one = with(1);
    assert!(one.len() > 10_000, "{}", one.len());
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}
