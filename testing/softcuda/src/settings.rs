//! What the environment says, read once.
//!
//! | variable | meaning | when absent |
//! |---|---|---|
//! | `GENESIS_SOFTCUDA_SEED` | order of the streams | 0 |
//! | `GENESIS_SOFTCUDA_DEVICES` | devices | 1 |
//! | `GENESIS_SOFTCUDA_MEMORY_BYTES` | memory of a device | 16 GiB |
//! | `GENESIS_SOFTCUDA_ARCHITECTURE` | compute capability, such as 90 | 90 |
//! | `GENESIS_SOFTCUDA_CACHE` | folder of compiled kernels | beside this library |
//! | `GENESIS_SOFTCUDA_REPORT` | file to which findings and counts are added | none |
//! | `GENESIS_SOFTCUDA_CONTINUE` | `1`: a finding ends nothing | a finding is an error from then on |
//! | `GENESIS_SOFTCUDA_NCCL_VERSION` | what `ncclGetVersion` says | 22703, for 2.27.3 |
//! | `GENESIS_SOFTCUDA_NCCL_HANG` | `1`: no communicator is ever ready | it is when all are there |
//! | `GENESIS_SOFTCUDA_NCCL_FAIL_AT` | number of the operation, from 1, that fails while it runs | none |
//! | `GENESIS_SOFTCUDA_NCCL_FAIL_RANK` | the rank where it does | 0 |

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

/// What the environment says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) devices: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) architecture: u32,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) report: Option<PathBuf>,
    pub(crate) continues: bool,
    pub(crate) nccl: Nccl,
}

/// What the library of collectives is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nccl {
    pub(crate) version: u64,
    pub(crate) hangs: bool,
    /// Operation and rank.
    pub(crate) fails_at: Option<(u64, u64)>,
}

/// The settings of the process.
pub(crate) fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| Settings {
        seed: number("SEED", 0),
        devices: usize::try_from(number("DEVICES", 1)).unwrap_or(1),
        memory_bytes: number("MEMORY_BYTES", 16 << 30),
        architecture: u32::try_from(number("ARCHITECTURE", 90)).unwrap_or(90),
        cache: text("CACHE").map(PathBuf::from),
        report: text("REPORT").map(PathBuf::from),
        continues: number("CONTINUE", 0) != 0,
        nccl: Nccl {
            version: number("NCCL_VERSION", 22_703),
            hangs: number("NCCL_HANG", 0) != 0,
            fails_at: Some((number("NCCL_FAIL_AT", 0), number("NCCL_FAIL_RANK", 0)))
                .filter(|(operation, _)| *operation > 0),
        },
    })
}

fn text(name: &str) -> Option<String> {
    let value = env::var_os(format!("GENESIS_SOFTCUDA_{name}"))?;
    Some(value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
}

/// A number, or the default; what is no number ends the process: a test on other settings proves nothing.
fn number(name: &str, default: u64) -> u64 {
    let Some(text) = text(name) else { return default };
    text.parse().unwrap_or_else(|_| {
        eprintln!("softcuda: GENESIS_SOFTCUDA_{name} is `{text}`, which is no number");
        std::process::abort()
    })
}
