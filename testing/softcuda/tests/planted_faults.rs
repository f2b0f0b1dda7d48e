//! Faults planted on purpose: each is found, with the kernel and the argument it is in.
//!
//! A finding is an error of the process from then on, so every test runs in a process of its own (`nextest`, or
//! `cargo xtask softcuda`); under `cargo test` each starts itself again.

mod support;

use softcuda::driver::{context, event, memory, module, stream};
use softcuda::{Status, findings};
use support::*;

const SCALE: &str = "extern \"C\" __global__ void scale(const float* x, float* y, int n) {\n\
    const int i = blockIdx.x * blockDim.x + threadIdx.x;\n if (i < n) y[i] = 2.0f * x[i];\n}\n";

/// Two streams, `x` uploaded on the first.
fn uploaded() -> (Handles, u64, u64) {
    let context = device();
    let (first, second) = (new_stream(), new_stream());
    let (x, y) = (allocate(64, first), allocate(64, second));
    assert_eq!(upload(x, &[1.5; 16], first), Status::SUCCESS);
    (Handles { context, first, second }, x, y)
}

struct Handles {
    context: softcuda::driver::Handle,
    first: softcuda::driver::Handle,
    second: softcuda::driver::Handle,
}

#[test]
fn work_ordered_by_an_event_has_its_result_in_any_order() {
    alone("work_ordered_by_an_event_has_its_result_in_any_order", || {
        let (of, x, y) = uploaded();
        let scale = kernel(SCALE, "scale");
        let done = new_event();
        assert_eq!(event::cuEventRecord(done, of.first), Status::SUCCESS);
        assert_eq!(stream::cuStreamWaitEvent(of.second, done, 0), Status::SUCCESS);
        assert_eq!(event::cuEventDestroy_v2(done), Status::SUCCESS);
        assert_eq!(run(scale, 32, 0, of.second, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(download(y, 16, of.second), Ok(vec![3.0; 16]));
        assert!(findings().is_empty());
    });
}

#[test]
fn a_missing_wait_for_an_event_is_found() {
    alone("a_missing_wait_for_an_event_is_found", || {
        let (of, x, y) = uploaded();
        let scale = kernel(SCALE, "scale");
        assert_eq!(run(scale, 32, 0, of.second, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(download(y, 16, of.second), Err(Status::ILLEGAL_ADDRESS));
        assert_found(&["scale", "`x`"]);
    });
}

#[test]
fn events_of_the_context_order_both_ways() {
    alone("events_of_the_context_order_both_ways", || {
        let (of, x, y) = uploaded();
        let scale = kernel(SCALE, "scale");
        let (before, after) = (new_event(), new_event());
        assert_eq!(event::cuCtxRecordEvent(of.context, before), Status::SUCCESS);
        assert_eq!(stream::cuStreamWaitEvent(of.second, before, 0), Status::SUCCESS);
        assert_eq!(run(scale, 32, 0, of.second, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(event::cuEventRecord(after, of.second), Status::SUCCESS);
        assert_eq!(event::cuCtxWaitEvent(of.context, after), Status::SUCCESS);
        // A stream that was made afterwards waits too.
        let third = new_stream();
        assert_eq!(download(y, 16, third), Ok(vec![3.0; 16]));
        assert!(findings().is_empty());
    });
}

#[test]
fn a_buffer_freed_while_a_kernel_uses_it_is_found() {
    alone("a_buffer_freed_while_a_kernel_uses_it_is_found", || {
        let (of, x, y) = uploaded();
        let scale = kernel(SCALE, "scale");
        let done = new_event();
        assert_eq!(event::cuEventRecord(done, of.first), Status::SUCCESS);
        assert_eq!(stream::cuStreamWaitEvent(of.second, done, 0), Status::SUCCESS);
        assert_eq!(run(scale, 32, 0, of.second, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(memory::cuMemFreeAsync(x, of.first), Status::SUCCESS);
        context::cuCtxSynchronize();
        assert_eq!(findings().len(), 1, "{:?}", findings());
        let text = &findings()[0];
        assert!(text.contains("was freed") || text.contains("may still be using"), "{text}");
    });
}

#[test]
fn memory_that_nobody_wrote_is_found_when_it_is_read() {
    alone("memory_that_nobody_wrote_is_found_when_it_is_read", || {
        device();
        let on = new_stream();
        let (x, y) = (allocate(64, on), allocate(64, on));
        let scale = kernel(SCALE, "scale");
        assert_eq!(run(scale, 32, 0, on, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(stream::cuStreamSynchronize(on), Status::ILLEGAL_ADDRESS);
        assert_found(&["scale", "thread (0, 0, 0)", "byte 0 of `x`", "nobody wrote it"]);
    });
}

#[test]
fn an_access_behind_an_array_is_found_with_its_place() {
    alone("an_access_behind_an_array_is_found_with_its_place", || {
        let (of, x, _) = uploaded();
        let y = allocate(60, of.first);
        let scale = kernel(SCALE, "scale");
        assert_eq!(run(scale, 32, 0, of.first, &[x, y, 16]), Status::SUCCESS);
        assert_eq!(stream::cuStreamSynchronize(of.first), Status::ILLEGAL_ADDRESS);
        assert_found(&["scale", "thread (15, 0, 0)", "byte 60 of `y`", "has 60 bytes"]);
    });
}

#[test]
fn shared_memory_beyond_its_limit_needs_the_attribute() {
    const SHARED: &str = "extern \"C\" __global__ void tile(float* y) {\n\
        extern __shared__ __align__(16) float tile_of[];\n tile_of[threadIdx.x] = 1.0f;\n\
        __syncthreads();\n y[threadIdx.x] = tile_of[31 - threadIdx.x];\n}\n";
    alone("shared_memory_beyond_its_limit_needs_the_attribute", || {
        device();
        let on = new_stream();
        let y = allocate(128, on);
        let tile = kernel(&SHARED.replace("{\\n extern", "{\nextern"), "tile");
        assert_eq!(module::cuFuncSetAttribute(tile, 8, 60_000), Status::SUCCESS);
        assert_eq!(run(tile, 32, 60_000, on, &[y]), Status::SUCCESS);
        assert_eq!(download(y, 32, on), Ok(vec![1.0; 32]));
        assert!(findings().is_empty());
        assert_eq!(run(tile, 32, 60_001, on, &[y]), Status::INVALID_VALUE);
        assert_found(&["`tile`", "60001 bytes of dynamic shared memory", "60000"]);
    });
}

#[test]
fn a_lost_barrier_is_found_by_what_a_thread_reads() {
    const REVERSE: &str = "extern \"C\" __global__ void reverse(const float* x, float* y) {\n\
        __shared__ float all[32];\n all[threadIdx.x] = x[threadIdx.x];\n BARRIER\n\
        y[threadIdx.x] = all[31 - threadIdx.x];\n}\n";
    alone("a_lost_barrier_is_found_by_what_a_thread_reads", || {
        device();
        let on = new_stream();
        let (x, y) = (allocate(128, on), allocate(128, on));
        let numbers: Vec<f32> = (0..32_u8).map(f32::from).collect();
        assert_eq!(upload(x, &numbers, on), Status::SUCCESS);
        let right = kernel(&REVERSE.replace("BARRIER", "__syncthreads();"), "reverse");
        assert_eq!(run(right, 32, 0, on, &[x, y]), Status::SUCCESS);
        let reversed: Vec<f32> = numbers.iter().rev().copied().collect();
        assert_eq!(download(y, 32, on), Ok(reversed));
        let wrong = kernel(&REVERSE.replace("BARRIER", "/* __syncthreads() */"), "reverse");
        assert_eq!(run(wrong, 32, 0, on, &[x, y]), Status::SUCCESS);
        assert!(download(y, 32, on).unwrap().iter().any(|x| x.is_nan()));
    });
}

#[test]
fn memory_of_the_host_is_not_freed_while_a_copy_needs_it() {
    alone("memory_of_the_host_is_not_freed_while_a_copy_needs_it", || {
        device();
        let on = new_stream();
        let x = allocate(64, on);
        let mut pinned = std::ptr::null_mut();
        // SAFETY: the place is written; the memory has 64 bytes.
        unsafe {
            assert_eq!(memory::cuMemAllocHost_v2(&raw mut pinned, 64), Status::SUCCESS);
            assert_eq!(memory::cuMemcpyHtoDAsync_v2(x, pinned, 64, on), Status::SUCCESS);
        }
        // SAFETY: nobody but perhaps the queue uses it, which is what is asked.
        if unsafe { memory::cuMemFreeHost(pinned) } == Status::SUCCESS {
            return; // this seed ran the copy at once
        }
        assert_found(&["cuMemFreeHost", "a copy in a queue needs"]);
    });
}

#[test]
fn handles_that_are_null_destroyed_or_of_another_kind_are_found() {
    alone("handles_that_are_null_destroyed_or_of_another_kind_are_found", || {
        device();
        let (on, done) = (new_stream(), new_event());
        assert_eq!(event::cuEventRecord(on, on), Status::INVALID_HANDLE);
        assert_eq!(event::cuEventDestroy_v2(done), Status::SUCCESS);
        assert_eq!(event::cuEventRecord(done, on), Status::INVALID_HANDLE);
        assert_eq!(run(std::ptr::null_mut(), 32, 0, on, &[]), Status::INVALID_HANDLE);
        assert_eq!(run(kernel(SCALE, "scale"), 2048, 0, on, &[0; 3]), Status::INVALID_VALUE);
        assert_eq!(memory::cuMemFreeAsync(12, on), Status::INVALID_VALUE);
        assert_eq!(context::cuCtxSetCurrent(std::ptr::null_mut()), Status::SUCCESS);
        assert_eq!(event::cuEventRecord(done, on), Status::INVALID_CONTEXT);
        assert_eq!(findings().len(), 5, "{:#?}", findings());
    });
}
