//! Kernels made from a table (`emit`) as shaders: what the host has to know of them is in their
//! description.

use super::launch::spread;
use super::{Array, Shader, Source, count, params};
use crate::machine::emit::Kernel;

params! {
    /// Of every such kernel.
    EmittedParams { count: u32 }
}

/// The kernel as a shader; make it once and clone it.
pub(crate) fn emitted(kernel: &Kernel) -> Shader {
    let source = Source::emitted(kernel.name, kernel.wgsl());
    let shader = Shader::new::<EmittedParams>(source, kernel.name, count(kernel.arrays.len()));
    shader.workgroup([kernel.threads, 1, 1]).shared(4 * kernel.shared.unwrap_or_default())
}

/// Launches such a kernel over `groups` groups for `of` of what it counts.
pub(crate) fn launch_emitted(shader: &Shader, arrays: &[&Array], of: usize, groups: usize) {
    shader.launch(arrays, &EmittedParams { count: count(of) }, spread(groups));
}
