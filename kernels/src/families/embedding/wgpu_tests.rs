//! The lookup on an adapter, and the order of its sums.

use burn::tensor::DType;

use super::tests::Embedding;
use crate::families::embedding;
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, values};
use crate::testing::{host, ints, numbers, shaped};
use crate::{Cpu, Wgpu};

#[test]
fn each_token_gets_the_row_of_its_id_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for [tokens, rows, width] in [[0, 4, 3], [1, 1, 1], [300, 7, 5], [9, 1000, 257]] {
        let ids: Vec<i32> = (0..tokens).map(|at| i32::try_from(at * 7 % rows).unwrap()).collect();
        let table = numbers(rows * width, 1);
        let want: Vec<f64> = ids
            .iter()
            .flat_map(|&id| table[usize::try_from(id).unwrap() * width..][..width].to_vec())
            .collect();
        let case = Embedding { ids, sizes: [rows, width] };
        assert_eq!(values(&case, &[table]), [want]);
    }
}

/// Gradients of the table on both backends, in f32.
fn both(ids: &[i32], width: usize, num_rows: usize) -> [Vec<f64>; 2] {
    let grad = numbers(ids.len() * width, 2);
    let shape = [ids.len(), width];
    let cpu = shaped::<Cpu, 2>(&grad, shape, DType::F32);
    let wgpu = shaped::<Wgpu, 2>(&grad, shape, DType::F32);
    [
        host(embedding::embedding_backward(cpu, ints::<Cpu>(ids), num_rows)),
        host(embedding::embedding_backward(wgpu, ints::<Wgpu>(ids), num_rows)),
    ]
}

#[test]
fn gradients_of_one_row_are_added_in_token_order_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    // The CPU adds in token order: equal bits say that the adapter does.
    let many: Vec<i32> = (0..500).map(|at| at * at % 13).collect();
    for (ids, width, rows) in [(&many[..], 300, 20), (&[2, 2, 0, 2], 3, 4), (&[], 3, 4)] {
        let [cpu, wgpu] = both(ids, width, rows);
        assert_eq!(cpu, wgpu);
    }
}

#[test]
fn the_lookup_differentiates_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    check_gradients(&Embedding { ids: vec![2, 2, 0, 2], sizes: [4, 3] }, &[numbers(12, 1)], 0.0);
}

#[test]
fn an_id_beyond_the_table_is_named_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let found = std::panic::catch_unwind(|| {
        values(&Embedding { ids: vec![3, 4], sizes: [4, 3] }, &[numbers(12, 1)])
    });
    let message = found.expect_err("the id is no row");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(message.contains("embedding: `ids[1]` is 4 but the table has 4 rows"), "{message}");
}
