//! NVRTC, loaded at run time: the six functions that compiling a text takes.
//!
//! Source: the NVRTC documentation; its types are pointers, texts and ints.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

use anyhow::{Context, Result, bail};
use libloading::{Library, Symbol};

/// Names under which the library is installed, newest first.
const NAMES: [&str; 4] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "nvrtc64_130_0.dll"];

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type LogSize = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Log = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;

/// The loaded library.
pub(super) struct Nvrtc {
    library: Library,
    version: (c_int, c_int),
}

impl Nvrtc {
    /// From this path, else by name; `None` when no name is installed. A path that does not work is an error.
    pub(super) fn find(path: Option<&Path>) -> Result<Option<Self>> {
        // SAFETY: loading NVRTC runs its initialisation, which has no conditions.
        let open = |name: &std::ffi::OsStr| unsafe { Library::new(name) };
        let library = if let Some(path) = path {
            let library = open(path.as_os_str());
            Some(library.with_context(|| format!("cannot load NVRTC from {}", path.display()))?)
        } else {
            NAMES.iter().find_map(|name| open(name.as_ref()).ok())
        };
        library.map(Self::with).transpose()
    }

    fn with(library: Library) -> Result<Self> {
        let mut version = (0, 0);
        // SAFETY: the function has this type and writes both numbers.
        let status = unsafe {
            let ask: Symbol<'_, Version> = library.get(b"nvrtcVersion")?;
            ask(&raw mut version.0, &raw mut version.1)
        };
        if status != 0 {
            bail!("nvrtcVersion says {status}");
        }
        Ok(Self { library, version })
    }

    /// Such as `13.2`.
    pub(super) fn version(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }

    /// Compiles; the log on success, and within the error otherwise.
    pub(super) fn compile(
        &self,
        name: &str,
        text: &str,
        prelude: &str,
        options: &[String],
    ) -> Result<String> {
        let [text, name] = [text, name].map(CString::new);
        let (text, name, prelude) = (text?, name?, CString::new(prelude)?);
        let (headers, names) = ([prelude.as_ptr()], [c"prelude.cuh".as_ptr()]);
        let options = options.iter().map(|option| CString::new(option.as_str()));
        let options: Vec<CString> = options.collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let count = c_int::try_from(pointers.len())?;
        let mut program = std::ptr::null_mut();
        // SAFETY: the functions have these types; texts end in a zero and outlive the calls; the program
        // lives from its creation to its end here.
        unsafe {
            let create: Symbol<'_, Create> = self.library.get(b"nvrtcCreateProgram")?;
            let compile: Symbol<'_, Compile> = self.library.get(b"nvrtcCompileProgram")?;
            let destroy: Symbol<'_, Destroy> = self.library.get(b"nvrtcDestroyProgram")?;
            let (headers, names) = (headers.as_ptr(), names.as_ptr());
            let made = create(&raw mut program, text.as_ptr(), name.as_ptr(), 1, headers, names);
            if made != 0 {
                bail!("nvrtcCreateProgram says {made}");
            }
            let status = compile(program, count, pointers.as_ptr());
            let log = self.log(program);
            destroy(&raw mut program);
            let log = log?;
            if status != 0 {
                bail!("does not compile (nvrtc says {status}):\n{log}");
            }
            Ok(log)
        }
    }

    /// # Safety
    /// The program lives.
    unsafe fn log(&self, program: Program) -> Result<String> {
        let mut size = 0;
        // SAFETY: the functions have these types; as many bytes are written as were announced.
        unsafe {
            let ask: Symbol<'_, LogSize> = self.library.get(b"nvrtcGetProgramLogSize")?;
            let read: Symbol<'_, Log> = self.library.get(b"nvrtcGetProgramLog")?;
            let status = ask(program, &raw mut size);
            let mut bytes = vec![0_u8; size + 1];
            if status != 0 || read(program, bytes.as_mut_ptr().cast()) != 0 {
                bail!("the log of the compiler cannot be read");
            }
            let text = String::from_utf8_lossy(&bytes);
            Ok(text.trim_end_matches('\0').trim().to_owned())
        }
    }
}
