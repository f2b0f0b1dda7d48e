//! An emitted kernel as WGSL, in f32.

use super::print::{Language, header, text};
use super::syntax::{Array, Function, Kernel, Kind, SHARED};

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

    /// Beyond WGSL's own, those of `wgpu/functions.wgsl`.
    fn function(&self, function: Function) -> &'static str {
        match function {
            Function::MulAdd => "fma",
            Function::Min => "min",
            Function::Exp => "exp",
            Function::Logistic => "logistic",
            Function::Erf => "erf",
            Function::Tanh => "tanh_by_exp",
            Function::TanhSlope => "tanh_slope",
        }
    }
}

impl Kernel {
    /// The source text.
    pub(crate) fn wgsl(&self) -> String {
        let mut lines = header(self);
        lines
            .extend(["struct Params {", "    count: u32, // offset 0", "}", ""].map(str::to_owned));
        lines.extend(self.arrays.iter().enumerate().map(declaration));
        let binding = self.arrays.len();
        lines.push(format!("@group(0) @binding({binding}) var<uniform> params: Params;"));
        lines.extend(self.shared.map(|n| format!("var<workgroup> {SHARED}: array<f32, {n}>;")));
        lines.extend([
            String::new(),
            format!("@compute @workgroup_size({})", self.threads),
            format!("fn {}(", self.name),
        ]);
        lines.extend(BUILT_IN.map(str::to_owned));
        Wgsl.write(&mut lines, &self.body, 1);
        lines.push("}".to_owned());
        text(&lines)
    }
}

/// The names that every kernel knows.
const BUILT_IN: [&str; 6] = [
    "    @builtin(local_invocation_index) thread: u32,",
    "    @builtin(workgroup_id) group_id: vec3<u32>,",
    "    @builtin(num_workgroups) num_groups: vec3<u32>,",
    ") {",
    "    let group = group_id.x + group_id.y * num_groups.x;",
    "    let count = params.count;",
];

/// All of them `read_write`: see [`crate::machine::wgpu`].
fn declaration((binding, array): (usize, &Array)) -> String {
    let of = format!("{}: array<{}>", array.name, Wgsl.kind(array.kind));
    format!("@group(0) @binding({binding}) var<storage, read_write> {of};")
}
