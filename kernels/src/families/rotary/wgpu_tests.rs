//! The rotation on an adapter against the reference in f64.

use burn::tensor::{Device, Tensor};

use super::tests::Rotary;
use crate::Wgpu;
use crate::families::rotary;
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, check_values, values};
use crate::testing::numbers;

#[test]
fn values_and_gradients_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for sizes in [[1, 1, 2], [5, 3, 6], [16, 4, 8], [257, 1, 2], [300, 5, 34]] {
        let x = [numbers(sizes.iter().product(), 1)];
        check_values(&Rotary { sizes }, &x, 0.0);
    }
    let sizes = [20, 3, 10];
    check_gradients(&Rotary { sizes }, &[numbers(sizes.iter().product(), 1)], 0.0);
}

#[test]
fn a_nan_stays_in_its_pair_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let mut x = numbers(8, 1);
    x[1] = f64::NAN;
    let got = values(&Rotary { sizes: [1, 2, 4] }, &[x]).concat();
    let nan: Vec<usize> = (0..8).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [1, 3]);
}

#[test]
fn no_tokens_give_nothing_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let table = || Tensor::<Wgpu, 2>::zeros([0, 2], &Device::<Wgpu>::default());
    let x = Tensor::<Wgpu, 3>::zeros([0, 2, 4], &Device::<Wgpu>::default());
    let y = rotary::rotary(x, table(), table());
    assert_eq!((y.dims(), y.into_data().num_elements()), ([0, 2, 4], 0));
}
