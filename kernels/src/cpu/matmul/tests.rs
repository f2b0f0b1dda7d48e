//! Products against plain sums in f64: every edge of a tile, every way an operand can lie, every
//! instruction set that this processor has.

use std::marker::PhantomData;

use burn::tensor::ElementConversion;

use super::ahead::Ahead;
use super::panels::{Left, Right};
use super::tile::multiply;
use super::{Finish, Form, Matrix, Mixed, Plainly, Target, product};
use crate::bf16::round_f64;
use crate::cpu::{Element, Job, Set, run_everywhere};
use crate::oracle::assert_within;
use crate::testing::numbers;

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Rows,
    Columns,
    Apart,
}

const LIES: [Lie; 3] = [Lie::Rows, Lie::Columns, Lie::Apart];

impl Lie {
    /// Distances of rows and columns.
    fn steps(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Rows => [columns + 3, 1],
            Self::Columns => [1, rows + 2],
            Self::Apart => [2 * columns + 1, 2],
        }
    }

    /// Memory that holds `values` like this, with NaN wherever nothing should be read.
    fn place<T: Element>(self, values: &[f64], shape: [usize; 2]) -> Vec<T> {
        let steps = self.steps(shape);
        let end = shape[0].max(1) * steps[0] + shape[1].max(1) * steps[1];
        let mut memory = vec![T::of(f64::NAN); end];
        for row in 0..shape[0] {
            for column in 0..shape[1] {
                memory[row * steps[0] + column * steps[1]] = T::of(values[row * shape[1] + column]);
            }
        }
        memory
    }
}

/// What an operand becomes, and the spacing at 1 of the sums.
trait Spec: Form {
    fn operand(x: f64) -> f64;
    fn epsilon() -> f64;
}

impl Spec for Plainly<f32> {
    fn operand(x: f64) -> f64 {
        x
    }
    fn epsilon() -> f64 {
        f64::from(f32::EPSILON)
    }
}
impl Spec for Plainly<f64> {
    fn operand(x: f64) -> f64 {
        x
    }
    fn epsilon() -> f64 {
        f64::EPSILON
    }
}
impl Spec for Mixed<f32> {
    fn operand(x: f64) -> f64 {
        round_f64(x)
    }
    fn epsilon() -> f64 {
        f64::from(f32::EPSILON)
    }
}
impl Spec for Mixed<f64> {
    fn operand(x: f64) -> f64 {
        round_f64(x)
    }
    fn epsilon() -> f64 {
        f64::EPSILON
    }
}

/// The exact result, and what any order of the sums may be off by: every number passes through
/// at most K + 3 roundings, each of relative size epsilon.
fn exact<F: Spec>(case: &Case) -> (Vec<f64>, Vec<f64>) {
    let [m, k, n] = case.sizes;
    let mut out = (vec![], vec![]);
    for at in 0..m * n {
        let (row, column) = (at / n, at % n);
        let mut terms: Vec<f64> = (0..k)
            .map(|i| F::operand(case.left[row * k + i]) * F::operand(case.right[i * n + column]))
            .collect();
        terms.extend(case.add.then(|| case.before[at]));
        terms.extend(case.bias.then(|| case.row[column]));
        terms.extend(case.residual.then(|| case.beside[at]));
        out.0.push(terms.iter().sum());
        let size: f64 = terms.iter().map(|x| x.abs()).sum();
        out.1.push((k + 3) as f64 * F::epsilon() * size);
    }
    out
}

struct Case {
    /// M, K, N
    sizes: [usize; 3],
    lies: [Lie; 2],
    add: bool,
    bias: bool,
    residual: bool,
    left: Vec<f64>,
    right: Vec<f64>,
    before: Vec<f64>,
    row: Vec<f64>,
    /// The residual.
    beside: Vec<f64>,
}

impl Case {
    fn new(sizes: [usize; 3], lies: [Lie; 2], add: bool, bias: bool) -> Self {
        let [m, k, n] = sizes;
        let (left, right) = (numbers(m * k, 1), numbers(k * n, 2));
        let [before, row, beside] =
            [(m * n, 3), (n, 4), (m * n, 5)].map(|(count, seed)| numbers(count, seed));
        Self { sizes, lies, add, bias, residual: false, left, right, before, row, beside }
    }

    fn with_residual(self) -> Self {
        Self { residual: true, ..self }
    }

    /// The residual, its rows one number apart.
    fn residual<T: Element>(&self) -> Vec<T> {
        Lie::Rows.place(&self.beside, [self.sizes[0], self.sizes[2]])
    }

    fn finish<'a, T>(&self, bias: &'a [T], residual: &'a [T]) -> Finish<'a, T> {
        let [m, _, n] = self.sizes;
        let beside = || Matrix::strided(residual, [m, n], Lie::Rows.steps([m, n]));
        Finish {
            add: self.add,
            bias: self.bias.then_some(bias),
            residual: self.residual.then(beside),
        }
    }

    /// What the target holds before the product; a 7 stands behind every row.
    fn target<T: Element>(&self) -> Vec<T> {
        let n = self.sizes[2];
        let rows = self.before.chunks(n.max(1));
        rows.flat_map(|row| row.iter().chain(&[7.0]).map(|&x| T::of(x))).collect()
    }

    fn check_all(&self) {
        run_everywhere(|| Packed::<Plainly<f32>>::of(self));
        run_everywhere(|| Packed::<Plainly<f64>>::of(self));
        run_everywhere(|| Packed::<Mixed<f32>>::of(self));
        run_everywhere(|| Packed::<Mixed<f64>>::of(self));
    }
}

/// Compares a target with the exact result; what stands between its rows must have stayed.
fn check_target<F: Spec>(case: &Case, got: &[F::Number]) {
    let n = case.sizes[2];
    let got: Vec<f64> = got.iter().map(|&x| x.elem()).collect();
    assert!(got.chunks(n + 1).all(|row| row[n].to_bits() == 7_f64.to_bits()));
    let got: Vec<f64> = got.chunks(n + 1).flat_map(|row| row[..n].to_vec()).collect();
    let (want, allowed) = exact::<F>(case);
    assert_within(&got, &want, |at| allowed[at]);
}

/// One product of packed operands, checked on the instruction set that it runs on.
struct Packed<'a, F>(&'a Case, PhantomData<F>);

impl<'a, F> Packed<'a, F> {
    fn of(case: &'a Case) -> Self {
        Self(case, PhantomData)
    }
}

impl<F: Spec> Job for Packed<'_, F> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let case = self.0;
        let [m, k, n] = case.sizes;
        let a: Vec<F::Number> = case.lies[0].place(&case.left, [m, k]);
        let b: Vec<F::Number> = case.lies[1].place(&case.right, [k, n]);
        let bias: Vec<F::Number> = case.row.iter().map(|&x| Element::of(x)).collect();
        let residual = case.residual();
        let (mut left, mut right) = (Left::<F::Of<S>>::new(), Right::<F::Of<S>>::new());
        left.pack(Matrix::strided(&a, [m, k], case.lies[0].steps([m, k])));
        right.pack(Matrix::strided(&b, [k, n], case.lies[1].steps([k, n])));
        let mut memory = case.target::<F::Number>();
        let finish = case.finish(&bias, &residual);
        multiply(
            &left,
            &right,
            &mut Target::new(&mut memory, [m, n], n + 1),
            finish,
            Ahead::nothing(),
        );
        check_target::<F>(case, &memory);
    }
}

#[test]
fn packed_products_match_plain_sums_at_every_edge_of_a_tile() {
    // Tiles have 4, 6 or 14 rows and 4 to 32 columns.
    let sizes = [[1, 1, 1], [14, 2, 32], [15, 3, 33], [13, 65, 31], [29, 64, 17], [4, 130, 70]];
    for sizes in sizes {
        for left in LIES {
            for right in LIES {
                Case::new(sizes, [left, right], false, false).check_all();
            }
        }
    }
}

#[test]
fn a_product_adds_to_its_target_and_adds_a_bias_and_a_residual() {
    for (add, bias) in [(true, false), (false, true), (true, true)] {
        for sizes in [[15, 5, 37], [3, 7, 2]] {
            let case = Case::new(sizes, [Lie::Rows, Lie::Columns], add, bias);
            case.check_all();
            case.with_residual().check_all();
        }
    }
}

/// Rows in reverse, one by one, of an operand packed once.
struct Scattered<'a, F>(&'a Case, PhantomData<F>);

impl<F: Spec> Job for Scattered<'_, F> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let case = self.0;
        let [m, k, n] = case.sizes;
        let a: Vec<F::Number> = Lie::Rows.place(&case.left, [m, k]);
        let b: Vec<F::Number> = case.lies[1].place(&case.right, [k, n]);
        let right = Matrix::strided(&b, [k, n], case.lies[1].steps([k, n]));
        let mut memory = case.target::<F::Number>();
        let row = |row: usize| [row * Lie::Rows.steps([m, k])[0], row * (n + 1)];
        let rows: Vec<[usize; 2]> = (0..m).rev().map(row).collect();
        super::Packed::<F::Of<S>>::new(right).multiply_rows(&rows, &a, &mut memory);
        check_target::<F>(case, &memory);
    }
}

#[test]
fn rows_that_lie_anywhere_are_multiplied_each_to_its_place() {
    for sizes in [[1, 1, 1], [15, 33, 31], [29, 800, 70], [0, 3, 2], [3, 0, 5], [2, 3, 0]] {
        let case = Case::new(sizes, [Lie::Rows, Lie::Columns], false, false);
        run_everywhere(|| Scattered::<Plainly<f32>>(&case, PhantomData));
        run_everywhere(|| Scattered::<Plainly<f64>>(&case, PhantomData));
        run_everywhere(|| Scattered::<Mixed<f32>>(&case, PhantomData));
    }
}

#[test]
fn an_empty_sum_is_zero_and_an_empty_target_is_left_alone() {
    for sizes in [[3, 0, 5], [0, 4, 5], [3, 4, 0], [0, 0, 0]] {
        for add in [false, true] {
            Case::new(sizes, [Lie::Rows, Lie::Rows], add, false).check_all();
        }
    }
}

#[test]
fn a_nan_reaches_exactly_its_row_or_its_column() {
    let mut case = Case::new([16, 9, 35], [Lie::Rows, Lie::Rows], false, false);
    case.left[15 * 9 + 8] = f64::NAN;
    case.right[4 * 35 + 34] = f64::NAN;
    case.check_all();
    let (want, _) = exact::<Plainly<f64>>(&case);
    assert_eq!(want.iter().filter(|x| x.is_nan()).count(), 16 + 35 - 1);
}

/// The blocked product over threads, on the best instruction set.
fn check_product<F: Spec>(case: &Case) -> Vec<u64> {
    let [m, k, n] = case.sizes;
    let a: Vec<F::Number> = case.lies[0].place(&case.left, [m, k]);
    let b: Vec<F::Number> = case.lies[1].place(&case.right, [k, n]);
    let bias: Vec<F::Number> = case.row.iter().map(|&x| Element::of(x)).collect();
    let residual = case.residual();
    let mut memory = case.target::<F::Number>();
    product::<F>(
        Matrix::strided(&a, [m, k], case.lies[0].steps([m, k])),
        Matrix::strided(&b, [k, n], case.lies[1].steps([k, n])),
        &mut Target::new(&mut memory, [m, n], n + 1),
        case.finish(&bias, &residual),
    );
    check_target::<F>(case, &memory);
    memory.iter().map(|&x| x.elem::<f64>().to_bits()).collect()
}

#[test]
fn blocked_products_match_plain_sums_beyond_every_block() {
    // A block of the summed axis is 192 to 768 numbers; blocks of columns hold 640 KiB.
    for sizes in [[1, 1, 1], [33, 800, 40], [20, 1600, 33], [5, 385, 600], [0, 3, 2], [2, 0, 3]] {
        for (add, bias) in [(false, true), (true, false)] {
            for lies in [[Lie::Rows, Lie::Columns], [Lie::Columns, Lie::Rows]] {
                let case = Case::new(sizes, lies, add, bias);
                check_product::<Plainly<f32>>(&case);
                check_product::<Plainly<f64>>(&case);
                check_product::<Mixed<f32>>(&case);
                check_product::<Mixed<f64>>(&case);
                check_product::<Plainly<f64>>(&case.with_residual());
            }
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for sizes in [[300, 500, 130], [40, 3000, 90], [7, 900, 700]] {
        let case = Case::new(sizes, [Lie::Rows, Lie::Columns], false, true);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads can be started").install(|| {
                [check_product::<Plainly<f32>>(&case), check_product::<Mixed<f32>>(&case)]
            })
        };
        let one = with(1);
        for threads in [2, 3, 7] {
            assert!(one == with(threads), "{sizes:?} on {threads} threads");
        }
    }
}
