//! The adapter of tests that need wgpu, or the line that says they did not run.

use burn::tensor::Device;
use genesis_kernels::Wgpu;
use genesis_train::device::adapters::adapters;

/// The adapter that wgpu prefers.
///
/// # Panics
/// Without one when `REQUIRE_DEVICE` names wgpu.
#[expect(clippy::print_stdout, reason = "`cargo xtask check` counts these lines")]
pub(crate) fn adapter() -> Option<Device<Wgpu>> {
    if !adapters().is_empty() {
        return Some(Device::<Wgpu>::default());
    }
    let required = std::env::var_os("REQUIRE_DEVICE").unwrap_or_default();
    assert!(!required.to_string_lossy().contains("wgpu"), "REQUIRE_DEVICE: no wgpu adapter");
    println!("SKIPPED: no wgpu adapter");
    None
}
