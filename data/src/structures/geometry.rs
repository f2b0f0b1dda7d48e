//! Vectors and 3 x 3 matrices in f64: the few operations that cells need.
//!
//! Rows are vectors throughout, as in [`genesis_schema::atoms::Matrix`]. Not here: rotations and
//! tensors of higher degree.

use genesis_schema::atoms::{Matrix, Vector};

/// Sum of the products of components.
pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The vector orthogonal to both, right-handed.
pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `a + factor * b`.
pub(crate) fn add_scaled(a: Vector, factor: f64, b: Vector) -> Vector {
    [a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]]
}

/// `a - b`.
pub(crate) fn subtract(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Euclidean length.
pub(crate) fn norm(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// `factor * a`.
pub(crate) fn scaled(a: Vector, factor: f64) -> Vector {
    [factor * a[0], factor * a[1], factor * a[2]]
}

/// Signed volume of the parallelepiped of the rows.
pub(crate) fn determinant(m: &Matrix) -> f64 {
    dot(m[0], cross(m[1], m[2]))
}

/// `row · m`: the combination of the rows of `m`.
pub(crate) fn combine(row: Vector, m: &Matrix) -> Vector {
    [0, 1, 2].map(|k| row[0] * m[0][k] + row[1] * m[1][k] + row[2] * m[2][k])
}

/// `shift · cell` for whole numbers of lattice vectors.
pub(crate) fn translation(shift: [i32; 3], cell: &Matrix) -> Vector {
    combine(shift.map(f64::from), cell)
}

/// Distance between the two faces that each row does not lie in, for rows that are independent.
pub(crate) fn heights(m: &Matrix) -> Vector {
    let volume = determinant(m).abs();
    [0, 1, 2].map(|k| volume / norm(cross(m[(k + 1) % 3], m[(k + 2) % 3])))
}

/// The inverse, for rows that are independent.
pub(crate) fn inverse(m: &Matrix) -> Matrix {
    let volume = determinant(m);
    let columns = [0, 1, 2].map(|k| scaled(cross(m[(k + 1) % 3], m[(k + 2) % 3]), volume.recip()));
    [0, 1, 2].map(|row| [columns[0][row], columns[1][row], columns[2][row]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_of_a_skewed_cell_gives_fractional_coordinates() {
        let cell = [[5.0, 0.0, 0.0], [0.5, 6.0, 0.0], [0.2, 0.3, 7.0]];
        let fractions = [0.3, -1.7, 2.25];
        let back = combine(combine(fractions, &cell), &inverse(&cell));
        for k in 0..3 {
            // A handful of operations on numbers of order ten.
            assert!((back[k] - fractions[k]).abs() < 1e-14, "{back:?}");
        }
        assert!((heights(&cell)[2] - 7.0).abs() < 1e-14);
    }
}
