//! What an operation must do at least: arithmetic and memory traffic, counted by hand per family.
//!
//! A time measured by a bench divided into this gives achieved rates; a rate above a ceiling is
//! a finding about the model, so nothing is clamped. Not here: ceilings of devices.

/// Arithmetic and memory traffic of one call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Floating point operations; a fused multiply-add counts two, a transcendental one.
    pub flops: f64,
    /// Bytes read plus written when every operand crosses memory once.
    pub bytes: f64,
}

impl Work {
    /// Work of `flops` operations on `elements` numbers of `element_bytes` bytes each.
    pub fn new(flops: f64, elements: f64, element_bytes: usize) -> Self {
        Self { flops, bytes: elements * element_bytes as f64 }
    }

    /// Operations per byte: below a device's ratio of peaks, memory is the bound.
    pub fn intensity(&self) -> f64 {
        self.flops / self.bytes
    }

    /// Seconds no implementation can beat on a device of `flops_per_s` and `bytes_per_s`.
    pub fn lower_bound_s(&self, flops_per_s: f64, bytes_per_s: f64) -> f64 {
        (self.flops / flops_per_s).max(self.bytes / bytes_per_s)
    }
}

impl std::ops::Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_compute_and_memory_bounds_the_time() {
        let work = Work::new(100.0, 10.0, 4);
        assert!((work.lower_bound_s(10.0, 1.0) - 40.0).abs() < 1e-12);
        assert!((work.lower_bound_s(1.0, 1.0) - 100.0).abs() < 1e-12);
        assert!((work.intensity() - 2.5).abs() < 1e-12);
    }
}
