//! Symmetries of the tables, and the flips between the two conventions.

use super::{SignTable, coupling, rotation_matrix};

fn triples(max: usize) -> Vec<[usize; 3]> {
    let mut all = Vec::new();
    for a in 0..=max {
        for b in 0..=max {
            all.extend((a.abs_diff(b)..=(a + b).min(max)).map(|c| [a, b, c]));
        }
    }
    all
}

/// A rotation by `angle` about the unit axis `n` (Rodrigues).
fn rotation(n: [f64; 3], angle: f64) -> [[f64; 3]; 3] {
    let (s, c) = angle.sin_cos();
    let cross = [[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]];
    let entry =
        |i: usize, j: usize| f64::from(i == j) * c + (1.0 - c) * n[i] * n[j] + s * cross[i][j];
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| entry(i, j)))
}

#[test]
fn spot_values_of_both_conventions() {
    // Printed by e3nn 0.4.4; C(1,2,2) has the other sign in 0.5.
    let at = |l: [usize; 3], m| coupling(l[0], l[1], l[2], SignTable::E3nn04).at(m);
    let new = |l: [usize; 3], m| coupling(l[0], l[1], l[2], SignTable::E3nn05).at(m);
    for (got, want) in [
        (at([1, 1, 0], [1, 1, 0]), 1.0 / 3.0_f64.sqrt()),
        (at([1, 1, 1], [0, 1, 2]), 0.408_248),
        (at([1, 1, 2], [0, 2, 0]), 0.316_228),
        (at([1, 1, 2], [0, 0, 2]), -0.182_574),
        (at([1, 2, 2], [0, 0, 1]), 0.182_574),
        (new([1, 2, 2], [0, 0, 1]), -0.182_574),
        (at([1, 2, 3], [0, 0, 4]), -0.069_007),
    ] {
        assert!((got - want).abs() < 5e-7, "{got} is not {want}");
    }
}

#[test]
fn the_conventions_differ_in_the_documented_triples_and_nowhere_else() {
    let documented = |mut l: [usize; 3]| {
        l.sort_unstable();
        let others = [[3, 4, 6], [4, 4, 5], [4, 5, 6], [5, 5, 5], [5, 6, 6]];
        (l[0] == 1 && l[1] == l[2] && l[1] >= 2) || others.contains(&l)
    };
    for l in triples(6) {
        let [old, new] =
            [SignTable::E3nn04, SignTable::E3nn05].map(|signs| coupling(l[0], l[1], l[2], signs));
        let sign = if documented(l) { -1.0 } else { 1.0 };
        let flipped: Vec<f64> = new.values().iter().map(|x| sign * x).collect();
        assert_eq!(old.values(), flipped, "{l:?}");
        assert!(!documented(l) || l.iter().sum::<usize>() % 2 == 1, "{l:?} has natural parity");
    }
}

#[test]
fn couplings_are_orthogonal_and_of_norm_one() {
    // sum over m1, m2 of C[m1,m2,m] C[m1,m2,m'] = delta / (2 l3 + 1): each entry is a sum of
    // at most 13 products of numbers below one that hold 1e-14.
    for l in triples(6) {
        let c = coupling(l[0], l[1], l[2], SignTable::E3nn05);
        let [n1, n2, n3] = c.sizes();
        for (m, n) in (0..n3).flat_map(|m| (0..n3).map(move |n| (m, n))) {
            let pairs = (0..n1).flat_map(|a| (0..n2).map(move |b| (a, b)));
            let sum: f64 = pairs.map(|(a, b)| c.at([a, b, m]) * c.at([a, b, n])).sum();
            let want = f64::from(m == n) / n3 as f64;
            assert!((sum - want).abs() < 1e-13, "{l:?} {m} {n}: {sum} is not {want}");
        }
    }
}

#[test]
fn couplings_are_invariant_under_every_rotation() {
    let r = rotation([0.6, 0.0, 0.8], 1.1);
    let d: Vec<Vec<f64>> = (0..=4).map(|l| rotation_matrix(l, r)).collect();
    for l in triples(4) {
        let c = coupling(l[0], l[1], l[2], SignTable::E3nn05);
        let [n1, n2, n3] = c.sizes();
        let mut turned = vec![0.0; n1 * n2 * n3];
        for term in c.terms() {
            let [a, b, e] = term.components;
            for (at, turned) in turned.iter_mut().enumerate() {
                let [i, j, k] = [at / (n2 * n3), at / n3 % n2, at % n3];
                *turned +=
                    d[l[0]][i * n1 + a] * d[l[1]][j * n2 + b] * d[l[2]][k * n3 + e] * term.value;
            }
        }
        for (turned, value) in turned.iter().zip(c.values()) {
            assert!((turned - value).abs() < 1e-12, "{l:?}: {turned} is not {value}");
        }
    }
}

#[test]
fn rotation_matrices_multiply_as_rotations_do() {
    let (a, b) = (rotation([0.0, 0.6, 0.8], 0.7), rotation([1.0, 0.0, 0.0], -2.0));
    let product =
        [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum::<f64>()));
    for l in 0..=6 {
        let n = 2 * l + 1;
        let [da, db, dab] = [a, b, product].map(|r| rotation_matrix(l, r));
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let sum: f64 = (0..n).map(|k| da[i * n + k] * db[k * n + j]).sum();
            assert!((sum - dab[i * n + j]).abs() < 1e-12, "degree {l}");
        }
    }
}

#[test]
#[should_panic(expected = "degrees [1, 1, 3] break the triangle rule")]
fn degrees_that_do_not_couple_are_refused() {
    let _ = coupling(1, 1, 3, SignTable::E3nn05);
}

#[test]
#[should_panic(expected = "degree 7 of [3, 4, 7] is above 6")]
fn signs_without_a_record_are_refused() {
    let _ = coupling(3, 4, 7, SignTable::E3nn04);
}
