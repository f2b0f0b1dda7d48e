//! Launches.

use std::ffi::{c_uint, c_void};

use super::module::{Function, function_of};
use super::stream::stream_of;
use super::{Done, Handle, answer, misuse};
use crate::machine::machine;
use crate::status::Status;
use crate::work::{Launch, Task};

/// Bytes of all parameters together, since CUDA 12.1 on compute capability 7.0.
const PARAMETER_BYTES: usize = 32_764;

/// Grid, block and shared memory within what the device and the kernel allow. Source: CUDA C++ Programming
/// Guide, "Technical Specifications per Compute Capability"; `cuLaunchKernel`.
fn within_limits(of: &Function, grid: [u32; 3], block: [u32; 3], shared: usize) -> Done {
    let most_threads = if of.entry.most_threads == 0 { 1024 } else { of.entry.most_threads };
    let threads = block.iter().map(|size| u64::from(*size)).product::<u64>();
    let limits = [
        ("the grid along x", u64::from(grid[0]), i32::MAX as u64),
        ("the grid along y", u64::from(grid[1]), 65_535),
        ("the grid along z", u64::from(grid[2]), 65_535),
        ("the block along x", u64::from(block[0]), 1024),
        ("the block along y", u64::from(block[1]), 1024),
        ("the block along z", u64::from(block[2]), 64),
        ("the number of threads of a block", threads, u64::from(most_threads)),
    ];
    for (what, size, limit) in limits {
        if size == 0 || size > limit {
            let text = format!("`{}`: {what} is {size}, which is not in 1..={limit}", of.name);
            return Err(misuse(Status::INVALID_VALUE, &text));
        }
    }
    if shared > of.most_dynamic {
        let (name, most) = (&of.name, of.most_dynamic);
        let text = format!(
            "`{name}`: {shared} bytes of dynamic shared memory, and its attribute allows {most}"
        );
        return Err(misuse(Status::INVALID_VALUE, &text));
    }
    Ok(())
}

/// The bytes of each parameter.
///
/// # Safety
/// There are as many addresses as the kernel has parameters, each of as many bytes.
unsafe fn values(of: &Function, parameters: *mut *mut c_void) -> Result<Vec<Box<[u64]>>, Status> {
    let mut values = Vec::new();
    let mut all = 0;
    for at in 0..of.entry.count as usize {
        // SAFETY: the entry says how many sizes it has; the rest is promised by the caller.
        unsafe {
            let bytes = *of.entry.sizes.add(at) as usize;
            let from = if parameters.is_null() { parameters.cast() } else { *parameters.add(at) };
            if from.is_null() {
                let text = format!("`{}`: parameter {at} is missing", of.name);
                return Err(misuse(Status::INVALID_VALUE, &text));
            }
            let mut value = vec![0_u64; bytes.div_ceil(8) + 1].into_boxed_slice();
            std::ptr::copy_nonoverlapping(from.cast::<u8>(), value.as_mut_ptr().cast(), bytes);
            all += bytes;
            values.push(value);
        }
    }
    if all > PARAMETER_BYTES {
        let text = format!("`{}`: {all} bytes of parameters", of.name);
        return Err(misuse(Status::INVALID_VALUE, &text));
    }
    Ok(values)
}

/// `cuLaunchKernel`. Parameters are copied before it returns.
///
/// # Safety
/// There are as many addresses as the kernel has parameters, each of as many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared_bytes: c_uint,
    stream: Handle,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Status {
    let mut machine = machine();
    let mut launch = || {
        let stream = stream_of(&mut machine, stream, "cuLaunchKernel")?;
        let of = function_of(&mut machine, function, "cuLaunchKernel")?.clone();
        if of.device != machine.streams[stream as usize].device {
            let text = format!("`{}` is of another context than its stream", of.name);
            return Err(misuse(Status::INVALID_HANDLE, &text));
        }
        if !extra.is_null() {
            return Err(misuse(Status::NOT_SUPPORTED, "softcuda takes no packed parameters"));
        }
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        let shared_bytes = shared_bytes as usize;
        within_limits(&of, grid, block, shared_bytes)?;
        // SAFETY: promised by the caller.
        let values = unsafe { values(&of, parameters)? };
        let Function { entry, name, is_generated, .. } = of;
        let title = format!("`{name}`");
        let launch = Launch { entry, name, is_generated, grid, block, shared_bytes, values };
        machine.give(stream, &title, Task::Kernel(Box::new(launch)));
        Ok(())
    };
    answer(launch())
}
