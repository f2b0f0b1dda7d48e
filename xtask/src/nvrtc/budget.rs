//! What kernels may use, as committed tables, one beside the kernels of a folder, and the comparison with what they
//! do use.
//!
//! One line per kernel holds the most over its variants and both architectures. Another version of the compiler
//! may give a few registers more; whether anything spills must not change with it.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::report::{Table, Usage};

/// Registers by which versions of the compiler may differ: the step in which they are given out.
/// Source: CUDA Occupancy Calculator, "register allocation unit size" of 256 per warp.
const BETWEEN_VERSIONS: u64 = 8;

/// The table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Budgets {
    version: String,
    kernels: Table,
}

impl Budgets {
    /// What kernels use now.
    pub(super) fn of(version: &str, used: &Table) -> Self {
        Self { version: version.to_owned(), kernels: used.clone() }
    }

    /// The table of a file.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut budgets = Self { version: String::new(), kernels: Table::new() };
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                ["nvrtc", version] => version.clone_into(&mut budgets.version),
                [first, ..] if first.starts_with('#') => {}
                [file, entry, registers, spill, shared] => {
                    let number = |text: &str| -> Result<u64> {
                        text.parse().with_context(|| format!("line {}: `{text}`", index + 1))
                    };
                    let (registers, spill_bytes) = (number(registers)?, number(spill)?);
                    let usage = Usage { registers, spill_bytes, shared_bytes: number(shared)? };
                    budgets.kernels.insert((file.to_owned(), entry.to_owned()), usage);
                }
                _ => bail!("line {} of the budgets is not understood: `{line}`", index + 1),
            }
        }
        ensure!(!budgets.version.is_empty(), "the budgets do not name their version of nvrtc");
        Ok(budgets)
    }

    /// What stands against it: every kernel has a budget and is within it, and every budget has a kernel.
    pub(super) fn compare(&self, version: &str, used: &Table) -> Vec<String> {
        let slack = if version == self.version { 0 } else { BETWEEN_VERSIONS };
        let mut wrong = Vec::new();
        for ((file, entry), usage) in used {
            let Some(budget) = self.kernels.get(&(file.clone(), entry.clone())) else {
                wrong.push(format!("{file} {entry}: no budget; it uses {usage}"));
                continue;
            };
            let allowed = Usage { registers: budget.registers + slack, ..*budget };
            let spills = usage.spill_bytes > 0 && budget.spill_bytes == 0;
            let more_spills = slack == 0 && usage.spill_bytes > budget.spill_bytes;
            let exceeds =
                usage.registers > allowed.registers || usage.shared_bytes > allowed.shared_bytes;
            if spills || more_spills || exceeds {
                wrong.push(format!("{file} {entry}: uses {usage}, its budget is {allowed}"));
            }
        }
        let gone = self.kernels.keys().filter(|kernel| !used.contains_key(kernel));
        wrong
            .extend(gone.map(|(file, entry)| format!("{file} {entry}: a budget without a kernel")));
        wrong
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registers, spill_bytes, shared_bytes } = self;
        write!(
            f,
            "{registers} registers, {spill_bytes} bytes of spills, {shared_bytes} of shared memory"
        )
    }
}

impl fmt::Display for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# What each CUDA kernel may use: the most over its variants, for sm_80 and sm_90a."
        )?;
        writeln!(f, "# Compared by `cargo xtask nvrtc`, written by `cargo xtask nvrtc --write`.")?;
        writeln!(f, "nvrtc {}", self.version)?;
        writeln!(f, "# file, kernel, registers, bytes of spills, bytes of static shared memory")?;
        for ((file, entry), usage) in &self.kernels {
            let Usage { registers, spill_bytes, shared_bytes } = usage;
            writeln!(
                f,
                "{file:<40} {entry:<40} {registers:>4} {spill_bytes:>6} {shared_bytes:>7}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(registers: u64, spill_bytes: u64) -> Table {
        let usage = Usage { registers, spill_bytes, shared_bytes: 128 };
        [(("a.cu".to_owned(), "sum".to_owned()), usage)].into()
    }

    #[test]
    fn a_written_table_reads_back_equal() {
        let budgets = Budgets::of("13.2", &table(40, 8));
        assert_eq!(Budgets::read(&budgets.to_string()).unwrap(), budgets);
    }

    #[test]
    fn a_kernel_over_its_budget_is_named_with_both_numbers() {
        let budgets = Budgets::of("13.2", &table(40, 0));
        assert!(budgets.compare("13.2", &table(40, 0)).is_empty());
        let error = budgets.compare("13.2", &table(41, 0)).concat();
        assert!(error.contains("a.cu sum: uses 41 registers"), "{error}");
        assert!(error.contains("its budget is 40 registers"), "{error}");
        assert_eq!(budgets.compare("13.2", &table(40, 4)).len(), 1);
    }

    #[test]
    fn another_version_may_use_a_few_registers_more_but_not_spill() {
        let budgets = Budgets::of("13.2", &table(40, 0));
        assert!(budgets.compare("12.9", &table(48, 0)).is_empty());
        assert_eq!(budgets.compare("12.9", &table(49, 0)).len(), 1);
        assert_eq!(budgets.compare("12.9", &table(40, 4)).len(), 1);
    }

    #[test]
    fn kernels_without_budget_and_budgets_without_kernel_are_errors() {
        let budgets = Budgets::of("13.2", &table(40, 0));
        let missing = Budgets::of("13.2", &Table::new()).compare("13.2", &table(1, 0)).concat();
        assert!(missing.contains("no budget"), "{missing}");
        let error = budgets.compare("13.2", &Table::new()).concat();
        assert!(error.contains("a budget without a kernel"), "{error}");
        assert!(Budgets::read("nvrtc 13.2\na.cu sum 1 2\n").is_err());
    }
}
