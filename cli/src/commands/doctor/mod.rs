//! `genesis doctor`: what this machine offers and what is missing.
//!
//! Nothing that is absent is an error here: the answer is what is there, and how to get the rest.

mod libraries;
mod machine;

use genesis_train::device::adapters::{Adapter, adapters};
use genesis_train::device::nvidia::{self, Gpu};
use serde::Serialize;

use crate::console;
use crate::exit::Code;
use libraries::{Found, find_all};
use machine::Machine;

/// Show what this machine offers.
///
/// Processor, SIMD, memory, a measured rate of matrix products; GPUs, the libraries they need and
/// where those lie, the adapters of wgpu; what is missing and how to get it. Run it first on a new
/// machine, and put its output into any report about speed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Facts {
    version: &'static str,
    /// Devices beside the CPU that this program was built with.
    built_with: Vec<&'static str>,
    #[serde(flatten)]
    machine: Machine,
    libraries: Vec<Found>,
    gpus: Vec<Gpu>,
    /// Of the driver, 13000 for 13.0.
    cuda_version: Option<i32>,
    /// Why there are no GPUs.
    no_gpu: Option<String>,
    adapters: Vec<Adapter>,
    /// What `run.device` may name here.
    devices: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let facts = gather();
    if args.json {
        console::result(serde_json::to_string(&facts)?);
        return Ok(Code::Done);
    }
    let built = match facts.built_with.as_slice() {
        [] => "built with neither cuda nor wgpu".to_owned(),
        features => format!("built with {}", features.join(" and ")),
    };
    line("genesis", &format!("{}, {built}", facts.version));
    facts.machine.lines().iter().for_each(|(name, value)| line(name, value));
    facts.libraries.iter().for_each(|found| line(found.title, &found.line()));
    gpus_of_cuda(&facts);
    gpus_of_wgpu(&facts);
    line("devices", &facts.devices.join(", "));
    let advice: Vec<String> = advice(&facts);
    if !advice.is_empty() {
        console::result("\nmissing, and needed for what stands in brackets only:");
        for it in &advice {
            console::result(format!("  {it}"));
        }
    }
    Ok(Code::Done)
}

fn line(name: &str, value: &str) {
    console::result(format!("{name:<16}{value}"));
}

fn gpus_of_cuda(facts: &Facts) {
    if let Some(version) = facts.cuda_version {
        line("CUDA", &format!("{}.{} at most, by the driver", version / 1000, version % 1000 / 10));
    }
    for (at, gpu) in facts.gpus.iter().enumerate() {
        let (major, minor) = gpu.compute_capability;
        let memory = console::bytes(gpu.memory_bytes);
        let value = format!("{}, {memory}, compute capability {major}.{minor}", gpu.name);
        line(&format!("GPU cuda:{at}"), &value);
    }
    if let Some(reason) = &facts.no_gpu {
        line("GPUs of CUDA", reason);
    }
}

fn gpus_of_wgpu(facts: &Facts) {
    for (at, it) in facts.adapters.iter().enumerate() {
        let Adapter { name, kind, driver, api } = it;
        line(&format!("GPU wgpu:{at}"), &format!("{name}, {kind}, {api}, {driver}"));
    }
    if facts.adapters.is_empty() {
        let reason = if cfg!(feature = "wgpu") { "none" } else { "unknown: built without wgpu" };
        line("GPUs of wgpu", reason);
    }
}

/// What to do about what is missing.
fn advice(facts: &Facts) -> Vec<String> {
    let absent = ["cuda", "wgpu"].into_iter().filter(|name| !facts.built_with.contains(name));
    let absent = absent.map(|name| {
        format!("this program (device {name}): cargo build --release -p genesis --features {name}")
    });
    absent.chain(facts.libraries.iter().filter_map(Found::advice)).collect()
}

fn gather() -> Facts {
    let built_with = [("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))];
    let built_with: Vec<_> = built_with.into_iter().filter(|it| it.1).map(|it| it.0).collect();
    let (gpus, cuda_version, no_gpu) = match nvidia::driver() {
        Ok(driver) => (driver.gpus, Some(driver.cuda_version), None),
        Err(reason) => (Vec::new(), None, Some(reason.to_string())),
    };
    let adapters = adapters();
    let mut devices = vec!["cpu".to_owned()];
    if cfg!(feature = "cuda") {
        devices.extend((0..gpus.len()).map(|at| format!("cuda:{at}")));
    }
    devices.extend((0..adapters.len()).map(|at| format!("wgpu:{at}")));
    Facts {
        version: env!("CARGO_PKG_VERSION"),
        built_with,
        machine: Machine::gather(),
        libraries: find_all(),
        gpus,
        cuda_version,
        no_gpu,
        adapters,
        devices,
    }
}
