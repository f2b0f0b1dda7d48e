//! The functions of libnvrtc: programs, options, logs.
//!
//! What NVRTC would refuse is refused: unknown options, headers that are neither given nor in a folder that an
//! option names. Source: the NVRTC documentation.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::compiler::{Source, compile};
use crate::finding::found;

/// `nvrtcResult`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct NvrtcResult(pub c_int);

const SUCCESS: NvrtcResult = NvrtcResult(0);
const INVALID_INPUT: NvrtcResult = NvrtcResult(3);
const INVALID_PROGRAM: NvrtcResult = NvrtcResult(4);
const INVALID_OPTION: NvrtcResult = NvrtcResult(5);
const COMPILATION: NvrtcResult = NvrtcResult(6);

/// Architectures it has machine code for.
const ARCHITECTURES: [c_int; 7] = [75, 80, 86, 89, 90, 100, 120];

/// A program, by its number.
#[derive(Default, Debug)]
struct Program {
    source: Source,
    log: String,
    image: Option<String>,
}

type Programs = HashMap<usize, Program>;

fn programs() -> MutexGuard<'static, Option<Programs>> {
    static PROGRAMS: Mutex<Option<Programs>> = Mutex::new(None);
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with a program that exists.
fn with(program: *mut c_void, act: impl FnOnce(&mut Program) -> NvrtcResult) -> NvrtcResult {
    let mut programs = programs();
    match programs.as_mut().and_then(|programs| programs.get_mut(&(program as usize))) {
        Some(program) => act(program),
        None => {
            found("a function of NVRTC on what is no program");
            INVALID_PROGRAM
        }
    }
}

/// # Safety
/// Null, or a text that ends in a zero.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// `nvrtcVersion`.
///
/// # Safety
/// Both places can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { (*major, *minor) = (13, 0) };
    SUCCESS
}

/// `nvrtcGetNumSupportedArchs`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetNumSupportedArchs(count: *mut c_int) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { *count = ARCHITECTURES.len() as c_int };
    SUCCESS
}

/// `nvrtcGetSupportedArchs`.
///
/// # Safety
/// There is room for as many as `nvrtcGetNumSupportedArchs` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetSupportedArchs(all: *mut c_int) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { all.copy_from_nonoverlapping(ARCHITECTURES.as_ptr(), ARCHITECTURES.len()) };
    SUCCESS
}

/// `nvrtcCreateProgram`.
///
/// # Safety
/// Texts end in zeros, there are as many headers and names as said, the place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut *mut c_void,
    source: *const c_char,
    name: *const c_char,
    num_headers: c_int,
    headers: *const *const c_char,
    names: *const *const c_char,
) -> NvrtcResult {
    if program.is_null() || source.is_null() {
        found("nvrtcCreateProgram of nothing");
        return INVALID_INPUT;
    }
    // SAFETY: promised by the caller.
    unsafe {
        let header = |at: usize| (text(*names.add(at)), text(*headers.add(at)));
        let headers = (0..usize::try_from(num_headers).unwrap_or(0)).map(header).collect();
        let source = Source { name: text(name), text: text(source), headers, ..Source::default() };
        let mut programs = programs();
        let programs = programs.get_or_insert_default();
        let number = programs.keys().max().unwrap_or(&0) + 1;
        programs.insert(number, Program { source, ..Program::default() });
        *program = number as *mut c_void;
    }
    SUCCESS
}

/// `nvrtcDestroyProgram`.
///
/// # Safety
/// The place can be read and written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcDestroyProgram(program: *mut *mut c_void) -> NvrtcResult {
    // SAFETY: promised by the caller.
    let number = unsafe { std::mem::replace(&mut *program, std::ptr::null_mut()) } as usize;
    match programs().as_mut().and_then(|programs| programs.remove(&number)) {
        Some(_) => SUCCESS,
        None => INVALID_PROGRAM,
    }
}

/// Puts an option into the source; is it known?
fn take(source: &mut Source, option: &str) -> bool {
    let value = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| option.strip_prefix(name));
        found.next().map(str::to_owned)
    };
    if let Some(target) = value(&["--gpu-architecture=", "-arch="]) {
        source.target = target;
    } else if let Some(define) = value(&["--define-macro=", "-D"]) {
        source.defines.push(define);
    } else if let Some(path) = value(&["--include-path=", "-I"]) {
        source.include_paths.push(path);
    } else {
        return ["--std=c++17", "-std=c++17", "-lineinfo", "--generate-line-info"]
            .contains(&option);
    }
    true
}

/// `nvrtcCompileProgram`.
///
/// # Safety
/// There are as many options as said, each a text that ends in a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCompileProgram(
    program: *mut c_void,
    num_options: c_int,
    options: *const *const c_char,
) -> NvrtcResult {
    // SAFETY: promised by the caller.
    let options: Vec<String> = (0..usize::try_from(num_options).unwrap_or(0))
        .map(|at| unsafe { text(*options.add(at)) })
        .collect();
    let mut source = Source::default();
    let prepared = with(program, |program| {
        for option in &options {
            if !take(&mut program.source, option) {
                program.log = format!("nvrtc: error: unrecognized option {option} found");
                found(&program.log);
                return INVALID_OPTION;
            }
        }
        source = program.source.clone();
        SUCCESS
    });
    if prepared != SUCCESS {
        return prepared;
    }
    // Without the lock, since it takes a while.
    let compiled = compile(&source);
    with(program, |program| match compiled {
        Ok(image) => {
            program.image = Some(image.text());
            SUCCESS
        }
        Err(log) => {
            program.log = log;
            COMPILATION
        }
    })
}

/// Writes the size of a text with its zero.
///
/// # Safety
/// The place can be written.
unsafe fn size(
    program: *mut c_void,
    place: *mut usize,
    of: fn(&Program) -> Option<&str>,
) -> NvrtcResult {
    with(program, |program| match of(program) {
        Some(text) => {
            // SAFETY: promised by the caller.
            unsafe { *place = text.len() + 1 };
            SUCCESS
        }
        None => INVALID_PROGRAM,
    })
}

/// Writes a text with its zero.
///
/// # Safety
/// There is as much room as `size` says.
unsafe fn write(
    program: *mut c_void,
    place: *mut c_char,
    of: fn(&Program) -> Option<&str>,
) -> NvrtcResult {
    with(program, |program| match of(program) {
        Some(text) => {
            // SAFETY: promised by the caller.
            unsafe {
                place.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
                *place.add(text.len()) = 0;
            }
            SUCCESS
        }
        None => INVALID_PROGRAM,
    })
}

fn log_of(program: &Program) -> Option<&str> {
    Some(&program.log)
}

/// The image, when it is PTX: asked for by an architecture of `compute_`, or of machine code too.
fn image_of(program: &Program) -> Option<&str> {
    program.image.as_deref()
}

/// `nvrtcGetProgramLogSize`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLogSize(
    program: *mut c_void,
    place: *mut usize,
) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { size(program, place, log_of) }
}

/// `nvrtcGetProgramLog`.
///
/// # Safety
/// There is as much room as `nvrtcGetProgramLogSize` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLog(
    program: *mut c_void,
    place: *mut c_char,
) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { write(program, place, log_of) }
}

/// `nvrtcGetPTXSize`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTXSize(program: *mut c_void, place: *mut usize) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { size(program, place, image_of) }
}

/// `nvrtcGetPTX`.
///
/// # Safety
/// There is as much room as `nvrtcGetPTXSize` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTX(program: *mut c_void, place: *mut c_char) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { write(program, place, image_of) }
}

/// `nvrtcGetCUBINSize`: there is machine code for a real architecture alone.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBINSize(program: *mut c_void, place: *mut usize) -> NvrtcResult {
    let is_real = with(program, |program| {
        if program.source.target.starts_with("sm_") { SUCCESS } else { INVALID_INPUT }
    });
    if is_real != SUCCESS {
        found("nvrtcGetCUBIN of a program for a virtual architecture");
        return is_real;
    }
    // SAFETY: promised by the caller.
    unsafe { size(program, place, image_of) }
}

/// `nvrtcGetCUBIN`.
///
/// # Safety
/// There is as much room as `nvrtcGetCUBINSize` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBIN(program: *mut c_void, place: *mut c_char) -> NvrtcResult {
    // SAFETY: promised by the caller.
    unsafe { write(program, place, image_of) }
}

/// `nvrtcGetErrorString`.
#[unsafe(no_mangle)]
pub extern "C" fn nvrtcGetErrorString(result: NvrtcResult) -> *const c_char {
    let text = match result {
        SUCCESS => c"NVRTC_SUCCESS",
        INVALID_INPUT => c"NVRTC_ERROR_INVALID_INPUT",
        INVALID_PROGRAM => c"NVRTC_ERROR_INVALID_PROGRAM",
        INVALID_OPTION => c"NVRTC_ERROR_INVALID_OPTION",
        COMPILATION => c"NVRTC_ERROR_COMPILATION",
        _ => c"NVRTC_ERROR_INTERNAL_ERROR",
    };
    text.as_ptr()
}
