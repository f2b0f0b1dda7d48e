//! The polynomials of a product layer: coupling tensors turned into monomials, and the matrix from
//! weights to their coefficients.
//!
//! ```text
//! contraction   out[n, o, c] = sum_t coefficient[z_n, t, c] * prod of x[n, i, c] over the indices of t
//! coefficient   [z, t, c] = sum_k matrix[t, k] W[z, k, c], k through orders 1, 2, .. of one degree
//! matrix        [t, k] = sum of U[m, i.., k] over the distinct orders of the indices of t
//! ```
//!
//! Factors commute, so couplings that differ by an antisymmetric tensor are the same polynomial: at
//! `max_ell` 3 the 23, 51, 65 couplings of three factors to degrees 0, 1, 2 span spaces of dimension
//! 8, 12, 14. The symmetric basis is `matrix * reduction`, orthonormal as tensors up to the factor
//! `sqrt(2 l + 1)` that couplings have; its weights become weights of mace-torch exactly by
//! `W_unreduced = reduction * W_symmetric`.

use std::{collections::BTreeMap, sync::Arc};

use genesis_kernels::{MixingMatrix, Term, Terms};

use super::{
    choices::ProductBasisKind,
    config::MaceConfig,
    coupling_tensors::{CouplingTensor, ZERO},
};

/// A coupling whose symmetric part outside the earlier ones has less than this norm, relative to
/// that of a coupling, adds nothing: it is antisymmetric or a combination of them. Such leave
/// rounding, 1e-14; others leave 1e-2.
const DEPENDENT: f64 = 1e-8;

/// The polynomials of one product layer, all degrees.
#[derive(Debug, Clone)]
pub struct ProductBasis {
    /// Monomials of all outputs: degree by degree, sorted by output, order, indices.
    pub terms: Arc<Terms>,
    /// `[terms, weights of all degrees and orders]` from weights to coefficients of monomials.
    pub mixing: Arc<MixingMatrix>,
    /// `[L + 1]`
    pub degrees: Vec<DegreeBasis>,
}

/// The polynomials to one degree.
#[derive(Debug, Clone)]
pub struct DegreeBasis {
    /// `[correlation]` the couplings by number of factors, 1 first.
    pub orders: Vec<OrderBasis>,
    /// From the weights of all orders to the coefficients of the monomials.
    pub matrix: MixingMatrix,
}

/// The couplings of one number of factors to one degree.
#[derive(Debug, Clone)]
pub struct OrderBasis {
    /// The tensor of mace-torch.
    pub tensor: CouplingTensor,
    /// `[k, num_weights]`, row-major: couplings of mace-torch in terms of ours.
    pub reduction: Vec<f64>,
    /// Weights per element and channel.
    pub num_weights: usize,
}

/// A monomial of one output component: `(output, order, indices)`.
type Monomial = (u16, u8, [u16; 3]);
/// Rows of a matrix, by monomial.
type Rows = BTreeMap<Monomial, Vec<f64>>;

impl ProductBasis {
    /// The basis of products that end in degrees `0..=max_degree`.
    pub fn new(config: &MaceConfig, max_degree: usize) -> Self {
        let mut list = Vec::new();
        let degrees: Vec<_> =
            (0..=max_degree).map(|l| degree_basis(config, l, &mut list)).collect();
        let matrices: Vec<_> = degrees.iter().map(|degree| degree.matrix.clone()).collect();
        let mixing = Arc::new(MixingMatrix::block_diagonal(&matrices));
        let num_inputs = (config.max_ell + 1).pow(2);
        let num_outputs = (max_degree + 1).pow(2);
        Self { terms: Arc::new(Terms::new(num_inputs, num_outputs, list)), mixing, degrees }
    }
}

fn degree_basis(config: &MaceConfig, degree: usize, list: &mut Vec<Term>) -> DegreeBasis {
    let mut orders = Vec::new();
    let mut rows = Rows::new();
    for order in 1..=config.correlation {
        let tensor = CouplingTensor::new(config.max_ell, order, degree, config.signs());
        let unreduced = monomials(&tensor);
        let num_paths = tensor.paths.len();
        let reduction = match config.product_basis {
            ProductBasisKind::Unreduced => unit(num_paths),
            ProductBasisKind::Symmetric => reduction(&unreduced, num_paths, degree),
        };
        let num_weights = reduction.len() / num_paths;
        rows.extend(
            unreduced
                .into_iter()
                .map(|(monomial, row)| (monomial, row_times_matrix(&row, &reduction, num_weights))),
        );
        orders.push(OrderBasis { tensor, reduction, num_weights });
    }
    let matrix = assemble(&rows, &orders);
    let first_output = u16::try_from(degree * degree).expect("degrees are at most 6");
    list.extend(rows.keys().map(|&(output, order, indices)| Term {
        output: first_output + output,
        indices,
        order,
    }));
    DegreeBasis { orders, matrix }
}

/// Coefficients of the monomials of every coupling; monomials that occur in none are left out.
fn monomials(tensor: &CouplingTensor) -> Rows {
    let num_paths = tensor.paths.len();
    let order = u8::try_from(tensor.order).expect("order is at most 3");
    let mut rows = Rows::new();
    for (path, entries) in tensor.paths.iter().enumerate() {
        for entry in entries {
            let mut indices = entry.indices;
            indices[..tensor.order].sort_unstable();
            let row = rows.entry((entry.output, order, indices));
            row.or_insert_with(|| vec![0.0; num_paths])[path] += entry.value;
        }
    }
    rows.retain(|_, row| row.iter().any(|value| value.abs() > ZERO));
    rows
}

/// Number of distinct orders of the indices: the multiplicity of a monomial in a tensor.
fn multiplicity((_, order, indices): &Monomial) -> f64 {
    let [i, j, k] = *indices;
    match order {
        1 => 1.0,
        2 => f64::from(1 + u8::from(i != j)),
        _ if i == j && j == k => 1.0,
        _ if i == j || j == k => 3.0,
        _ => 6.0,
    }
}

/// `[k, kept]`: Gram-Schmidt over the couplings in order, those that add nothing left out. The
/// inner product is that of symmetric tensors, sum over monomials of `a b / multiplicity`.
fn reduction(rows: &Rows, num_paths: usize, degree: usize) -> Vec<f64> {
    let weights: Vec<f64> = rows.keys().map(|monomial| 1.0 / multiplicity(monomial)).collect();
    let column = |path: usize| rows.values().map(|row| row[path]).collect::<Vec<f64>>();
    let dot = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).zip(&weights).map(|((a, b), w)| a * b * w).sum()
    };
    let scale = ((2 * degree + 1) as f64).sqrt();
    // Pairs of an orthonormal column and its combination of couplings.
    let mut kept: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for path in 0..num_paths {
        let mut rest = column(path);
        let mut mix: Vec<f64> = (0..num_paths).map(|k| f64::from(u8::from(k == path))).collect();
        // Twice, since one pass leaves rounding of the size of what it removed.
        for (unit, combination) in kept.iter().chain(&kept) {
            let part = dot(&rest, unit);
            rest.iter_mut().zip(unit).for_each(|(x, u)| *x -= part * u);
            mix.iter_mut().zip(combination).for_each(|(x, u)| *x -= part * u);
        }
        let norm = dot(&rest, &rest).sqrt();
        if norm > DEPENDENT * scale {
            rest.iter_mut().chain(&mut mix).for_each(|x| *x /= norm);
            kept.push((rest, mix));
        }
    }
    let row = |k: usize| kept.iter().map(move |(_, mix)| scale * mix[k]).collect::<Vec<f64>>();
    (0..num_paths).flat_map(row).collect()
}

fn unit(size: usize) -> Vec<f64> {
    (0..size * size).map(|at| f64::from(u8::from(at / size == at % size))).collect()
}

fn row_times_matrix(row: &[f64], matrix: &[f64], num_columns: usize) -> Vec<f64> {
    let entry = |column: usize| {
        row.iter().enumerate().map(|(k, value)| value * matrix[k * num_columns + column]).sum()
    };
    (0..num_columns).map(entry).collect()
}

/// The rows of all orders as one matrix, each in the columns of its order.
fn assemble(rows: &Rows, orders: &[OrderBasis]) -> MixingMatrix {
    let total: usize = orders.iter().map(|order| order.num_weights).sum();
    let mut matrix = Vec::with_capacity(rows.len() * total);
    for ((_, order, _), row) in rows {
        let before = orders[..usize::from(*order) - 1].iter().map(|o| o.num_weights).sum();
        matrix.extend(std::iter::repeat_n(0.0, before));
        matrix.extend_from_slice(row);
        matrix.extend(std::iter::repeat_n(0.0, total - before - row.len()));
    }
    MixingMatrix::new(&matrix, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equivariant::testing::small_config;

    fn basis(kind: ProductBasisKind) -> ProductBasis {
        let config = MaceConfig {
            max_ell: 3,
            correlation: 3,
            max_hidden_degree: 2,
            product_basis: kind,
            ..small_config()
        };
        ProductBasis::new(&config, 2)
    }

    fn num_weights(basis: &ProductBasis, order: usize) -> Vec<usize> {
        basis.degrees.iter().map(|degree| degree.orders[order - 1].num_weights).collect()
    }

    /// Ranks of mace-torch's buffers after symmetrisation.
    #[test]
    fn independent_couplings_are_as_many_as_the_symmetrised_tensors_have_rank() {
        let symmetric = basis(ProductBasisKind::Symmetric);
        assert_eq!(num_weights(&symmetric, 1), [1, 1, 1]);
        assert_eq!(num_weights(&symmetric, 2), [4, 3, 5]);
        assert_eq!(num_weights(&symmetric, 3), [8, 12, 14]);
        assert_eq!(num_weights(&basis(ProductBasisKind::Unreduced), 3), [23, 51, 65]);
    }

    #[test]
    fn both_bases_have_the_same_monomials_as_many_as_published() {
        let symmetric = basis(ProductBasisKind::Symmetric);
        let of_order_three = |output: std::ops::Range<u16>| {
            let list = symmetric.terms.list();
            list.iter().filter(|term| term.order == 3 && output.contains(&term.output)).count()
        };
        assert_eq!([0..1, 1..4, 4..9].map(of_order_three), [77, 278, 398]);
        assert_eq!(symmetric.terms.list(), basis(ProductBasisKind::Unreduced).terms.list());
    }

    #[test]
    fn symmetric_couplings_are_orthogonal_with_the_norm_of_their_output() {
        for (degree, basis) in basis(ProductBasisKind::Symmetric).degrees.iter().enumerate() {
            let order = &basis.orders[2];
            let rows = monomials(&order.tensor);
            let n = order.num_weights;
            let columns: Vec<(f64, Vec<f64>)> = rows
                .iter()
                .map(|(m, row)| (multiplicity(m), row_times_matrix(row, &order.reduction, n)))
                .collect();
            for a in 0..n {
                for b in 0..n {
                    let dot: f64 = columns.iter().map(|(w, row)| row[a] * row[b] / w).sum();
                    let want = if a == b { (2 * degree + 1) as f64 } else { 0.0 };
                    assert!((dot - want).abs() < 1e-10, "degree {degree}: {a}, {b}: {dot}");
                }
            }
        }
    }

    /// Contracting both with the same factors: the tensor entry by entry, and the monomials.
    #[test]
    fn monomials_are_the_tensor_contracted_with_equal_factors() {
        let tensor = CouplingTensor::new(2, 3, 1, small_config().signs());
        let x: Vec<f64> = (0..9).map(|i| (f64::from(i) * 0.7).sin() + 0.1).collect();
        let rows = monomials(&tensor);
        for (path, entries) in tensor.paths.iter().enumerate() {
            let mut want = [0.0; 3];
            for entry in entries {
                let product: f64 = entry.indices.iter().map(|&i| x[i as usize]).product();
                want[entry.output as usize] += entry.value * product;
            }
            let mut got = [0.0; 3];
            for ((output, _, indices), row) in &rows {
                let product: f64 = indices.iter().map(|&i| x[i as usize]).product();
                got[*output as usize] += row[path] * product;
            }
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() < 1e-12, "path {path}: {got} against {want}");
            }
        }
    }
}
