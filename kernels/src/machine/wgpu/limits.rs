//! What a launch needs against what a device allows. wgpu would refuse too, but on another thread and
//! without naming the kernel.

use cubecl::ir::HardwareProperties;

use super::Shader;

/// What a launch may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) threads: u32,
    pub(crate) workgroup: [u32; 3],
    pub(crate) shared_bytes: u64,
    pub(crate) arrays: u32,
    pub(crate) array_bytes: u64,
    pub(crate) groups: [u32; 3],
}

/// A launch that the device does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kernel}: {needed} {what} are needed but this adapter allows {allowed}; \
     choose another adapter, another backend, or smaller sizes"
)]
pub(crate) struct LimitError {
    kernel: &'static str,
    what: &'static str,
    needed: u64,
    allowed: u64,
}

impl Limits {
    /// What WebGPU guarantees on every adapter, less the array that cubecl keeps back.
    /// Source: <https://www.w3.org/TR/webgpu/#limits>, column "default".
    #[cfg(test)]
    pub(crate) const GUARANTEED: Self = Self {
        threads: 256,
        workgroup: [256, 256, 64],
        shared_bytes: 16_384,
        arrays: 7,
        array_bytes: 128 << 20,
        groups: [65_535; 3],
    };

    /// Those of a device, as cubecl reports them.
    pub(crate) fn of(hardware: &HardwareProperties, array_bytes: u64) -> Self {
        let ((x, y, z), (gx, gy, gz)) = (hardware.max_cube_dim, hardware.max_cube_count);
        Self {
            threads: hardware.max_units_per_cube,
            workgroup: [x, y, z],
            shared_bytes: hardware.max_shared_memory_size as u64,
            arrays: hardware.max_bindings,
            array_bytes,
            groups: [gx, gy, gz],
        }
    }

    /// Compares everything; the first thing that does not fit is the error.
    pub(crate) fn check(
        &self,
        shader: &Shader,
        groups: [u32; 3],
        largest_array_bytes: u64,
    ) -> Result<(), LimitError> {
        let threads = shader.workgroup.iter().map(|&count| u64::from(count)).product();
        let mut needs = vec![
            ("threads of a workgroup", threads, self.threads.into()),
            ("bytes shared by a workgroup", shader.shared_bytes.into(), self.shared_bytes),
            ("arrays", shader.num_arrays.into(), self.arrays.into()),
            ("bytes of one array", largest_array_bytes, self.array_bytes),
        ];
        let mut axes = |what, needed: [u32; 3], allowed: [u32; 3]| {
            let pairs = needed.into_iter().zip(allowed);
            needs.extend(pairs.map(|(needed, allowed)| (what, needed.into(), allowed.into())));
        };
        axes("threads along one axis", shader.workgroup, self.workgroup);
        axes("workgroups along one axis", groups, self.groups);
        match needs.into_iter().find(|(_, needed, allowed)| needed > allowed) {
            Some((what, needed, allowed)) => {
                Err(LimitError { kernel: shader.entry, what, needed, allowed })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::wgpu::Source;
    use crate::machine::wgpu::shader::tests::kernel;

    #[test]
    fn each_limit_that_is_exceeded_is_named_with_both_numbers() {
        let fits = kernel(Source::file("test.wgsl", ""), 7);
        let check = |shader: &Shader, groups, bytes| {
            Limits::GUARANTEED.check(shader, groups, bytes).map_err(|error| error.to_string())
        };
        assert_eq!(check(&fits, [65_535; 3], 128 << 20), Ok(()));
        for (shader, groups, bytes, message) in [
            (
                Shader { workgroup: [256, 2, 1], ..fits.clone() },
                [1; 3],
                0,
                "512 threads of a workgroup",
            ),
            (
                Shader { workgroup: [1, 1, 65], ..fits.clone() },
                [1; 3],
                0,
                "65 threads along one axis",
            ),
            (
                Shader { shared_bytes: 16_388, ..fits.clone() },
                [1; 3],
                0,
                "16388 bytes shared by a workgroup",
            ),
            (fits.clone(), [1, 65_536, 1], 0, "65536 workgroups along one axis"),
            (fits.clone(), [1; 3], (128 << 20) + 4, "134217732 bytes of one array"),
            (Shader { num_arrays: 8, ..fits.clone() }, [1; 3], 0, "8 arrays"),
        ] {
            let error = check(&shader, groups, bytes).expect_err("it does not fit");
            assert!(error.starts_with(&format!("kernel: {message} are needed but")), "{error}");
        }
    }
}
