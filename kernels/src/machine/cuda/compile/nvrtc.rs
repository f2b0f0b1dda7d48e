//! NVIDIA's run-time compiler, loaded when it is needed: no toolkit, no header but our prelude.
//!
//! The library is found by its usual names, or was loaded before from where the caller said it is
//! (`libraries.rs`). Source: the NVRTC documentation, "Basic Usage".

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use cudarc::nvrtc::result::NvrtcError;
use cudarc::nvrtc::sys;

use super::{Engine, PRELUDE, PRELUDE_NAME};
use crate::machine::launch::Source;

/// NVRTC of this process.
#[derive(Debug)]
pub(crate) struct Nvrtc {
    version: (i32, i32),
    architectures: Vec<u32>,
}

/// Why there is no compiler.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NvrtcMissing {
    /// No library.
    #[error(
        "NVRTC is not found: install a CUDA toolkit, or the Python package nvidia-cuda-nvrtc and say \
         where its library is"
    )]
    Library,
    /// A library that does not answer.
    #[error("NVRTC was loaded but does not answer: {0}")]
    Broken(String),
}

impl Nvrtc {
    /// Finds the library and asks what it can do.
    pub(crate) fn find() -> Result<Self, NvrtcMissing> {
        // SAFETY: loads a library by name, which runs its initialisation alone.
        if !unsafe { sys::is_culib_present() } {
            return Err(NvrtcMissing::Library);
        }
        let broken = |error: NvrtcError| NvrtcMissing::Broken(error.to_string());
        let (mut major, mut minor): (c_int, c_int) = (0, 0);
        // SAFETY: both places are written to.
        unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().map_err(broken)?;
        let architectures = architectures().map_err(broken)?;
        Ok(Self { version: (major, minor), architectures })
    }
}

fn architectures() -> Result<Vec<u32>, NvrtcError> {
    let mut count = 0;
    // SAFETY: the place is written to.
    unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }.result()?;
    let mut found = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: as many numbers are written as were announced.
    unsafe { sys::nvrtcGetSupportedArchs(found.as_mut_ptr()) }.result()?;
    Ok(found.into_iter().filter_map(|arch| u32::try_from(arch).ok()).collect())
}

impl Engine for Nvrtc {
    fn version(&self) -> String {
        format!("nvrtc-{}.{}", self.version.0, self.version.1)
    }

    fn architectures(&self) -> Vec<u32> {
        self.architectures.clone()
    }

    fn compile(&self, source: &Source, options: &[String]) -> Result<Vec<u8>, String> {
        let program = Program::new(source).map_err(|error| error.to_string())?;
        let options: Vec<CString> = options.iter().map(|option| text(option)).collect();
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        // SAFETY: the program lives, and so do the texts behind the pointers.
        let result = unsafe { sys::nvrtcCompileProgram(program.raw, count, pointers.as_ptr()) };
        result.result().map_err(|error| program.log(error))?;
        let wants_ptx = options.iter().any(|option| is_ptx_target(option));
        program.output(wants_ptx).map_err(|error| error.to_string())
    }
}

fn is_ptx_target(option: &CStr) -> bool {
    option.to_bytes().starts_with(b"--gpu-architecture=compute_")
}

/// A text without zero bytes, as C wants it: ours have none, and a zero would end one early.
fn text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// A program of NVRTC, destroyed with it.
struct Program {
    raw: sys::nvrtcProgram,
}

impl Program {
    fn new(source: &Source) -> Result<Self, NvrtcError> {
        let (code, name) = (text(&source.text), text(&source.name));
        let (header, header_name) = (text(PRELUDE), text(PRELUDE_NAME));
        let (headers, names) = ([header.as_ptr()], [header_name.as_ptr()]);
        let mut raw = ptr::null_mut();
        // SAFETY: every text ends in a zero and lives until the call returns, which copies them.
        unsafe {
            sys::nvrtcCreateProgram(
                &raw mut raw,
                code.as_ptr(),
                name.as_ptr(),
                1,
                headers.as_ptr(),
                names.as_ptr(),
            )
        }
        .result()?;
        Ok(Self { raw })
    }

    /// What the compiler said, or why that cannot be had.
    fn log(&self, failure: NvrtcError) -> String {
        let read = || {
            let mut size = 0;
            // SAFETY: the program lives; as many bytes are written as were announced.
            unsafe {
                sys::nvrtcGetProgramLogSize(self.raw, &raw mut size).result()?;
                let mut bytes = vec![0_u8; size];
                sys::nvrtcGetProgramLog(self.raw, bytes.as_mut_ptr().cast()).result()?;
                Ok::<_, NvrtcError>(bytes)
            }
        };
        match read() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).trim_end_matches('\0').trim().to_owned(),
            Err(error) => format!("{failure}; its log cannot be read: {error}"),
        }
    }

    fn output(&self, ptx: bool) -> Result<Vec<u8>, NvrtcError> {
        let mut size = 0;
        // SAFETY: the program lives and is compiled; as many bytes are written as were announced.
        unsafe {
            if ptx {
                sys::nvrtcGetPTXSize(self.raw, &raw mut size).result()?;
                let mut bytes = vec![0_u8; size];
                sys::nvrtcGetPTX(self.raw, bytes.as_mut_ptr().cast()).result()?;
                Ok(bytes)
            } else {
                sys::nvrtcGetCUBINSize(self.raw, &raw mut size).result()?;
                let mut bytes = vec![0_u8; size];
                sys::nvrtcGetCUBIN(self.raw, bytes.as_mut_ptr().cast()).result()?;
                Ok(bytes)
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created by `new`, destroyed once.
        unsafe { sys::nvrtcDestroyProgram(&raw mut self.raw) };
    }
}
