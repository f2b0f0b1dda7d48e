//! The global norm of all gradients, and the factor that brings them down to a largest norm.
//!
//! The sum of squares of each tensor is made on the device in a fixed order and added on the host
//! in f64, so the norm has the same bits for the same gradients; one transfer per step.

use burn::tensor::Tensor;
use genesis_kernels::Kernels;
use genesis_kernels::reduce;

/// Norms of the gradients of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientNorm {
    /// Sum of squares of each parameter's gradient, in the order of the specs.
    pub squares: Vec<f64>,
}

impl GradientNorm {
    /// Measures gradients; a gradient that is not finite anywhere has a square that is not finite.
    pub fn of<B: Kernels>(gradients: &[Tensor<B, 1>]) -> Self {
        if gradients.is_empty() {
            return Self { squares: Vec::new() };
        }
        let squares = gradients.iter().map(|g| reduce::sum_of_squares(g.clone())).collect();
        let data = Tensor::<B, 1>::cat(squares, 0).into_data().convert::<f64>();
        Self { squares: data.into_vec().expect("converted to f64 just now") }
    }

    /// `sqrt(sum of squares over all parameters)`.
    pub fn total(&self) -> f64 {
        self.squares.iter().sum::<f64>().sqrt()
    }

    /// Positions of the parameters whose gradient is not finite, or too large to be squared.
    pub fn non_finite(&self) -> Vec<usize> {
        let indexed = self.squares.iter().enumerate();
        indexed.filter(|(_, square)| !square.is_finite()).map(|(index, _)| index).collect()
    }
}

/// Factor of the gradients, `min(1, max_norm / (norm + 1e-6))`; `None` leaves them alone. The
/// update multiplies by it, so scaling costs no pass of its own.
///
/// # Source
/// The arithmetic of `torch.nn.utils.clip_grad_norm_`, the 1e-6 included.
pub fn clip_scale(norm: &GradientNorm, max_norm: Option<f64>) -> f64 {
    max_norm.map_or(1.0, |max_norm| (max_norm / (norm.total() + 1e-6)).min(1.0))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;

    use super::*;

    fn tensors(values: &[&[f32]]) -> Vec<Tensor<Cpu, 1>> {
        values.iter().map(|v| Tensor::from_floats(*v, &Device::<Cpu>::default())).collect()
    }

    #[test]
    fn the_norm_is_taken_over_all_tensors_together() {
        let norm = GradientNorm::of(&tensors(&[&[3.0], &[0.0, 4.0], &[12.0]]));
        assert!((norm.total() - 13.0).abs() < 1e-12);
    }

    #[test]
    fn clipping_scales_to_the_largest_norm_and_leaves_small_gradients_alone() {
        let norm = GradientNorm::of(&tensors(&[&[3.0], &[0.0, 4.0]]));
        let scale = |max_norm| clip_scale(&norm, max_norm);
        assert_eq!([scale(Some(6.0)), scale(None)].map(f64::to_bits), [1.0f64.to_bits(); 2]);
        assert!((5.0 * scale(Some(1.0)) - 5.0 / (5.0 + 1e-6)).abs() < 1e-15);
    }

    #[test]
    fn tensors_that_are_not_finite_are_named_by_position() {
        let gradients = tensors(&[&[1.0], &[f32::NAN, 0.0], &[f32::INFINITY], &[2.0]]);
        assert_eq!(GradientNorm::of(&gradients).non_finite(), [1, 2]);
    }
}
