//! Harmonics, rotation matrices and coupling coefficients against the numbers of e3nn 0.4.4.
//!
//! Needs `$GENESIS_SHARED/oracles/equivariant/e3nn.safetensors` (default `../shared`).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test reads its reference and says when it cannot"
)]

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use genesis_kernels::wigner::{SignTable, coupling, rotation_matrix};
use genesis_kernels::{Cpu, spherical_harmonics};
use safetensors::SafeTensors;

/// What the reference promises to agree to.
const TOLERANCE: f64 = 1e-12;

#[expect(
    clippy::disallowed_methods,
    reason = "where reference data lies is the test's own business"
)]
fn oracle() -> Option<Vec<u8>> {
    let shared = std::env::var("GENESIS_SHARED")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let file = shared.join("oracles/equivariant/e3nn.safetensors");
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        println!("SKIPPED: no {}; set GENESIS_SHARED", file.display());
    }
    bytes
}

fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), safetensors::Dtype::F64, "{name}");
    let bytes = tensor.data().as_chunks::<8>().0;
    bytes.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= TOLERANCE, "{what}[{at}] is {got:e} but e3nn has {want:e}");
    }
}

#[test]
fn harmonics_to_degree_five_are_those_of_e3nn() {
    let Some(bytes) = oracle() else { return };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let vectors = numbers(&file, "vectors");
    let data = TensorData::new(vectors.clone(), [vectors.len() / 3, 3]);
    let vectors = Tensor::<Cpu, 2>::from_data(data, (&Device::<Cpu>::default(), DType::F64));
    let harmonics = spherical_harmonics::spherical_harmonics(vectors, 5);
    for l in 0..=5 {
        let got = harmonics.clone().narrow(1, l * l, 2 * l + 1).into_data();
        let got: Vec<f64> = got.iter::<f64>().collect();
        assert_close(&got, &numbers(&file, &format!("sh_l{l}")), &format!("degree {l}"));
    }
}

#[test]
fn rotation_matrices_are_those_of_e3nn() {
    let Some(bytes) = oracle() else { return };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let rotations = numbers(&file, "rotation");
    for l in 1..=3 {
        let want = numbers(&file, &format!("D_l{l}"));
        for (rotation, want) in rotations.chunks(9).zip(want.chunks((2 * l + 1) * (2 * l + 1))) {
            let rows = [0, 3, 6].map(|row| [rotation[row], rotation[row + 1], rotation[row + 2]]);
            assert_close(&rotation_matrix(l, rows), want, &format!("D of degree {l}"));
        }
    }
}

#[test]
fn couplings_are_those_of_e3nn_and_those_of_later_versions_up_to_the_documented_sign() {
    let Some(bytes) = oracle() else { return };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for (name, _) in file.tensors() {
        let Some(digits) = name.strip_prefix("w3j_") else { continue };
        let l: Vec<usize> = digits.bytes().map(|digit| usize::from(digit - b'0')).collect();
        let want = numbers(&file, &name);
        let old = coupling(l[0], l[1], l[2], SignTable::E3nn04);
        assert_close(old.values(), &want, &name);
        let mut sorted = [l[0], l[1], l[2]];
        sorted.sort_unstable();
        // Of degrees to 3 the table flips (1, 2, 2) and (1, 3, 3), in every order.
        let sign = if [[1, 2, 2], [1, 3, 3]].contains(&sorted) { -1.0 } else { 1.0 };
        let later: Vec<f64> = coupling(l[0], l[1], l[2], SignTable::E3nn05)
            .values()
            .iter()
            .map(|x| sign * x)
            .collect();
        assert_close(&later, &want, &name);
        compared += 1;
    }
    assert_eq!(compared, 34, "the reference holds all triples of degrees to 3");
}
