//! The processor and the memory of this machine.

use burn::tensor::Device;
use genesis_kernels::Cpu;
use genesis_train::cluster::preflight::memory_available;
use genesis_train::device::OnDevice;
use serde::Serialize;

use crate::console;
use crate::products::Products;

/// What the machine is made of.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    threads: usize,
    simd: Vec<&'static str>,
    memory_total_bytes: Option<u64>,
    memory_available_bytes: Option<u64>,
    matmul_f32_gflops: f64,
}

impl Machine {
    /// Looks and measures.
    pub(super) fn gather() -> Self {
        Self {
            processor: processor_name(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            simd: simd_features(),
            memory_total_bytes: memory_total(),
            memory_available_bytes: memory_available(),
            matmul_f32_gflops: Products::default().run::<Cpu>(&Device::<Cpu>::default()) / 1e9,
        }
    }

    /// Names and values of a table.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let memory =
            |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), console::bytes);
        let simd =
            if self.simd.is_empty() { "none found".to_owned() } else { self.simd.join(", ") };
        let rate = self.matmul_f32_gflops;
        let lines = [
            ("processor", self.processor.clone()),
            ("cores, threads", format!("{}, {}", self.cores, self.threads)),
            ("SIMD", simd),
            ("memory", memory(self.memory_total_bytes)),
            ("available", memory(self.memory_available_bytes)),
            ("matmul f32", format!("{rate:.0} GFLOP/s (1024 x 1024, best of 5)")),
        ];
        lines.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn processor_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim().to_owned());
    name.unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH))
}

/// Bytes of memory; `None` where Linux does not say.
fn memory_total() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
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
