//! Dropout on an adapter draws the mask of the host, to the bit.

use burn::tensor::DType;

use super::DropoutMask;
use super::tests::{Dropout, MASK};
use crate::Cpu;
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, values};
use crate::testing::{Case, flat, host, numbers};

#[test]
fn an_adapter_drops_what_the_reference_drops_on_ragged_shapes() {
    if adapter_is_missing() {
        return;
    }
    let masks = [MASK, DropoutMask { rate: 0.0, ..MASK }, DropoutMask { key: u64::MAX, ..MASK }];
    for mask in masks {
        for sizes in [[1, 1], [3, 7], [16, 16], [1, 257], [300, 200], [0, 3]] {
            let case = Dropout { mask, sizes };
            let x = numbers(sizes[0] * sizes[1], 1);
            let want = host(Case::reference(&case, &[flat::<Cpu>(&x, DType::F32)]));
            assert_eq!(values(&case, &[x]), [want]);
        }
    }
    check_gradients(&Dropout { mask: MASK, sizes: [20, 15] }, &[numbers(300, 1)], 0.0);
}

#[test]
fn a_dropped_nan_stays_nan_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let most = Dropout { mask: DropoutMask { rate: 0.99, ..MASK }, sizes: [1, 50] };
    assert!(values(&most, &[vec![f64::NAN; 50]])[0].iter().all(|y| y.is_nan()));
}
