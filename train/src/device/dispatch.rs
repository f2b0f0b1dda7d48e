//! The one place where a choice of device becomes a backend.
//!
//! Work that runs on any device is an [`OnDevice`]; [`on_device`] looks whether the device is there
//! and calls it with the type of that backend.

use genesis_kernels::{Cpu, Kernels};

use super::choice::DeviceChoice;

/// Work that is written for any backend.
pub trait OnDevice {
    /// What comes of it.
    type Output;

    /// Does it on `device` of the backend `B`.
    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output;
}

/// Whose kernels compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelChoice {
    /// Those that the backend has, and the references for all other operations.
    #[default]
    Own,
    /// The references alone, composed of Burn operations: what ours are measured against. On CUDA.
    Reference,
}

/// Why nothing could be computed on a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The program lacks the backend.
    #[error(
        "device {device}: this program was built without it; build with \
         `cargo build --release -p genesis --features {feature}`, or use the device cpu"
    )]
    NotBuilt {
        /// What was asked for.
        device: DeviceChoice,
        /// The feature of the build.
        feature: &'static str,
    },
    /// The machine lacks the device.
    #[error(
        "device {device}: not there; found: {found}. `genesis doctor` says more; the device cpu \
         is always there"
    )]
    Absent {
        /// What was asked for.
        device: DeviceChoice,
        /// What is there instead.
        found: String,
    },
    /// It is there, but our kernels cannot run on it.
    #[error("device {device}: {because}. `genesis doctor` says how to get what is missing")]
    Unusable {
        /// What was asked for.
        device: DeviceChoice,
        /// What is missing or failed.
        because: String,
    },
    /// There is no second implementation of the references for this backend.
    #[error(
        "device {device}: the references can be chosen on cuda only; without that choice every \
         operation without a kernel of its own is computed by its reference"
    )]
    NoReferences {
        /// What was asked for.
        device: DeviceChoice,
    },
    /// A number type is missing.
    #[error(
        "device {device}: it computes in 32 bits, but {what} is in 64; use the device cpu or cuda"
    )]
    NoF64 {
        /// What was asked for.
        device: DeviceChoice,
        /// What is in 64 bits.
        what: String,
    },
}

/// Refuses a device that the program or the machine lacks, before anything else is done.
///
/// # Errors
/// [`DeviceError`].
pub fn require(choice: DeviceChoice) -> Result<(), DeviceError> {
    struct Nothing;
    impl OnDevice for Nothing {
        type Output = ();
        fn run<B: Kernels>(self, _device: &B::Device) {}
    }
    on_device(choice, KernelChoice::Own, Nothing)
}

/// Does `work` on the device `choice`.
///
/// # Errors
/// [`DeviceError`] when the program or the machine lacks it; `work` is then not begun.
pub fn on_device<W: OnDevice>(
    choice: DeviceChoice,
    kernels: KernelChoice,
    work: W,
) -> Result<W::Output, DeviceError> {
    if kernels == KernelChoice::Reference && !matches!(choice, DeviceChoice::Cuda { .. }) {
        return Err(DeviceError::NoReferences { device: choice });
    }
    match choice {
        DeviceChoice::Cpu => Ok(work.run::<Cpu>(&burn::tensor::Device::<Cpu>::default())),
        DeviceChoice::Cuda { ordinal } => cuda(choice, ordinal, kernels, work),
        DeviceChoice::Wgpu { ordinal } => wgpu(choice, ordinal, work),
    }
}

#[cfg(feature = "cuda")]
fn cuda<W: OnDevice>(
    choice: DeviceChoice,
    ordinal: usize,
    kernels: KernelChoice,
    work: W,
) -> Result<W::Output, DeviceError> {
    use burn::tensor::backend::{Device as _, DeviceId};
    use genesis_kernels::cuda::{CudaError, device_facts};
    use genesis_kernels::{Cuda, PlainCuda};

    let absent = |found| DeviceError::Absent { device: choice, found };
    let driver = super::nvidia::driver().map_err(|missing| absent(missing.to_string()))?;
    let id = u16::try_from(ordinal).ok().filter(|_| ordinal < driver.gpus.len());
    let Some(id) = id else {
        let named = driver.gpus.iter().enumerate();
        let named: Vec<_> = named.map(|(at, gpu)| format!("cuda:{at} {}", gpu.name)).collect();
        return Err(absent(named.join(", ")));
    };
    if kernels == KernelChoice::Own {
        let unusable =
            |error: CudaError| DeviceError::Unusable { device: choice, because: error.to_string() };
        device_facts(ordinal).map_err(unusable)?;
    }
    let device = burn::tensor::Device::<Cuda>::from_id(DeviceId::new(0, id));
    Ok(match kernels {
        KernelChoice::Own => work.run::<Cuda>(&device),
        KernelChoice::Reference => work.run::<PlainCuda>(&device),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda<W: OnDevice>(
    device: DeviceChoice,
    _ordinal: usize,
    _kernels: KernelChoice,
    _work: W,
) -> Result<W::Output, DeviceError> {
    Err(DeviceError::NotBuilt { device, feature: "cuda" })
}

#[cfg(feature = "wgpu")]
fn wgpu<W: OnDevice>(
    choice: DeviceChoice,
    ordinal: Option<usize>,
    work: W,
) -> Result<W::Output, DeviceError> {
    use genesis_kernels::Wgpu;
    use genesis_kernels::wgpu::{adapters, default_adapter};

    let chosen = match ordinal {
        None => default_adapter(),
        Some(ordinal) => adapters().into_iter().nth(ordinal),
    };
    let Some(device) = chosen.and_then(|adapter| adapter.device) else {
        let all = adapters();
        let named = all.iter().enumerate().map(|(at, it)| format!("wgpu:{at} {}", it.name));
        let found = named.collect::<Vec<_>>().join(", ");
        let none = "no adapter, or no Vulkan loader";
        let found = if found.is_empty() { none.to_owned() } else { found };
        return Err(DeviceError::Absent { device: choice, found });
    };
    Ok(work.run::<Wgpu>(&device))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu<W: OnDevice>(
    device: DeviceChoice,
    _ordinal: Option<usize>,
    _work: W,
) -> Result<W::Output, DeviceError> {
    Err(DeviceError::NotBuilt { device, feature: "wgpu" })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;

    /// Adds 1 to 41 and names the backend.
    struct Add;

    impl OnDevice for Add {
        type Output = (f32, String);

        fn run<B: Kernels>(self, device: &B::Device) -> (f32, String) {
            let sum = Tensor::<B, 1>::from_floats([41.0], device).add_scalar(1.0);
            (sum.into_data().iter::<f32>().sum(), B::name(device))
        }
    }

    fn run(text: &str, kernels: KernelChoice) -> Result<(f32, String), String> {
        on_device(text.parse().unwrap(), kernels, Add).map_err(|error| error.to_string())
    }

    #[test]
    fn the_processor_is_always_there() {
        let (sum, name) = run("cpu", KernelChoice::Own).unwrap();
        assert_eq!((sum.to_bits(), name.as_str()), (42f32.to_bits(), "flex"));
        let refused = run("cpu", KernelChoice::Reference).unwrap_err();
        assert!(refused.contains("on cuda only"), "{refused}");
    }

    #[test]
    fn a_device_that_was_not_built_in_names_the_feature_to_build_with() {
        let device = DeviceChoice::Wgpu { ordinal: None };
        let refused = DeviceError::NotBuilt { device, feature: "wgpu" }.to_string();
        assert!(
            refused.contains("device wgpu") && refused.contains("--features wgpu"),
            "{refused}"
        );
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_that_is_absent_is_refused_with_what_was_found() {
        let refused = run("cuda:4096", KernelChoice::Own).unwrap_err();
        assert!(refused.contains("cuda:4096: not there; found: "), "{refused}");
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn the_preferred_adapter_computes_and_an_absent_one_is_refused_with_those_there_are() {
        let refused = run("wgpu:4096", KernelChoice::Own).unwrap_err();
        assert!(refused.contains("found: "), "{refused}");
        if crate::device::adapters::adapters().is_empty() {
            println!("SKIPPED: no wgpu adapter");
            return;
        }
        assert!(refused.contains("wgpu:0 "), "{refused}");
        for device in ["wgpu", "wgpu:0"] {
            assert_eq!(run(device, KernelChoice::Own).unwrap().0.to_bits(), 42f32.to_bits());
        }
    }
}
