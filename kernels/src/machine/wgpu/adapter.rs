//! Which adapters wgpu finds on this machine, and the one that Burn's default device is.

use ::wgpu::{Backends, DeviceType, Instance, InstanceDescriptor, PowerPreference};
use cubecl::future::block_on;
use cubecl::wgpu::{AutoGraphicsApi, GraphicsApi, WgpuDevice};

/// What an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the memory of the processor.
    Integrated,
    /// A GPU of a virtual machine.
    Virtual,
    /// The processor, through a software driver such as Mesa's llvmpipe.
    Software,
    /// The driver does not say.
    Other,
}

/// An adapter and what a kernel may use on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// As its driver names it.
    pub name: String,
    /// Driver and its version.
    pub driver: String,
    /// Graphics interface it is reached through: `vulkan`, `metal`, `dx12`.
    pub interface: String,
    /// What it is.
    pub kind: AdapterKind,
    /// The device of Burn's backend on it; `None` when only the default device reaches it.
    pub device: Option<WgpuDevice>,
    /// Threads of one workgroup.
    pub max_threads: u32,
    /// Bytes that a workgroup shares.
    pub max_shared_bytes: u32,
    /// Bytes of one array.
    pub max_array_bytes: u64,
    /// Arrays of one kernel.
    pub max_arrays: u32,
    /// Workgroups along one axis.
    pub max_groups: u32,
}

/// All adapters of the interface that Burn's backend uses on this system.
pub fn adapters() -> Vec<Adapter> {
    let found = block_on(instance().enumerate_adapters(backends()));
    let mut seen = [0; 4];
    found.iter().map(|adapter| Adapter::of(adapter, &mut seen)).collect()
}

/// The adapter of `WgpuDevice::DefaultDevice`; `None` when there is none at all, in which case using
/// that device would end the program. Not read here: `CUBECL_WGPU_DEFAULT_DEVICE`, with which cubecl
/// lets a user name another one.
pub fn default_adapter() -> Option<Adapter> {
    let options = ::wgpu::RequestAdapterOptions {
        power_preference: PowerPreference::HighPerformance,
        ..Default::default()
    };
    let adapter = block_on(instance().request_adapter(&options)).ok()?;
    let mut found = Adapter::of(&adapter, &mut [0; 4]);
    found.device = Some(WgpuDevice::DefaultDevice);
    Some(found)
}

fn backends() -> Backends {
    AutoGraphicsApi::backend().into()
}

fn instance() -> Instance {
    let backends = backends();
    Instance::new(InstanceDescriptor {
        backends,
        ..InstanceDescriptor::new_without_display_handle()
    })
}

impl Adapter {
    /// `seen` counts the adapters of each kind so far: cubecl numbers devices within their kind.
    fn of(adapter: &::wgpu::Adapter, seen: &mut [usize; 4]) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let (kind, slot) = match info.device_type {
            DeviceType::DiscreteGpu => (AdapterKind::Discrete, Some(0)),
            DeviceType::IntegratedGpu => (AdapterKind::Integrated, Some(1)),
            DeviceType::VirtualGpu => (AdapterKind::Virtual, Some(2)),
            DeviceType::Cpu => (AdapterKind::Software, Some(3)),
            DeviceType::Other => (AdapterKind::Other, None),
        };
        let device = slot.and_then(|slot| {
            let number = seen[slot];
            seen[slot] += 1;
            device(kind, number)
        });
        Self {
            name: info.name,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            interface: info.backend.to_string(),
            kind,
            device,
            max_threads: limits.max_compute_invocations_per_workgroup,
            max_shared_bytes: limits.max_compute_workgroup_storage_size,
            max_array_bytes: limits.max_storage_buffer_binding_size,
            // cubecl keeps one back.
            max_arrays: limits.max_storage_buffers_per_shader_stage.saturating_sub(1),
            max_groups: limits.max_compute_workgroups_per_dimension,
        }
    }
}

/// Burn's device for the adapter with this number within its kind.
fn device(kind: AdapterKind, number: usize) -> Option<WgpuDevice> {
    match kind {
        AdapterKind::Discrete => Some(WgpuDevice::DiscreteGpu(number)),
        AdapterKind::Integrated => Some(WgpuDevice::IntegratedGpu(number)),
        AdapterKind::Virtual => Some(WgpuDevice::VirtualGpu(number)),
        // cubecl reaches the first alone.
        AdapterKind::Software => (number == 0).then_some(WgpuDevice::Cpu),
        AdapterKind::Other => None,
    }
}
