//! A `.cu` file as a library of this machine: written with calls for its entry points, compiled by the C++
//! compiler, kept beside the test program by the hash of everything that went in, loaded.
//!
//! Misaligned vectors, indices past local arrays and shifts past the width stop the kernel where they
//! happen. Not here: running grids.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use libloading::Library;

use crate::machine::cuda::signature::{self, Defines, Passing, Signature};
use crate::machine::launch::Source;

const EMULATOR: &str = include_str!("emulator.h");
const PRELUDE: &str = include_str!("../prelude.cuh");
const COMPILER: &str = "c++";
const OPTIONS: [&str; 7] = [
    "-std=c++17",
    "-O1",
    "-shared",
    "-fPIC",
    "-ffp-contract=off",
    "-fsanitize=alignment,bounds,shift",
    "-fsanitize-undefined-trap-on-error",
];

/// Is there a C++ compiler?
pub(crate) fn has_compiler() -> bool {
    Command::new(COMPILER).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The library of a source under some defines; loaded once per process.
pub(crate) fn of(source: &Source, defines: &Defines) -> &'static Library {
    static LOADED: Mutex<Option<HashMap<u64, &'static Library>>> = Mutex::new(None);
    let key = key(source, defines);
    // A test that failed while it compiled leaves nothing half done.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_with(HashMap::new);
    loaded.entry(key).or_insert_with(|| Box::leak(Box::new(load(key, source, defines))))
}

fn key(source: &Source, defines: &Defines) -> u64 {
    let mut hasher = DefaultHasher::new();
    (EMULATOR, PRELUDE, COMPILER, OPTIONS).hash(&mut hasher);
    (&source.name, &source.text, defines).hash(&mut hasher);
    hasher.finish()
}

fn load(key: u64, source: &Source, defines: &Defines) -> Library {
    let program = env::current_exe().expect("a test knows where it is");
    let cache = program.parent().expect("a file is in a folder").join("emulated-kernels");
    let path = cache.join(format!("{}-{key:016x}.so", source.name.replace('/', "-")));
    if !path.exists() {
        compile(&path, source, defines);
    }
    // SAFETY: a library written by `compile`, which runs nothing when it is loaded.
    let library = unsafe { Library::new(&path) };
    library.unwrap_or_else(|error| unreachable!("cannot load {}: {error}", path.display()))
}

/// Compiles in a folder of this process and renames, so that tests side by side do not meet.
fn compile(path: &Path, source: &Source, defines: &Defines) {
    let folder = path.with_extension(std::process::id().to_string());
    let name = source.name.replace('/', "-");
    write(&folder, "emulator.h", EMULATOR);
    write(&folder, "prelude.cuh", PRELUDE);
    write(&folder, &name, &source.text);
    let signatures = signature::entries(&source.text, defines);
    let signatures = signatures.unwrap_or_else(|error| unreachable!("{name}: {error}"));
    write(&folder, "unit.cpp", &unit(&name, &signatures));
    let mut command = Command::new(COMPILER);
    command.args(OPTIONS).args(defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    let output = command.args(["unit.cpp", "-o", "unit.so"]).current_dir(&folder).output();
    let output = output.expect("the compiler was there when the test began");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} with {defines:?} is no C++ behind emulator.h:\n{log}");
    fs::rename(folder.join("unit.so"), path).expect("the folder of the test program is writable");
    fs::remove_dir_all(folder).expect("what this process wrote it can remove");
}

fn write(folder: &PathBuf, name: &str, text: &str) {
    fs::create_dir_all(folder).expect("the folder of the test program is writable");
    fs::write(folder.join(name), text).expect("the folder of the test program is writable");
}

/// The kernels within an unnamed namespace, so that nothing of them is shared with another library, and a
/// function per entry point that takes its arguments by pointer.
fn unit(name: &str, signatures: &[Signature]) -> String {
    let mut text = format!("#include \"emulator.h\"\nnamespace {{\n#include \"{name}\"\n}}\n");
    for Signature { name, parameters } in signatures {
        let argument = |(at, parameter): (usize, &signature::Parameter)| {
            let kind = parameter.kind.name();
            let kind = match parameter.passing {
                Passing::Input => format!("const {kind}*"),
                Passing::Output => format!("{kind}*"),
                Passing::Number => kind.to_owned(),
            };
            format!("*static_cast<{kind}*>(a[{at}])").replace("<const ", "<const ")
        };
        let arguments: Vec<String> = parameters.iter().enumerate().map(argument).collect();
        let arguments = arguments.join(", ");
        let _ = write!(
            text,
            "extern \"C\" __attribute__((visibility(\"default\"))) int emulate_{name}(emulator::Grid* grid, void** a) {{\n    \
             return emulator::run(grid, \"{name}\", [](void** a) {{ (void)a; {name}({arguments}); }}, a);\n}}\n"
        );
    }
    text
}
