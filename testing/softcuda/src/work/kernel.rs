//! A launch: the compiled form of a kernel runs its grid on this thread, and asks for every access.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::arena::Arena;
use crate::finding::found;
use crate::host;
use crate::machine::Machine;
use crate::settings::settings;

/// Room for a message of `emulator.h`.
const MESSAGE_BYTES: usize = 1024;
/// More than the shared memory of a block on any device.
const SHARED_BYTES: usize = 256 * 1024;

/// What `softcuda.h` says of a kernel; its twin is `softcuda::Entry`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) name: *const c_char,
    run: unsafe extern "C" fn(*const Grid) -> c_int,
    pub(crate) count: u32,
    /// Threads that `__launch_bounds__` allows, or 0.
    pub(crate) most_threads: u32,
    /// Of each parameter: its bytes, is it a pointer, its name.
    pub(crate) sizes: *const u32,
    pub(crate) pointers: *const u8,
    pub(crate) names: *const *const c_char,
}

/// What a kernel needs to run; its twin is `softcuda::Grid`.
#[repr(C)]
struct Grid {
    grid: [u32; 3],
    block: [u32; 3],
    shared: *mut u8,
    shared_bytes: u64,
    message: *mut c_char,
    message_bytes: u64,
    stacks: *mut [u64; 8],
    arguments: *mut *mut c_void,
    memory: u64,
    memory_bytes: u64,
    access: unsafe extern "C" fn(u64, u64, c_int) -> *const c_char,
}

/// A launch.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) entry: Entry,
    pub(crate) name: String,
    /// Was it generated, by cubecl?
    pub(crate) is_generated: bool,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: usize,
    /// The bytes of each parameter, copied when it was launched.
    pub(crate) values: Vec<Box<[u64]>>,
}

// SAFETY: the entry points into a library that stays loaded.
unsafe impl Send for Launch {}

static ARENA: AtomicPtr<Arena> = AtomicPtr::new(ptr::null_mut());

/// Called by kernels for every access to memory of devices: null, or why it must not be.
unsafe extern "C" fn access(at: u64, bytes: u64, writes: c_int) -> *const c_char {
    static LAST: Mutex<Option<CString>> = Mutex::new(None);
    // SAFETY: set by `run_kernel` for the time in which kernels run, under the lock of the machine.
    let arena = unsafe { &mut *ARENA.load(Ordering::Relaxed) };
    let (at, bytes) = (at as usize, bytes as usize);
    match arena.touch(at, bytes, writes != 0) {
        Ok(()) => ptr::null(),
        Err(text) if settings().continues => {
            let of = arena.now.name.as_str();
            found(&format!("{of} {text}"));
            arena.poison(at, bytes);
            ptr::null()
        }
        Err(text) => {
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            last.insert(CString::new(text).unwrap_or_default()).as_ptr()
        }
    }
}

/// Memory that ends where a page ends that cannot be touched.
fn shared() -> usize {
    static SHARED: OnceLock<usize> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let (all, guard) = (SHARED_BYTES + 4096, 4096);
        let flags = host::MAP_PRIVATE | host::MAP_ANONYMOUS;
        let protection = host::PROT_READ | host::PROT_WRITE;
        // SAFETY: new memory, whose last page is then protected.
        unsafe {
            let start = host::mmap(ptr::null_mut(), all, protection, flags, -1, 0);
            assert!(start != host::MAP_FAILED, "softcuda: no memory for shared memory");
            host::mprotect(start.byte_add(SHARED_BYTES), guard, host::PROT_NONE);
            start as usize + SHARED_BYTES
        }
    })
}

impl Launch {
    /// Names and values of the parameters that are pointers.
    fn pointers(&self) -> Vec<(String, usize)> {
        let of = |at: usize| {
            // SAFETY: the entry has as many of each as it has parameters.
            let (is_pointer, name) = unsafe {
                (*self.entry.pointers.add(at), CStr::from_ptr(*self.entry.names.add(at)))
            };
            let value = usize::try_from(self.values[at][0]).unwrap_or(0);
            (is_pointer != 0).then(|| (name.to_string_lossy().into_owned(), value))
        };
        (0..self.values.len()).filter_map(of).collect()
    }
}

impl Machine {
    pub(super) fn run_kernel(&mut self, mut launch: Launch) -> Result<(), String> {
        let pointers = launch.pointers();
        for (name, value) in &pointers {
            let is_pinned = self.pinned.range(..=value).next_back();
            let is_pinned = is_pinned.is_some_and(|(start, bytes)| *value < start + bytes);
            if *value != 0 && !self.arena.has(*value) && !is_pinned {
                let of = &launch.name;
                return Err(format!(
                    "{of}: `{name}` is {value:#x}, which is no memory of a device"
                ));
            }
        }
        self.arena.now.arguments = pointers;
        self.arena.now.name.clone_from(&launch.name);
        self.arena.now.may_read_unwritten = launch.is_generated;
        let done = self.run_grid(&mut launch);
        let of = self.counters.kernels.entry(launch.name).or_default();
        of.launches += 1;
        of.read_bytes += self.arena.read_bytes;
        of.written_bytes += self.arena.written_bytes;
        done
    }

    fn run_grid(&mut self, launch: &mut Launch) -> Result<(), String> {
        static mut STACKS: [u64; 8] = [0; 8];
        let mut arguments: Vec<*mut c_void> =
            launch.values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        let mut message: [c_char; MESSAGE_BYTES] = [0; MESSAGE_BYTES];
        let memory = self.arena.range();
        let grid = Grid {
            grid: launch.grid,
            block: launch.block,
            shared: (shared() - launch.shared_bytes.next_multiple_of(16)) as *mut u8,
            shared_bytes: launch.shared_bytes as u64,
            message: message.as_mut_ptr(),
            message_bytes: MESSAGE_BYTES as u64,
            stacks: &raw mut STACKS,
            arguments: arguments.as_mut_ptr(),
            memory: memory.start as u64,
            memory_bytes: memory.len() as u64,
            access,
        };
        ARENA.store(&raw mut *self.arena, Ordering::Relaxed);
        // SAFETY: the entry is of a library that `compiler.rs` made and that stays loaded; the arguments are as
        // many and as large as it says (`cuLaunchKernel`); one grid runs at a time, under the machine's lock.
        let failed = unsafe { (launch.entry.run)(&raw const grid) };
        if failed == 0 {
            return Ok(());
        }
        // SAFETY: messages end in a zero within the buffer.
        let text = unsafe { CStr::from_ptr(message.as_ptr()) };
        Err(text.to_string_lossy().into_owned())
    }
}
