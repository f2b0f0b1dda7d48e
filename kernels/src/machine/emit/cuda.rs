//! An emitted kernel as CUDA, for NVRTC and for the emulator alike.

use super::formula::{THREADS, Written, of_place};
use super::print::{Language, header, text};
use super::syntax::{Access, Array, Expr, Function, Kernel, Kind, SHARED};

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

    /// Beyond CUDA's own, those of `cuda/prelude.cuh`.
    fn function(&self, function: Function) -> &'static str {
        match function {
            Function::MulAdd => "fma",
            Function::Min => "fmin",
            Function::Exp => "exp",
            Function::Logistic => "logistic",
            Function::Erf => "erf",
            Function::Tanh => "tanh",
            Function::TanhSlope => "tanh_slope",
        }
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

impl Written {
    /// The source text: a thread takes a pack of four, which is one access where its address allows.
    pub(crate) fn cuda(&self) -> String {
        let kernel = Kernel {
            launch: format!("{THREADS} threads of four numbers each, grid ceil(count / {FOURS})"),
            ..self.kernel()
        };
        let mut parameters: Vec<String> = kernel.arrays.iter().map(parameter).collect();
        parameters.push("u64 count".to_owned());
        let mut lines = header(&kernel);
        lines.extend([
            "// variants       Real = float | double".to_owned(),
            "#include \"prelude.cuh\"".to_owned(),
            String::new(),
            "typedef Pack4<Real>::Type Pack;".to_owned(),
            String::new(),
            format!("extern \"C\" __global__ __launch_bounds__({THREADS}) void {}(", self.name),
            format!("    {}) {{", parameters.join(", ").replace("__restrict__ ", "")),
            format!("    const u64 at = 4 * (u64(blockIdx.x) * {THREADS} + threadIdx.x);"),
        ]);
        let load = |x: &&str| format!("    const Pack {x}_4 = load4_within({x}, at, count);");
        lines.extend(self.inputs.iter().map(load));
        lines.extend(self.outputs.iter().map(|(y, _)| format!("    Pack {y}_4;")));
        lines.push("    for (u32 i = 0; i < 4; ++i) {".to_owned());
        let number = |x: &&str| format!("        const Real {} = {x}_4.at[i];", of_place(x));
        lines.extend(self.inputs.iter().map(number));
        Cuda.write(&mut lines, &self.lines, 2);
        let result = |(y, value): &(&str, Expr)| {
            format!("        {y}_4.at[i] = {};", Cuda.expression(value))
        };
        lines.extend(self.outputs.iter().map(result));
        lines.push("    }".to_owned());
        let store = |(y, _): &(&str, Expr)| format!("    store4_within({y}, at, count, {y}_4);");
        lines.extend(self.outputs.iter().map(store));
        lines.push("}".to_owned());
        text(&lines)
    }
}

/// Numbers of a block of packs of four.
pub(crate) const FOURS: u32 = 4 * THREADS;

fn parameter(array: &Array) -> String {
    let (kind, name) = (Cuda.kind(array.kind), array.name);
    match array.access {
        Access::Read => format!("const {kind}* __restrict__ {name}"),
        Access::Write | Access::Update => format!("{kind}* __restrict__ {name}"),
    }
}
