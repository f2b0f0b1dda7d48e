//! The adapters that wgpu finds, numbered as `wgpu:N` counts them; none in a build without wgpu.

/// A device that wgpu can compute on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Adapter {
    /// Its name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// Name and version of its driver.
    pub driver: String,
    /// `vulkan`, `metal` or `dx12`.
    pub api: String,
}

/// All adapters of the interface that Burn uses here.
pub fn adapters() -> Vec<Adapter> {
    #[cfg(feature = "wgpu")]
    return genesis_kernels::wgpu::adapters().into_iter().map(Adapter::from).collect();
    #[cfg(not(feature = "wgpu"))]
    Vec::new()
}

/// The one that wgpu prefers: the device `wgpu` without a number.
pub fn preferred() -> Option<Adapter> {
    #[cfg(feature = "wgpu")]
    return genesis_kernels::wgpu::default_adapter().map(Adapter::from);
    #[cfg(not(feature = "wgpu"))]
    None
}

#[cfg(feature = "wgpu")]
impl From<genesis_kernels::wgpu::Adapter> for Adapter {
    fn from(adapter: genesis_kernels::wgpu::Adapter) -> Self {
        use genesis_kernels::wgpu::AdapterKind;

        let kind = match adapter.kind {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Software => "software",
            AdapterKind::Other => "other",
        };
        Self { name: adapter.name, kind, driver: adapter.driver, api: adapter.interface }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_adapter_is_one_of_those_there_are() {
        let all = adapters();
        assert!(all.iter().all(|it| !it.name.is_empty() && !it.api.is_empty()), "{all:?}");
        assert_eq!(preferred().is_some(), !all.is_empty());
        assert!(preferred().is_none_or(|it| all.contains(&it)), "{all:?}");
    }
}
