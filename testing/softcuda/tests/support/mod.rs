//! What the tests share: a device, kernels from texts, memory; every call must succeed unless a test says so.
#![allow(dead_code, reason = "each test uses some of it")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

use std::ffi::{CString, c_void};
use std::process::Command;
use std::ptr;

use softcuda::driver::Handle;
use softcuda::driver::{context, event, launch, memory, module, stream};
use softcuda::{Status, findings, nvrtc};

/// A device of this process, current to this thread.
pub fn device() -> Handle {
    assert_eq!(context::cuInit(0), Status::SUCCESS);
    let mut handle = ptr::null_mut();
    // SAFETY: the place is written.
    assert_eq!(unsafe { context::cuDevicePrimaryCtxRetain(&raw mut handle, 0) }, Status::SUCCESS);
    assert_eq!(context::cuCtxSetCurrent(handle), Status::SUCCESS);
    handle
}

/// A stream that does not wait for the default one.
pub fn new_stream() -> Handle {
    let mut handle = ptr::null_mut();
    // SAFETY: the place is written.
    assert_eq!(unsafe { stream::cuStreamCreate(&raw mut handle, 1) }, Status::SUCCESS);
    handle
}

/// An event.
pub fn new_event() -> Handle {
    let mut handle = ptr::null_mut();
    // SAFETY: the place is written.
    assert_eq!(unsafe { event::cuEventCreate(&raw mut handle, 0) }, Status::SUCCESS);
    handle
}

/// Memory of a stream.
pub fn allocate(bytes: usize, on: Handle) -> u64 {
    let mut at = 0;
    // SAFETY: the place is written.
    assert_eq!(unsafe { memory::cuMemAllocAsync(&raw mut at, bytes, on) }, Status::SUCCESS);
    at
}

/// A kernel of a text.
pub fn kernel(text: &str, name: &str) -> Handle {
    let (source, name) = (CString::new(text).unwrap(), CString::new(name).unwrap());
    let option = CString::new("--gpu-architecture=sm_90a").unwrap();
    let options = [option.as_ptr()];
    // SAFETY: texts end in zeros and live, places are written.
    unsafe {
        let mut program = ptr::null_mut();
        let (none, file) = (ptr::null(), c"planted.cu".as_ptr());
        nvrtc::nvrtcCreateProgram(&raw mut program, source.as_ptr(), file, 0, none, none);
        let compiled = nvrtc::nvrtcCompileProgram(program, 1, options.as_ptr());
        let mut size = 0;
        if compiled.0 != 0 {
            nvrtc::nvrtcGetProgramLogSize(program, &raw mut size);
            let mut log = vec![0_u8; size];
            nvrtc::nvrtcGetProgramLog(program, log.as_mut_ptr().cast());
            panic!("{}", String::from_utf8_lossy(&log));
        }
        nvrtc::nvrtcGetCUBINSize(program, &raw mut size);
        let mut image = vec![0_u8; size];
        nvrtc::nvrtcGetCUBIN(program, image.as_mut_ptr().cast());
        let (mut loaded, mut function) = (ptr::null_mut(), ptr::null_mut());
        let status = module::cuModuleLoadData(&raw mut loaded, image.as_ptr().cast());
        assert_eq!(status, Status::SUCCESS);
        let status = module::cuModuleGetFunction(&raw mut function, loaded, name.as_ptr());
        assert_eq!(status, Status::SUCCESS);
        function
    }
}

/// Launches one block, with 8 bytes for each parameter.
pub fn run(of: Handle, threads: u32, shared_bytes: u32, on: Handle, values: &[u64]) -> Status {
    let mut values = values.to_vec();
    let mut pointers: Vec<*mut c_void> =
        values.iter_mut().map(|value| ptr::from_mut(value).cast()).collect();
    let pointers = pointers.as_mut_ptr();
    // SAFETY: as many values as parameters, by the tests.
    unsafe {
        launch::cuLaunchKernel(
            of,
            1,
            1,
            1,
            threads,
            1,
            1,
            shared_bytes,
            on,
            pointers,
            ptr::null_mut(),
        )
    }
}

/// Numbers to a device.
pub fn upload(to: u64, numbers: &[f32], on: Handle) -> Status {
    let bytes = size_of_val(numbers);
    // SAFETY: pageable memory, which is read before the call returns.
    unsafe { memory::cuMemcpyHtoDAsync_v2(to, numbers.as_ptr().cast(), bytes, on) }
}

/// Numbers from a device.
pub fn download(from: u64, count: usize, on: Handle) -> Result<Vec<f32>, Status> {
    let mut numbers = vec![0.0; count];
    // SAFETY: pageable memory, which is written before the call returns.
    let status =
        unsafe { memory::cuMemcpyDtoHAsync_v2(numbers.as_mut_ptr().cast(), from, 4 * count, on) };
    if status == Status::SUCCESS { Ok(numbers) } else { Err(status) }
}

/// The one finding, which says all of this.
#[track_caller]
pub fn assert_found(parts: &[&str]) {
    let found = findings();
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "`{part}` is not in: {}", found[0]);
    }
}

/// Runs a test in a process of its own, with every order of streams that a few seeds give.
pub fn alone(name: &str, test: fn()) {
    if std::env::var_os("SOFTCUDA_ALONE").is_some() {
        return test();
    }
    for seed in 0..6 {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args([name, "--exact", "--nocapture"]).env("SOFTCUDA_ALONE", "1");
        again.env("GENESIS_SOFTCUDA_SEED", seed.to_string()).env("GENESIS_SOFTCUDA_DEVICES", "2");
        let output = again.output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "seed {seed}: {said}");
    }
}
