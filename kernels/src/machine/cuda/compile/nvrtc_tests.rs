//! The compiler itself, without a GPU: what it makes, what it says, and that its results are kept.
//!
//! NVRTC is found by its usual names, or where `GENESIS_NVRTC` says its library is.

use std::path::PathBuf;

use super::nvrtc::Nvrtc;
use super::{Compiler, Engine, Target};
use crate::formula::Formula;
use crate::machine::cuda::libraries;
use crate::machine::cuda::signature::{self, Defines};
use crate::machine::emit::{Kernel, Written};
use crate::machine::launch::Source;

/// ptxas warns of registers that went to memory, and its warnings are errors.
const STRICT: [&str; 2] =
    ["--ptxas-options=--warn-on-spills", "--ptxas-options=--warning-as-error"];

static NORM: Source =
    Source::of("families/norm/norm.cu", include_str!("../../../families/norm/norm.cu"));

/// The compiler; says so when there is none.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn found() -> Option<Nvrtc> {
    if let Some(path) = std::env::var_os("GENESIS_NVRTC") {
        libraries::load(&[PathBuf::from(path)]).expect("GENESIS_NVRTC names a library");
    }
    match Nvrtc::find() {
        Ok(nvrtc) => Some(nvrtc),
        Err(error) => {
            println!("SKIPPED: {error}");
            None
        }
    }
}

/// Asserts that kernels made from a table compile and keep their numbers in registers, for
/// f32 and f64 and the two architectures of `cargo xtask nvrtc`.
#[track_caller]
pub(crate) fn assert_compile(kernels: &[Kernel]) {
    for kernel in kernels {
        assert_compiles(&Source::printed(kernel.name.to_owned(), kernel));
    }
}

/// The same of one text.
#[track_caller]
fn assert_compiles(source: &Source) {
    let Some(nvrtc) = found() else { return };
    for (real, target) in ["float", "double"].iter().flat_map(|real| [(real, 80), (real, 90)]) {
        let defines = Defines::from([("Real".to_owned(), (*real).to_owned())]);
        let mut options = super::options(Target::Code(target), &defines);
        options.extend(STRICT.map(str::to_owned));
        let made = nvrtc.compile(source, &options);
        assert!(made.is_ok(), "{} of {real} for sm_{target}: {made:?}", source.name);
    }
}

/// Asserts the same of an elementwise formula.
#[track_caller]
pub(crate) fn assert_formula_compiles<F: Formula<I, O>, const I: usize, const O: usize>() {
    assert_compiles(&Source::elementwise(&Written::of::<F, I, O>()));
}

#[test]
fn a_kernel_compiles_to_machine_code_and_to_ptx_that_hold_its_entries() {
    let Some(nvrtc) = found() else { return };
    assert!(nvrtc.version().starts_with("nvrtc-"));
    assert!(nvrtc.architectures().contains(&90));
    let defines = &signature::variants(&NORM.text).unwrap()[0];
    let code = Compiler::new(Box::new(nvrtc), None, Target::Code(90));
    let binary = code.binary(&NORM, defines).unwrap();
    assert!(binary.starts_with(b"\x7fELF"));
    let text = Compiler::new(Box::new(found().unwrap()), None, Target::Ptx(80));
    let text = String::from_utf8(text.binary(&NORM, defines).unwrap()).unwrap();
    for entry in signature::entries(&NORM.text, defines).unwrap() {
        assert!(text.contains(&format!(".entry {}(", entry.name)), "{}", entry.name);
        let inside = binary.windows(entry.name.len()).any(|bytes| bytes == entry.name.as_bytes());
        assert!(inside, "{}", entry.name);
    }
}

#[test]
fn what_does_not_compile_is_named_with_its_line_and_what_the_compiler_says() {
    let Some(nvrtc) = found() else { return };
    let text =
        "#include \"prelude.cuh\"\nextern \"C\" __global__ void f(float* x) {\n  x[0] = y;\n}\n";
    let source = Source::of("wrong/wrong.cu", text);
    let compiler = Compiler::new(Box::new(nvrtc), None, Target::Code(80));
    let said = compiler.binary(&source, &Defines::new()).unwrap_err().to_string();
    assert!(said.contains("wrong/wrong.cu does not compile for sm_80"), "{said}");
    assert!(said.contains("at wrong/wrong.cu line 3: `x[0] = y;`"), "{said}");
    assert!(said.contains("identifier \"y\" is undefined"), "{said}");
}
