//! Modules: images that `nvrtc.rs` made, which name a library of this machine.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

use super::context::{SHARED_BYTES, most_shared_bytes};
use super::{Handle, Tag, answer, current, misuse, put};
use crate::compiler::Image;
use crate::host;
use crate::machine::{Machine, machine};
use crate::settings::settings;
use crate::status::Status;
use crate::work::Entry;

/// A loaded module.
#[derive(Debug)]
pub(crate) struct Module {
    device: usize,
    entries: Vec<Entry>,
    is_generated: bool,
    /// Shared memory that its kernels take without being asked, at most.
    static_shared: usize,
}

/// A kernel.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) device: usize,
    pub(crate) entry: Entry,
    pub(crate) name: String,
    pub(crate) is_generated: bool,
    pub(crate) static_shared: usize,
    /// What its attribute allows.
    pub(crate) most_dynamic: usize,
}

/// Opens the library of an image; it stays loaded.
fn open(library: &Path) -> Result<(Vec<Entry>, usize), String> {
    let path = CString::new(library.to_string_lossy().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: a library that `compiler.rs` made, which runs nothing of its own when it is loaded; both symbols
    // are what `softcuda.h` defines them to be.
    unsafe {
        let handle = host::dlopen(path.as_ptr(), host::RTLD_NOW | host::RTLD_LOCAL);
        let error = || CStr::from_ptr(host::dlerror()).to_string_lossy().into_owned();
        if handle.is_null() {
            return Err(error());
        }
        let entries = host::dlsym(handle, c"softcuda_entries".as_ptr()).cast::<Entry>();
        let shared = host::dlsym(handle, c"softcuda_shared_bytes".as_ptr()).cast::<u64>();
        if entries.is_null() || shared.is_null() {
            return Err("the library has no kernels".into());
        }
        let count = (0..).take_while(|at| !(*entries.add(*at)).name.is_null()).count();
        let entries = std::slice::from_raw_parts(entries, count).to_vec();
        Ok((entries, usize::try_from(*shared).unwrap_or(usize::MAX)))
    }
}

/// `cuModuleLoadData`.
///
/// # Safety
/// The image is one of NVRTC, with a zero behind it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_void) -> Status {
    let mut machine = machine();
    let mut load = || {
        let device = current(&machine, "cuModuleLoadData")?;
        if image.is_null() {
            return Err(misuse(Status::INVALID_VALUE, "cuModuleLoadData of nothing"));
        }
        // SAFETY: promised by the caller.
        let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
        let image = Image::read(&text).ok_or_else(|| {
            misuse(Status::INVALID_IMAGE, "cuModuleLoadData of what softcuda did not compile")
        })?;
        if !image.runs_on(settings().architecture) {
            let text = format!("a module for {} cannot run on this device", image.target);
            return Err(misuse(Status::NO_BINARY_FOR_GPU, &text));
        }
        let (entries, static_shared) = open(&image.library()).map_err(|error| {
            misuse(Status::INVALID_IMAGE, &format!("a compiled module is gone: {error}"))
        })?;
        let is_generated = image.is_generated();
        machine.modules.push(Module { device, entries, is_generated, static_shared });
        let number = machine.modules.len() as u64 - 1;
        // SAFETY: promised by the caller.
        unsafe { put(module, Tag::Module.handle(number), "cuModuleLoadData") }
    };
    answer(load())
}

/// `cuModuleUnload`: its kernels stay, nothing of them is counted.
#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: Handle) -> Status {
    match Tag::Module.number(module) {
        Some(_) => Status::SUCCESS,
        None => misuse(Status::INVALID_HANDLE, "cuModuleUnload of what is no module"),
    }
}

/// `cuModuleGetFunction`.
///
/// # Safety
/// The name ends in a zero; the place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut Handle,
    module: Handle,
    name: *const c_char,
) -> Status {
    let mut machine = machine();
    let mut get = || {
        let number = Tag::Module.number(module).and_then(|number| usize::try_from(number).ok());
        let module = number.and_then(|number| machine.modules.get(number)).ok_or_else(|| {
            misuse(Status::INVALID_HANDLE, "cuModuleGetFunction of what is no module")
        })?;
        // SAFETY: promised by the caller.
        let name = unsafe { CStr::from_ptr(name) };
        // SAFETY: names of entries are texts in a loaded library.
        let is_it = |of: &&Entry| unsafe { CStr::from_ptr(of.name) } == name;
        let found = module.entries.iter().find(is_it);
        let entry = *found.ok_or(Status::NOT_FOUND)?;
        let name = name.to_string_lossy().into_owned();
        let Module { device, is_generated, static_shared, .. } = *module;
        let most_dynamic = SHARED_BYTES.saturating_sub(static_shared);
        machine.functions.push(Function {
            device,
            entry,
            name,
            is_generated,
            static_shared,
            most_dynamic,
        });
        let number = machine.functions.len() as u64 - 1;
        // SAFETY: promised by the caller.
        unsafe { put(function, Tag::Function.handle(number), "cuModuleGetFunction") }
    };
    answer(get())
}

/// The kernel of a handle.
pub(crate) fn function_of<'a>(
    machine: &'a mut Machine,
    function: Handle,
    of: &str,
) -> Result<&'a mut Function, Status> {
    let number = Tag::Function.number(function).and_then(|number| usize::try_from(number).ok());
    let found = number.and_then(|number| machine.functions.get_mut(number));
    found.ok_or_else(|| misuse(Status::INVALID_HANDLE, &format!("{of} of what is no kernel")))
}

/// `cuFuncGetAttribute`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetAttribute(
    value: *mut c_int,
    attribute: c_int,
    function: Handle,
) -> Status {
    let mut machine = machine();
    let mut get = || {
        let of = function_of(&mut machine, function, "cuFuncGetAttribute")?;
        // Source: `CUfunction_attribute`.
        let found = match attribute {
            0 => of.entry.most_threads.clamp(1, 1024) as usize,
            1 => of.static_shared,
            8 => of.most_dynamic,
            _ => return Err(Status::NOT_SUPPORTED),
        };
        // SAFETY: promised by the caller.
        unsafe { put(value, c_int::try_from(found).unwrap_or(c_int::MAX), "cuFuncGetAttribute") }
    };
    answer(get())
}

/// `cuFuncSetAttribute`.
#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: Handle, attribute: c_int, value: c_int) -> Status {
    let mut machine = machine();
    let mut set = || {
        current(&machine, "cuFuncSetAttribute")?;
        let of = function_of(&mut machine, function, "cuFuncSetAttribute")?;
        if attribute != 8 {
            return Err(misuse(Status::NOT_SUPPORTED, "softcuda sets no such attribute"));
        }
        let bytes = usize::try_from(value).unwrap_or(usize::MAX);
        if bytes.saturating_add(of.static_shared) > most_shared_bytes() {
            let text = format!("`{}` is allowed {value} bytes of shared memory", of.name);
            return Err(misuse(Status::INVALID_VALUE, &text));
        }
        of.most_dynamic = bytes.max(SHARED_BYTES.saturating_sub(of.static_shared));
        Ok(())
    };
    answer(set())
}
