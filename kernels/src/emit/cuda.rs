//! An emitted kernel as CUDA, for NVRTC and for the emulator alike.

use super::print::{Language, header};
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
        let mut text = header(self);
        let threads = self.threads;
        text += "// variants       Real = float | double\n";
        let parameters: String =
            self.arrays.iter().map(|a| format!("{}, ", parameter(a))).collect();
        text += "#include \"prelude.cuh\"\n\n";
        text +=
            &format!("extern \"C\" __global__ __launch_bounds__({threads}) void {}(\n", self.name);
        text += &format!("    {parameters}u32 count) {{\n");
        if let Some(numbers) = self.shared {
            text += &format!("    __shared__ Real {SHARED}[{numbers}];\n");
        }
        text += "    const u32 thread = threadIdx.x;\n    const u32 group = blockIdx.x;\n";
        Cuda.write(&mut text, &self.body, 1);
        text + "}\n"
    }
}

fn parameter(array: &Array) -> String {
    let (kind, name) = (Cuda.kind(array.kind), array.name);
    match array.access {
        Access::Read => format!("const {kind}* __restrict__ {name}"),
        Access::Write | Access::Update => format!("{kind}* __restrict__ {name}"),
    }
}
