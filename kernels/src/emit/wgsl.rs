//! An emitted kernel as WGSL, in f32.

use super::print::{Language, header};
use super::syntax::{Array, Kernel, Kind, SHARED};

struct Wgsl;

impl Language for Wgsl {
    fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Real => "f32",
            Kind::Whole | Kind::Place => "u32",
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "WGSL computes in f32")]
    fn real(&self, value: f64) -> String {
        format!("{:?}f", value as f32)
    }

    fn place(&self, of: &str) -> String {
        format!("u32({of})")
    }

    fn select(&self, condition: &str, yes: &str, no: &str) -> String {
        format!("select({no}, {yes}, {condition})")
    }

    fn constant(&self, kind: Kind, name: &str, value: &str) -> String {
        format!("let {name}: {} = {value};", self.kind(kind))
    }

    fn variable(&self, kind: Kind, name: &str, value: &str) -> String {
        format!("var {name}: {} = {value};", self.kind(kind))
    }

    fn counter(&self, name: &str, first: &str) -> String {
        format!("var {name} = {first}")
    }

    fn barrier(&self) -> &'static str {
        "workgroupBarrier()"
    }
}

impl Kernel {
    /// The source text.
    pub(crate) fn wgsl(&self) -> String {
        let mut text = header(self);
        let threads = self.threads;
        text += "struct Params {\n    count: u32, // offset 0\n}\n\n";
        for (binding, array) in self.arrays.iter().enumerate() {
            text += &declaration(binding, array);
        }
        let binding = self.arrays.len();
        text += &format!("@group(0) @binding({binding}) var<uniform> params: Params;\n");
        if let Some(numbers) = self.shared {
            text += &format!("var<workgroup> {SHARED}: array<f32, {numbers}>;\n");
        }
        text += &format!("\n@compute @workgroup_size({threads})\nfn {}(\n", self.name);
        text += "    @builtin(local_invocation_index) thread: u32,\n";
        text += "    @builtin(workgroup_id) group_id: vec3<u32>,\n";
        text += "    @builtin(num_workgroups) num_groups: vec3<u32>,\n) {\n";
        text += "    let group = group_id.x + group_id.y * num_groups.x;\n";
        text += "    let count = params.count;\n";
        Wgsl.write(&mut text, &self.body, 1);
        text + "}\n"
    }
}

/// All of them `read_write`: see [`crate::wgpu`].
fn declaration(binding: usize, array: &Array) -> String {
    let of = format!("{}: array<{}>", array.name, Wgsl.kind(array.kind));
    format!("@group(0) @binding({binding}) var<storage, read_write> {of};\n")
}
