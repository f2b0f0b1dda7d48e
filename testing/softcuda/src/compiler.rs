//! CUDA C++ as a library of this machine: rewritten where C++ differs, compiled by the host's compiler behind
//! `emulator.h` and `softcuda.h`, kept by the hash of everything that went in.
//!
//! An image, which the program takes for PTX or machine code, is a text that names the library. The headers are
//! compiled once for all kernels. Not here: options and errors as NVRTC has them.

mod text;

use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::host::{self, DlInfo};
use crate::settings::settings;

const EMULATOR: &str = include_str!(env!("SOFTCUDA_EMULATOR"));
const SOFTCUDA: &str = include_str!("../cuda/softcuda.h");
const NUMBERS: &str = include_str!("../cuda/numbers.h");
const FRAGMENTS: &str = include_str!("../cuda/fragments.h");
const COMPILER: &str = "c++";
const OPTIONS: [&str; 12] = [
    "-std=c++17",
    "-O1",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fsanitize=alignment,bounds,shift",
    "-fsanitize-undefined-trap-on-error",
    // Calls before every access, which `softcuda.h` defines; nothing of the sanitizer itself.
    "-fsanitize=thread",
    "--param=tsan-instrument-func-entry-exit=0",
    "-w",
    "-Winvalid-pch",
];

/// What a program without a name is called.
const UNNAMED: &str = "unnamed";

const MAGIC: &str = "softcuda image 1";

/// What a program is compiled from.
#[derive(Clone, Default, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Name and text.
    pub(crate) headers: Vec<(String, String)>,
    /// `NAME=VALUE`.
    pub(crate) defines: Vec<String>,
    pub(crate) include_paths: Vec<String>,
    /// Such as `sm_90a`.
    pub(crate) target: String,
}

/// What a program became.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Image {
    pub(crate) target: String,
    file: String,
}

impl Image {
    /// As the program keeps it.
    pub(crate) fn text(&self) -> String {
        let Self { target, file } = self;
        format!("{MAGIC}\n// .target {target}\n{file}\n")
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != MAGIC {
            return None;
        }
        let target = lines.next()?.strip_prefix("// .target ")?.to_owned();
        Some(Self { target, file: lines.next()?.to_owned() })
    }

    /// A program without a name is one that cubecl generated.
    pub(crate) fn is_generated(&self) -> bool {
        self.file.starts_with(UNNAMED)
    }

    /// Where the library is.
    pub(crate) fn library(&self) -> PathBuf {
        folder().join(&self.file)
    }

    /// Machine code runs on its architecture, PTX on that and later ones.
    pub(crate) fn runs_on(&self, architecture: u32) -> bool {
        let digits = |text: &str| text.trim_end_matches('a').parse::<u32>().ok();
        if let Some(virtual_one) = self.target.strip_prefix("compute_") {
            return digits(virtual_one).is_some_and(|of| of <= architecture);
        }
        let real = self.target.strip_prefix("sm_").and_then(digits);
        real.is_some_and(|of| of / 10 == architecture / 10 && of <= architecture)
    }
}

/// Where compiled kernels are: as the environment says, or beside this library.
fn folder() -> PathBuf {
    if let Some(cache) = &settings().cache {
        return cache.clone();
    }
    let mut info = DlInfo {
        file: std::ptr::null(),
        start: std::ptr::null_mut(),
        symbol: std::ptr::null(),
        address: std::ptr::null_mut(),
    };
    // SAFETY: asks which file this function is of; the name it gives lives as long as the library.
    let file = unsafe {
        if host::dladdr(folder as *const std::ffi::c_void, &raw mut info) == 0 {
            return std::env::temp_dir().join("softcuda-kernels");
        }
        CStr::from_ptr(info.file).to_string_lossy().into_owned()
    };
    Path::new(&file).parent().unwrap_or(Path::new(".")).join("softcuda-kernels")
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (EMULATOR, SOFTCUDA, NUMBERS, FRAGMENTS, COMPILER, OPTIONS).hash(&mut hasher);
    of.hash(&mut hasher);
    hasher.finish()
}

/// Compiles a program, or finds it compiled; the error is what the compiler said.
pub(crate) fn compile(source: &Source) -> Result<Image, String> {
    let Source { name, text, headers, defines, include_paths, target } = source;
    let key = hash((name, text, headers, defines, include_paths));
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let stem: String = name.chars().map(plain).collect();
    let stem = if stem.is_empty() { UNNAMED } else { &stem };
    let image = Image { target: target.clone(), file: format!("{stem}-{key:016x}.so") };
    let library = image.library();
    if !library.exists() {
        build(source, &library)?;
    }
    Ok(image)
}

/// Compiles in a folder of its own and renames, so that processes side by side do not meet.
fn build(source: &Source, library: &Path) -> Result<(), String> {
    let headers = headers()?;
    let said = |error: io::Error| format!("softcuda cannot write beside {library:?}: {error}");
    let own = library.with_extension(unique());
    fs::create_dir_all(&own).map_err(said)?;
    for (name, text) in &source.headers {
        fs::write(own.join(name), text).map_err(said)?;
    }
    let rewritten = text::rewrite(&source.text);
    fs::write(own.join("source.cu"), rewritten).map_err(said)?;
    fs::write(own.join("unit.cpp"), text::unit(&source.text)).map_err(said)?;
    let mut command = Command::new(COMPILER);
    command.args(OPTIONS).arg("-I").arg(&headers).arg("-I.").current_dir(&own);
    command.args(source.defines.iter().map(|define| format!("-D{define}")));
    command.args(source.include_paths.iter().map(|path| format!("-I{path}")));
    run(command.args(["-c", "unit.cpp", "-o", "unit.o"]))?;
    // Without the sanitizers: nothing of theirs is linked.
    let mut link = Command::new(COMPILER);
    run(link.args(["-shared", "unit.o", "-o", "unit.so"]).current_dir(&own))?;
    // Beside the library, for whoever reads a finding.
    fs::rename(own.join("source.cu"), library.with_extension("cu")).map_err(said)?;
    fs::rename(own.join("unit.so"), library).map_err(said)?;
    fs::remove_dir_all(own).map_err(said)
}

/// The folder of the headers, compiled once.
fn headers() -> Result<PathBuf, String> {
    let all = folder().join(format!("headers-{:016x}", hash(0)));
    if all.exists() {
        return Ok(all);
    }
    let said = |error: io::Error| format!("softcuda cannot write {all:?}: {error}");
    let own = all.with_extension(unique());
    fs::create_dir_all(&own).map_err(said)?;
    let texts = [
        ("emulator.h", EMULATOR),
        ("softcuda.h", SOFTCUDA),
        ("numbers.h", NUMBERS),
        ("fragments.h", FRAGMENTS),
    ];
    for (name, text) in texts {
        fs::write(own.join(name), text).map_err(said)?;
    }
    let mut command = Command::new(COMPILER);
    command.args(OPTIONS).args(["-x", "c++-header", "softcuda.h"]).current_dir(&own);
    run(&mut command)?;
    // Another process may have been faster; its folder is the same.
    match fs::rename(&own, &all) {
        Ok(()) => Ok(all),
        Err(_) if all.exists() => {
            fs::remove_dir_all(&own).map_err(said)?;
            Ok(all)
        }
        Err(error) => Err(said(error)),
    }
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("softcuda needs {COMPILER}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
