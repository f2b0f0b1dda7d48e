//! `genesis doctor`: what this machine offers and what is missing.

use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use genesis_kernels::Cpu;
use serde::Serialize;

use crate::console;
use crate::exit::Code;

/// Show what this machine offers.
///
/// Processor, SIMD, memory, and a measured rate of matrix products. Run it first on a new
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
    processor: String,
    cores: usize,
    threads: usize,
    simd: Vec<&'static str>,
    memory_total_bytes: Option<u64>,
    memory_available_bytes: Option<u64>,
    matmul_f32_gflops: f64,
    devices: Vec<&'static str>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let facts = gather();
    if args.json {
        console::result(serde_json::to_string(&facts)?);
        return Ok(Code::Done);
    }
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), console::bytes);
    let simd = if facts.simd.is_empty() { "none found".to_owned() } else { facts.simd.join(", ") };
    for (name, value) in [
        ("genesis", facts.version.to_owned()),
        ("processor", facts.processor.clone()),
        ("cores, threads", format!("{}, {}", facts.cores, facts.threads)),
        ("SIMD", simd),
        ("memory", memory(facts.memory_total_bytes)),
        ("available", memory(facts.memory_available_bytes)),
        ("matmul f32", format!("{:.0} GFLOP/s (1024 x 1024, best of 5)", facts.matmul_f32_gflops)),
        ("devices", facts.devices.join(", ")),
    ] {
        console::result(format!("{name:<16}{value}"));
    }
    Ok(Code::Done)
}

fn gather() -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION"),
        processor: processor_name(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        simd: simd_features(),
        memory_total_bytes: memory_field("MemTotal:"),
        memory_available_bytes: memory_field("MemAvailable:"),
        matmul_f32_gflops: matmul_gflops(),
        devices: vec!["cpu"],
    }
}

fn processor_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH))
}

/// Kilobytes after `field` in /proc/meminfo, in bytes; `None` where there is no such file.
fn memory_field(field: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(target_arch = "x86_64")]
fn simd_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    if is_x86_feature_detected!("avx2") {
        found.push("AVX2");
    }
    if is_x86_feature_detected!("fma") {
        found.push("FMA");
    }
    if is_x86_feature_detected!("avx512f") {
        found.push("AVX-512");
    }
    if is_x86_feature_detected!("avx512bf16") {
        found.push("AVX512-BF16");
    }
    found
}

#[cfg(not(target_arch = "x86_64"))]
fn simd_features() -> Vec<&'static str> {
    if cfg!(target_arch = "aarch64") { vec!["NEON"] } else { Vec::new() }
}

/// Best of five products of two 1024 x 1024 matrices, 2 * 1024^3 flops each.
pub(super) fn matmul_gflops() -> f64 {
    const SIDE: usize = 1024;
    let device = burn::tensor::Device::<Cpu>::default();
    let side =
        |_| Tensor::<Cpu, 2>::random([SIDE, SIDE], Distribution::Uniform(-1.0, 1.0), &device);
    let (a, b) = (side(0), side(1));
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            let product = a.clone().matmul(b.clone());
            let seconds = start.elapsed().as_secs_f64();
            drop(product);
            seconds
        })
        .fold(f64::INFINITY, f64::min);
    2.0 * (SIDE as f64).powi(3) / best / 1e9
}
