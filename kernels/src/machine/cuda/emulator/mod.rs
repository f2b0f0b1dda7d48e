//! The machine of tests: launches run on the CPU, their kernels compiled as C++ behind `emulator.h`.
//!
//! A kernel that errs fails the test with its name, block and thread. One grid runs at a time in a process.
//! Not here: any claim about speed.

mod comparison;
mod library;
mod memory;
mod products;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

pub(crate) use comparison::assert_as_reference;
pub(crate) use memory::GuardedArray;

use std::marker::PhantomData;

use super::product::Product;
use super::signature::Signature;
use super::{CudaMachine, Limits};
use crate::machine::launch::{Argument, Launch};
use crate::machine::{Element, Machine};

/// A block on every device we run on: 1024 threads; 227 KiB of shared memory is what `sm_90` allows and
/// `sm_80` comes close to with 163, so the smaller one counts. Source: CUDA C++ Programming Guide,
/// "Technical Specifications per Compute Capability".
const LIMITS: Limits = Limits {
    block_threads: 1024,
    shared_bytes: 163 * 1024,
    grid_x: i32::MAX as u32,
    multiprocessors: 8,
};

/// Room for a message of `emulator.h`.
const MESSAGE_BYTES: usize = 512;

/// The twin of `emulator::Grid`.
#[repr(C)]
struct Grid {
    blocks: [u32; 3],
    block: [u32; 3],
    dynamic_shared: *mut c_void,
    dynamic_shared_bytes: u64,
    message: *mut c_char,
    message_bytes: u64,
    stacks: *mut Stacks,
}

/// The twin of `emulator::Stacks`; the first is an address, and zero before the first grid.
#[repr(C)]
struct Stacks {
    all: usize,
    guarded: u32,
}

type Entry = unsafe extern "C" fn(*mut Grid, *mut *mut c_void) -> c_int;

/// Runs kernels on the CPU.
#[derive(Debug)]
pub(crate) struct Emulator {
    compiler: PhantomData<()>,
}

impl Emulator {
    /// The emulator; prints why there is none.
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    pub(crate) fn find() -> Option<Self> {
        if library::has_compiler() {
            return Some(Self { compiler: PhantomData });
        }
        println!("SKIPPED: no C++ compiler");
        None
    }

    /// An array of these numbers.
    #[expect(clippy::unused_self, reason = "arrays are of a machine")]
    pub(crate) fn array_of(&self, element: Element, values: &[f64]) -> GuardedArray {
        GuardedArray::of(element, values)
    }

    /// Runs one launch; what is wrong with it or in it as an error.
    fn run(launch: &Launch<'_, GuardedArray>) -> Result<(), String> {
        let signature = launch.check(&LIMITS).map_err(|error| error.to_string())?;
        let library = library::of(launch.source, &launch.defines);
        let name = format!("emulate_{}", launch.entry);
        // SAFETY: `library.rs` wrote this function with this type.
        let entry = unsafe { library.get::<Entry>(name.as_bytes()) };
        let entry = *entry.map_err(|error| error.to_string())?;
        call(entry, launch, &signature)?;
        let arrays = launch.arguments.iter().filter_map(|argument| match argument {
            Argument::Input(array) | Argument::Output(array) => Some(array),
            Argument::Number(..) => None,
        });
        for (at, array) in arrays.enumerate() {
            if !array.is_intact() {
                let parameter = &signature.parameters[at].name;
                return Err(format!(
                    "`{}` wrote around its array {at} (`{parameter}`)",
                    launch.entry
                ));
            }
        }
        Ok(())
    }
}

fn call(
    entry: Entry,
    launch: &Launch<'_, GuardedArray>,
    signature: &Signature,
) -> Result<(), String> {
    static STACKS: Mutex<Stacks> = Mutex::new(Stacks { all: 0, guarded: 0 });
    let mut values: Vec<[u8; 8]> = (launch.arguments.iter().zip(&signature.parameters))
        .map(|(argument, parameter)| match argument {
            Argument::Input(array) | Argument::Output(array) => {
                (array.pointer() as usize as u64).to_ne_bytes()
            }
            Argument::Number(_, number) => number.bytes_for(parameter),
        })
        .collect();
    let mut arguments: Vec<*mut c_void> =
        values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
    let shared = GuardedArray::filled(Element::U8, launch.shared_bytes, 0xFF);
    let mut message = [0; MESSAGE_BYTES];
    // One grid at a time. A test that failed while its grid ran left nothing to repair: stacks that are
    // there stay good, and each run starts anew.
    let mut stacks = STACKS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut grid = Grid {
        blocks: launch.grid.map(|size| u32::try_from(size).expect("`check` found it fits")),
        block: launch.block,
        dynamic_shared: shared.pointer().cast(),
        dynamic_shared_bytes: launch.shared_bytes as u64,
        message: message.as_mut_ptr(),
        message_bytes: MESSAGE_BYTES as u64,
        stacks: &raw mut *stacks,
    };
    // SAFETY: the arguments are those of the signature from which `entry` was written; arrays live in
    // `launch`; the emulator's state is used by one thread at a time.
    let failed = unsafe { entry(&raw mut grid, arguments.as_mut_ptr()) };
    drop(stacks);
    if failed == 0 {
        return if shared.is_intact() { Ok(()) } else { Err("writes around shared memory".into()) };
    }
    // SAFETY: `emulator.h` ends its messages with a zero within the buffer.
    Err(unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned())
}

impl Machine for Emulator {
    type Array = GuardedArray;

    fn array(&self, element: Element, len: usize) -> GuardedArray {
        GuardedArray::filled(element, len, 0xFF)
    }

    fn zeros(&self, element: Element, len: usize) -> GuardedArray {
        GuardedArray::filled(element, len, 0)
    }

    fn upload(&self, values: &[u32]) -> GuardedArray {
        let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        GuardedArray::of(Element::U32, &values)
    }

    fn launch(&self, launch: Launch<'_, GuardedArray>) {
        let result = Self::run(&launch);
        assert!(result.is_ok(), "{}: {}", launch.source.name, result.err().unwrap_or_default());
    }
}

impl CudaMachine for Emulator {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn multiply(&self, product: Product<'_, GuardedArray>) {
        products::run(&product);
    }
}
