//! How much a program asked of the device: launches, bytes, allocations, waits of the host.
//!
//! Written to the report when the process ends, one line a kernel and one for all.

use std::collections::BTreeMap;

use crate::finding::report;
use crate::host;
use crate::machine::machine;

/// Of one kernel.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct OfKernel {
    pub(crate) launches: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
}

/// Of all.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    pub(crate) kernels: BTreeMap<String, OfKernel>,
    pub(crate) products: u64,
    pub(crate) copies: u64,
    pub(crate) copied_bytes: u64,
    pub(crate) fills: u64,
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    pub(crate) host_waits: u64,
    pub(crate) context_events: u64,
}

extern "C" fn at_exit() {
    let machine = machine();
    let counters = &machine.counters;
    for (name, of) in &counters.kernels {
        let OfKernel { launches, read_bytes, written_bytes } = of;
        report(&format!(
            "kernel: {name} launches {launches} read {read_bytes} written {written_bytes}"
        ));
    }
    let launches: u64 = counters.kernels.values().map(|of| of.launches).sum();
    report(&format!(
        "counts: launches {launches} products {} copies {} copied_bytes {} fills {} allocations {} \
         allocated_bytes {} host_waits {} context_events {}",
        counters.products,
        counters.copies,
        counters.copied_bytes,
        counters.fills,
        counters.allocations,
        counters.allocated_bytes,
        counters.host_waits,
        counters.context_events,
    ));
}

/// Arranges for the counts to be written.
pub(crate) fn write_at_exit() {
    // SAFETY: registers a function that takes and gives nothing.
    unsafe { host::atexit(at_exit) };
}
