//! The rounding on an adapter, to the bit.

use burn::tensor::{Tensor, TensorData};

use super::round_f32;
use crate::Wgpu;
use crate::families::precision;
use crate::machine::wgpu::testing::adapter_is_missing;

#[test]
fn every_exponent_and_every_tie_rounds_as_on_the_host() {
    if adapter_is_missing() {
        return;
    }
    // Around each kind of tie, of even and odd last digits, for all exponents and both signs.
    let low = [0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff];
    let bits = (0..=0xffff_u32).step_by(31).flat_map(|high| low.map(|low| high << 16 | low));
    let x: Vec<f32> = bits.map(f32::from_bits).collect();
    let tensor = Tensor::<Wgpu, 1>::from_data(
        TensorData::new(x.clone(), [x.len()]),
        &burn::tensor::Device::<Wgpu>::default(),
    );
    let got: Vec<f32> = precision::round_to_bf16(tensor).into_data().iter::<f32>().collect();
    for (x, got) in x.iter().zip(got) {
        let want = round_f32(*x);
        // WGSL lets a device take subnormal numbers for zero.
        let flushed = !x.is_normal() && got.abs().to_bits() == 0;
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        assert!(same || flushed, "{x:e}: {got:e} but the host says {want:e}");
    }
}
