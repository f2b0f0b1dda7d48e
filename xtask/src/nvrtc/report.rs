//! What the compiler says of each kernel (`--ptxas-options=-v`), read from its log.
//!
//! ```text
//! ptxas info    : Compiling entry function 'rms_norm' for 'sm_80'
//! ptxas info    : Function properties for rms_norm
//! ptxas         .     8 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
//! ptxas info    : Used 32 registers, used 1 barriers, 128 bytes smem, 388 bytes cmem[0]
//! ```

use std::collections::BTreeMap;

/// What a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    /// Registers of a thread.
    pub(super) registers: u64,
    /// Bytes stored and loaded because registers ran out.
    pub(super) spill_bytes: u64,
    /// Static shared memory of a block.
    pub(super) shared_bytes: u64,
}

impl Usage {
    /// The larger of each.
    pub(super) fn most(self, other: Self) -> Self {
        Self {
            registers: self.registers.max(other.registers),
            spill_bytes: self.spill_bytes.max(other.spill_bytes),
            shared_bytes: self.shared_bytes.max(other.shared_bytes),
        }
    }
}

/// By file and entry.
pub(super) type Table = BTreeMap<(String, String), Usage>;

/// Adds what one call said; of each number the largest counts.
pub(super) fn merge(table: &mut Table, file: &str, used: &[(String, Usage)]) {
    for (entry, usage) in used {
        let old = table.entry((file.to_owned(), entry.clone())).or_default();
        *old = old.most(*usage);
    }
}

/// Every kernel of a log.
pub(super) fn read(log: &str) -> Vec<(String, Usage)> {
    let mut found: Vec<(String, Usage)> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let name = rest.split('\'').next().unwrap_or_default();
            found.push((name.to_owned(), Usage::default()));
        }
        let Some((_, usage)) = found.last_mut() else { continue };
        for part in line.split(':').next_back().unwrap_or_default().split(',') {
            let number = part.split_whitespace().find_map(|word| word.parse::<u64>().ok());
            let Some(number) = number else { continue };
            if part.contains("registers") {
                usage.registers = number;
            } else if part.contains("spill") {
                usage.spill_bytes += number;
            } else if part.contains("smem") {
                usage.shared_bytes = number;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_spills_and_shared_memory_are_read_per_kernel() {
        let log = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'sum' for 'sm_80'
ptxas info    : Function properties for sum
ptxas         .     8 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers, 128 bytes smem, 388 bytes cmem[0]
ptxas info    : Compile time = 12.500 ms
ptxas info    : Compiling entry function 'plain' for 'sm_80'
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 12 registers, used 0 barriers
";
        let sum = Usage { registers: 64, spill_bytes: 12, shared_bytes: 128 };
        let plain = Usage { registers: 12, spill_bytes: 0, shared_bytes: 0 };
        assert_eq!(read(log), [("sum".to_owned(), sum), ("plain".to_owned(), plain)]);
        let mut table = Table::new();
        merge(&mut table, "a.cu", &read(log));
        merge(&mut table, "a.cu", &[("plain".to_owned(), sum)]);
        assert_eq!(table[&("a.cu".to_owned(), "plain".to_owned())], sum);
    }
}
