//! The lattice of a structure by its shortest vectors, completed where nothing repeats.
//!
//! A long, skewed cell describes the same crystal as a compact one, but reaches many more images
//! within the same distance. So periodic vectors are first replaced by short ones of the same
//! lattice (greedy reduction, in two dimensions Lagrange's, in three Semaev's), and shifts are
//! counted back in the cell as given. Directions that are not periodic become unit vectors
//! orthogonal to the periodic ones and to each other.
//!
//! Source: I. Semaev, "A 3-dimensional lattice reduction algorithm", Cryptography and Lattices 2001, LNCS 2146.

use genesis_schema::atoms::{Matrix, Vector};

use super::NeighborError;
use crate::structures::geometry::{add_scaled, cross, dot, heights, inverse, norm, scaled};

/// Vectors that span a smaller part of the box of their lengths are taken for dependent: far
/// below any cell that means something, far above the rounding of the determinant (about 1e-16).
pub(super) const LEAST_VOLUME_RATIO: f64 = 1e-9;
/// Every accepted round shortens a vector by this factor at least, so rounding cannot loop.
const SHORTER: f64 = 1.0 - 1e-9;
/// Rounds of reduction; lengths shrink fast, a handful is typical.
const MAX_ROUNDS: usize = 200;

/// A right basis for searching, and how its vectors are made of those given.
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    /// Positions to fractions of short periodic vectors and of orthogonal unit vectors.
    pub(super) inverse: Matrix,
    /// Distances between opposite faces, Å.
    pub(super) heights: Vector,
    /// As given.
    pub(super) periodic: [bool; 3],
    /// Rows: vectors of the basis, counted in those given.
    transform: [[i32; 3]; 3],
    /// The basis is the cell as given.
    unchanged: bool,
}

impl Lattice {
    pub(super) fn new(cell: &Matrix, periodic: [bool; 3]) -> Result<Self, NeighborError> {
        check(cell, periodic)?;
        let mut transform = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
        let mut basis = *cell;
        reduce(&mut basis, &mut transform, periodic);
        complete(&mut basis, periodic);
        let unchanged = transform == [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
        let (inverse, heights) = (inverse(&basis), heights(&basis));
        Ok(Self { inverse, heights, periodic, transform, unchanged })
    }

    /// A shift in vectors of the basis, counted in those given.
    #[inline]
    pub(super) fn in_given_cell(&self, shift: [i32; 3]) -> [i32; 3] {
        if self.unchanged {
            return shift;
        }
        let t = &self.transform;
        [0, 1, 2].map(|k| shift[0] * t[0][k] + shift[1] * t[1][k] + shift[2] * t[2][k])
    }
}

fn check(cell: &Matrix, periodic: [bool; 3]) -> Result<(), NeighborError> {
    let axes: Vec<usize> = (0..3).filter(|&axis| periodic[axis]).collect();
    for &axis in &axes {
        let vector = cell[axis];
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(NeighborError::Cell { axis, vector });
        }
        if norm(vector) <= 0.0 {
            return Err(NeighborError::ZeroCell { axis });
        }
    }
    let units: Vec<Vector> = axes.iter().map(|&k| scaled(cell[k], norm(cell[k]).recip())).collect();
    let ratio = match units[..] {
        [a, b] => norm(cross(a, b)),
        [a, b, c] => dot(a, cross(b, c)).abs(),
        _ => 1.0,
    };
    // Written so that a ratio that is not a number is refused too.
    if ratio >= LEAST_VOLUME_RATIO {
        return Ok(());
    }
    let vectors = axes.iter().map(|&axis| cell[axis]).collect();
    Err(NeighborError::FlatCell { vectors, ratio, least: LEAST_VOLUME_RATIO })
}

/// Shortens the longest periodic vector by whole multiples of the others until none gets shorter.
fn reduce(basis: &mut Matrix, transform: &mut [[i32; 3]; 3], periodic: [bool; 3]) {
    let mut axes: Vec<usize> = (0..3).filter(|&axis| periodic[axis]).collect();
    for _ in 0..MAX_ROUNDS {
        axes.sort_by(|&a, &b| norm(basis[a]).total_cmp(&norm(basis[b])));
        let shortened = match axes[..] {
            [a, b] => shorten(basis, transform, b, &[a]),
            [a, b, c] => {
                shorten(basis, transform, b, &[a]) || shorten(basis, transform, c, &[a, b])
            }
            _ => false,
        };
        if !shortened {
            return;
        }
    }
}

/// Replaces vector `long` by the shortest of `long - x a - y b` near the projection, if shorter.
fn shorten(
    basis: &mut Matrix,
    transform: &mut [[i32; 3]; 3],
    long: usize,
    others: &[usize],
) -> bool {
    let nearest = projection(basis, long, others);
    let mut best = (norm(basis[long]) * SHORTER, None);
    for dx in -1..=1 {
        for dy in -1..=1 {
            let counts = [nearest[0] + f64::from(dx), nearest[1] + f64::from(dy)];
            let mut vector = basis[long];
            for (&axis, count) in others.iter().zip(counts) {
                vector = add_scaled(vector, -count, basis[axis]);
            }
            if norm(vector) < best.0 {
                best = (norm(vector), whole(counts).map(|counts| (vector, counts)));
            }
        }
    }
    let Some((vector, counts)) = best.1 else { return false };
    let Some(row) = combined(transform, long, others, counts) else { return false };
    basis[long] = vector;
    transform[long] = row;
    true
}

/// Coefficients, rounded, of the point in the span of `others` that is nearest to vector `long`.
fn projection(basis: &Matrix, long: usize, others: &[usize]) -> [f64; 2] {
    let c = basis[long];
    match *others {
        [a, b] => {
            let (a, b) = (basis[a], basis[b]);
            let (aa, ab, bb) = (dot(a, a), dot(a, b), dot(b, b));
            let (ac, bc) = (dot(a, c), dot(b, c));
            let area = aa * bb - ab * ab;
            [((ac * bb - bc * ab) / area).round(), ((bc * aa - ac * ab) / area).round()]
        }
        [a] => [(dot(basis[a], c) / dot(basis[a], basis[a])).round(), 0.0],
        _ => [0.0; 2],
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bound was checked on the line before")]
fn whole(counts: [f64; 2]) -> Option<[i32; 2]> {
    let small = counts.iter().all(|count| count.abs() < f64::from(1 << 30));
    small.then(|| counts.map(|count| count as i32))
}

/// Row `long` minus `counts` of the rows `others`; `None` if a number would leave 31 bits.
fn combined(
    transform: &[[i32; 3]; 3],
    long: usize,
    others: &[usize],
    counts: [i32; 2],
) -> Option<[i32; 3]> {
    let mut row = transform[long];
    for (&axis, count) in others.iter().zip(counts) {
        for k in 0..3 {
            row[k] = row[k].checked_sub(count.checked_mul(transform[axis][k])?)?;
        }
    }
    Some(row)
}

/// Puts orthogonal unit vectors where the structure does not repeat.
fn complete(basis: &mut Matrix, periodic: [bool; 3]) {
    match (0..3).filter(|&axis| periodic[axis]).collect::<Vec<_>>()[..] {
        [] => *basis = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [axis] => {
            let along = basis[axis];
            let smallest = (0..3).min_by(|&i, &j| along[i].abs().total_cmp(&along[j].abs()));
            let mut helper = [0.0; 3];
            helper[smallest.unwrap_or(0)] = 1.0;
            let first = unit(cross(along, helper));
            basis[(axis + 1) % 3] = first;
            basis[(axis + 2) % 3] = unit(cross(along, first));
        }
        [a, b] => basis[3 - a - b] = unit(cross(basis[a], basis[b])),
        _ => {}
    }
}

fn unit(vector: Vector) -> Vector {
    scaled(vector, norm(vector).recip())
}
