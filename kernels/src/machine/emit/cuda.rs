//! An emitted kernel as CUDA, for NVRTC and for the emulator alike.

use super::print::{Language, header, text};
use super::syntax::{Access, Array, Kernel, Kind, SHARED};

struct Cuda;

impl Language for Cuda {
    fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Real => "Real",
            Kind::Whole => "u32",
            Kind::Place => "u64",
        }
    }

    fn real(&self, value: f64) -> String {
        format!("Real({value:?})")
    }

    fn place(&self, of: &str) -> String {
        format!("u64({of})")
    }

    fn select(&self, condition: &str, yes: &str, no: &str) -> String {
        format!("({condition} ? {yes} : {no})")
    }

    fn constant(&self, kind: Kind, name: &str, value: &str) -> String {
        format!("const {} {name} = {value};", self.kind(kind))
    }

    fn variable(&self, kind: Kind, name: &str, value: &str) -> String {
        format!("{} {name} = {value};", self.kind(kind))
    }

    fn counter(&self, name: &str, first: &str) -> String {
        format!("u32 {name} = {first}")
    }

    fn barrier(&self) -> &'static str {
        "__syncthreads()"
    }
}

impl Kernel {
    /// The source text, with the macro `Real` for the precision.
    pub(crate) fn cuda(&self) -> String {
        let (threads, name) = (self.threads, self.name);
        let mut parameters: Vec<String> = self.arrays.iter().map(parameter).collect();
        parameters.push("u32 count".to_owned());
        let mut lines = header(self);
        lines.extend([
            "// variants       Real = float | double".to_owned(),
            "#include \"prelude.cuh\"".to_owned(),
            String::new(),
            format!("extern \"C\" __global__ __launch_bounds__({threads}) void {name}("),
            format!("    {}) {{", parameters.join(", ")),
        ]);
        lines.extend(self.shared.map(|n| format!("    __shared__ Real {SHARED}[{n}];")));
        lines.push("    const u32 thread = threadIdx.x;".to_owned());
        lines.push("    const u32 group = blockIdx.x;".to_owned());
        Cuda.write(&mut lines, &self.body, 1);
        lines.push("}".to_owned());
        text(&lines)
    }
}

fn parameter(array: &Array) -> String {
    let (kind, name) = (Cuda.kind(array.kind), array.name);
    match array.access {
        Access::Read => format!("const {kind}* __restrict__ {name}"),
        Access::Write | Access::Update => format!("{kind}* __restrict__ {name}"),
    }
}
