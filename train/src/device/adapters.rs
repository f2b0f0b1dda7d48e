//! The adapters that wgpu finds, numbered as `wgpu:N` counts them.
//!
//! Burn asks for an adapter by its kind and its place among those of that kind, and stops the
//! program when there is none; so they are listed here first.

/// A device that wgpu can compute on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Adapter {
    /// Its name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// Name and version of its driver.
    pub driver: String,
    /// `Vulkan`, `Metal` or `Dx12`.
    pub api: String,
}

/// All adapters of the API that Burn uses here; none in a build without wgpu.
pub fn adapters() -> Vec<Adapter> {
    #[cfg(feature = "wgpu")]
    return listed::adapters();
    #[cfg(not(feature = "wgpu"))]
    Vec::new()
}

#[cfg(feature = "wgpu")]
mod listed {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use wgpu::{Backend, Backends, DeviceType, Instance, InstanceDescriptor};

    use super::Adapter;

    /// Where Burn looks: Metal on macOS, Vulkan elsewhere.
    const API: Backend = if cfg!(target_os = "macos") { Backend::Metal } else { Backend::Vulkan };

    /// Those of this machine.
    pub(super) fn adapters() -> Vec<Adapter> {
        let instance = Instance::new(InstanceDescriptor {
            backends: Backends::from(API),
            ..InstanceDescriptor::new_without_display_handle()
        });
        // On native platforms the list is made at once; only a browser would have to be waited for.
        let future = pin!(instance.enumerate_adapters(API.into()));
        let Poll::Ready(found) = future.poll(&mut Context::from_waker(Waker::noop())) else {
            return Vec::new();
        };
        found.iter().map(|adapter| describe(adapter.get_info())).collect()
    }

    fn describe(info: wgpu::AdapterInfo) -> Adapter {
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "other",
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        Adapter { name: info.name, kind, driver, api: format!("{:?}", info.backend) }
    }
}

/// Burn's number of a kind, and the place among the adapters of that kind, of adapter `ordinal`.
#[cfg(any(feature = "wgpu", test))]
pub(super) fn burn_id(all: &[Adapter], ordinal: usize) -> Option<(u16, u16)> {
    let kind = all.get(ordinal)?.kind;
    let before = all[..ordinal].iter().filter(|it| it.kind == kind).count();
    let place = u16::try_from(before).ok()?;
    // `WgpuDevice::to_id` of cubecl 0.10. It has one place for software, and puts what is none of
    // the four kinds behind discrete ones that are not there.
    match kind {
        "discrete" => Some((0, place)),
        "integrated" => Some((1, place)),
        "virtual" => Some((2, place)),
        "software" => (before == 0).then_some((3, 0)),
        _ => all.iter().all(|it| it.kind != "discrete").then_some((0, place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kinds: &[&'static str]) -> Vec<Adapter> {
        let text = String::new;
        kinds
            .iter()
            .map(|&kind| Adapter { name: text(), kind, driver: text(), api: text() })
            .collect()
    }

    #[test]
    fn an_ordinal_counts_all_kinds_and_burn_counts_each() {
        let all = list(&["integrated", "discrete", "discrete", "software", "software"]);
        let ids: Vec<_> = (0..6).map(|at| burn_id(&all, at)).collect();
        assert_eq!(ids, [Some((1, 0)), Some((0, 0)), Some((0, 1)), Some((3, 0)), None, None]);
    }

    #[test]
    fn an_adapter_of_no_kind_is_reached_only_where_no_discrete_one_stands_before_it() {
        assert_eq!(burn_id(&list(&["other", "other"]), 1), Some((0, 1)));
        assert_eq!(burn_id(&list(&["other", "discrete"]), 0), None);
    }

    #[test]
    fn every_adapter_of_this_machine_has_a_name() {
        assert!(adapters().iter().all(|it| !it.name.is_empty() && !it.api.is_empty()));
    }
}
