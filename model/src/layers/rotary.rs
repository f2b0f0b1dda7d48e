//! Angles of rotary positions: frequencies, their long-context scaling, cosines and sines.
//!
//! Rounding follows transformers, which computes frequencies and angles in f32: at position 1000
//! an f32 angle is off by up to 3e-5, so an exact angle would *not* reproduce its logits. The
//! rotation itself is a kernel; this file only makes its tables.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Rotary positions.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotary {
    /// Base of the geometric series of wavelengths (`rope_theta`).
    pub base: f64,
    /// Change of the frequencies for contexts longer than those of pretraining.
    pub scaling: RotaryScaling,
    /// `[D / 2]` frequencies a file stores, which win over `base` and `scaling`: old ESM-2 files
    /// hold values rounded to f16, and transformers uses them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_frequencies: Option<Vec<f32>>,
}

/// How frequencies are changed for long contexts.
#[derive(
    Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RotaryScaling {
    /// Not at all.
    None {},
    /// Llama 3.1: wavelengths beyond `original_context / low_frequency_factor` are stretched by
    /// `factor`, those below `original_context / high_frequency_factor` kept, others interpolated.
    Llama3 {
        /// Stretch of long wavelengths, at least 1.
        factor: f64,
        /// Sets the longest interpolated wavelength.
        low_frequency_factor: f64,
        /// Sets the shortest interpolated wavelength.
        high_frequency_factor: f64,
        /// Context of pretraining, tokens.
        original_context: usize,
    },
}

impl Rotary {
    /// Plain rotary positions.
    pub fn new(base: f64) -> Self {
        Self { base, scaling: RotaryScaling::None {}, stored_frequencies: None }
    }

    /// `[D / 2]` radians per position: `base^(-2 i / D)`, scaled.
    pub fn frequencies(&self, head_width: usize) -> Vec<f32> {
        if let Some(stored) = &self.stored_frequencies {
            return stored.clone();
        }
        (0..head_width / 2)
            .map(|i| {
                let exponent = narrow(2.0 * i as f64 / head_width as f64);
                let plain = 1.0 / narrow(self.base.powf(f64::from(exponent)));
                self.scaling.apply(plain)
            })
            .collect()
    }

    /// `cos` and `sin` of `position * frequency`, each `[N, D / 2]`, in the type of `like`.
    pub(crate) fn tables<B: Backend>(
        &self,
        positions: &[u32],
        head_width: usize,
        like: &Tensor<B, 2>,
    ) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let frequencies = self.frequencies(head_width);
        let (cos, sin) = gather_angles(positions, &frequencies);
        let shape = [positions.len(), frequencies.len()];
        let device = like.device();
        let upload =
            |values| Tensor::from_data(TensorData::new(values, shape), (&device, like.dtype()));
        (upload(cos), upload(sin))
    }
}

impl RotaryScaling {
    /// In f32, operation by operation, as transformers does.
    fn apply(self, frequency: f32) -> f32 {
        let Self::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } =
            self
        else {
            return frequency;
        };
        let context = original_context as f64;
        let (low, high) = (narrow(low_frequency_factor), narrow(high_frequency_factor));
        let stretch = narrow(factor);
        let wavelength = narrow(std::f64::consts::TAU) / frequency;
        if wavelength < narrow(context / high_frequency_factor) {
            return frequency;
        }
        if wavelength > narrow(context / low_frequency_factor) {
            return frequency / stretch;
        }
        let smooth = (narrow(context) / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / stretch + smooth * frequency
    }
}

/// Rows of cosines and sines. Positions repeat in a packed batch, so rows are computed once per
/// position when the positions are dense, and once per token otherwise.
fn gather_angles(positions: &[u32], frequencies: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let rows = positions.iter().max().map_or(0, |&last| last as usize + 1);
    if rows > positions.len() {
        return angles(positions.iter().copied(), frequencies);
    }
    let last = u32::try_from(rows).expect("one more than a position of a batch in memory");
    let (cos, sin) = angles(0..last, frequencies);
    let width = frequencies.len();
    let pick = |table: &[f32]| {
        let mut picked = Vec::with_capacity(positions.len() * width);
        for &position in positions {
            picked.extend_from_slice(&table[position as usize * width..][..width]);
        }
        picked
    };
    (pick(&cos), pick(&sin))
}

fn angles(positions: impl Iterator<Item = u32>, frequencies: &[f32]) -> (Vec<f32>, Vec<f32>) {
    positions
        .flat_map(|position| {
            let position = narrow(f64::from(position));
            frequencies.iter().map(move |&frequency| {
                let (sin, cos) = f64::from(position * frequency).sin_cos();
                (narrow(cos), narrow(sin))
            })
        })
        .unzip()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is reproduced")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_fall_geometrically_from_one() {
        let got = Rotary::new(10_000.0).frequencies(8);
        for (got, want) in got.iter().zip([1.0, 0.1, 0.01, 0.001]) {
            assert!((got / want - 1.0f32).abs() < 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn scaling_keeps_short_waves_stretches_long_ones_and_is_between_in_the_middle() {
        let scaling = RotaryScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 64,
        };
        let of_wavelength = |length: f32| std::f32::consts::TAU / length;
        let ratio = |length| scaling.apply(of_wavelength(length)) / of_wavelength(length);
        assert!((ratio(15.0) - 1.0).abs() < 1e-7);
        assert!((ratio(65.0) - 0.125).abs() < 1e-7);
        // Halfway, 64 / 25.6 = 2.5: smooth = 0.5, so (1 + 1/8) / 2.
        assert!((ratio(25.6) - 0.5625).abs() < 1e-6);
    }

    #[test]
    fn dense_and_sparse_positions_give_the_same_rows() {
        let frequencies = Rotary::new(100.0).frequencies(6);
        let dense = gather_angles(&[0, 1, 2, 0, 1, 2], &frequencies);
        let sparse = gather_angles(&[2, 1], &frequencies);
        assert_eq!(dense.0[6..9], sparse.0[0..3]);
        assert_eq!(dense.1[3..6], sparse.1[3..6]);
        assert_eq!(gather_angles(&[], &frequencies).0.len(), 0);
    }
}
