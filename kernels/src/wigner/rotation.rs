//! Rotation matrices of real spherical harmonics, by coupling one degree to the next.
//!
//! Degree 1 is the rotation itself, as its components are (x, y, z); degree l follows from degree
//! l - 1 through `C(1, l-1, l)`, which occurs twice, so its sign does not matter.

use super::coupling::{SignTable, coupling};

/// `D_l(R)`, `[2l+1, 2l+1]` row by row: `Y_l(R v) = D_l(R) Y_l(v)`.
///
/// `D_l = (2l+1) C^T (R x D_{l-1}) C` with `C = C(1, l-1, l)`, whose columns have norm
/// `1 / sqrt(2l+1)`. For an improper `R` the result is that of the natural parity `(-1)^l`.
pub fn rotation_matrix(l: usize, rotation: [[f64; 3]; 3]) -> Vec<f64> {
    match l {
        0 => vec![1.0],
        1 => rotation.concat(),
        _ => next_degree(l, rotation, &rotation_matrix(l - 1, rotation)),
    }
}

fn next_degree(l: usize, rotation: [[f64; 3]; 3], lower: &[f64]) -> Vec<f64> {
    let coupling = coupling(1, l - 1, l, SignTable::E3nn05);
    let (size, inner) = (2 * l + 1, 2 * l - 1);
    let mut matrix = vec![0.0; size * size];
    for left in coupling.terms() {
        for right in coupling.terms() {
            let ([i, j, row], [k, n, column]) = (left.components, right.components);
            let weight = left.value * right.value * size as f64;
            matrix[row * size + column] += weight * rotation[i][k] * lower[j * inner + n];
        }
    }
    matrix
}
