//! The option `--device` of commands that compute.

use burn::tensor::FloatDType;
use genesis_train::device::adapters::{adapters, preferred};
use genesis_train::device::nvidia::driver;
use genesis_train::device::{DeviceChoice, DeviceError, KernelChoice, OnDevice, on_device};

use crate::exit::{Code, OrExit};

/// Where a command computes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Where it is computed: cpu, cuda:0 or wgpu, or another number after a colon
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Cpu)]
    pub(crate) device: DeviceChoice,
}

impl DeviceArgs {
    /// Does `work` there.
    pub(crate) fn run<T>(
        self,
        work: impl OnDevice<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        on_device(self.device, KernelChoice::Own, work).or_exit(Code::Usage)?
    }

    /// What it is called: the choice, and the name of the GPU where it is known.
    pub(crate) fn name(self) -> String {
        let known = match self.device {
            DeviceChoice::Cuda { ordinal } => {
                let gpu = driver().ok().and_then(|driver| driver.gpus.into_iter().nth(ordinal));
                gpu.map(|gpu| gpu.name)
            }
            DeviceChoice::Wgpu { ordinal } => {
                let found = ordinal.map_or_else(preferred, |at| adapters().into_iter().nth(at));
                found.map(|adapter| adapter.name)
            }
            DeviceChoice::Cpu => None,
        };
        known.map_or_else(|| self.device.to_string(), |name| format!("{}, {name}", self.device))
    }

    /// Refuses a network in 64 bits where there are 32.
    pub(crate) fn require_dtype(self, dtype: FloatDType, what: &str) -> anyhow::Result<()> {
        if dtype == FloatDType::F64 && !self.device.has_f64() {
            let error = DeviceError::NoF64 { device: self.device, what: what.to_owned() };
            return Err(error).or_exit(Code::Usage);
        }
        Ok(())
    }
}
