//! The crossing between Burn's work and ours: Burn's tensors live in cubecl's streams, which it hides; our
//! kernels run on a stream of our own in the same context.
//!
//! ```text
//! on the thread that gives Burn's work to the device, for a batch of our work:
//!   pointers of the arrays      cubecl resolves them, and lets its streams wait for one another
//!   event of the whole context  cuCtxRecordEvent: everything given to any stream of it so far
//!   our stream waits for it
//!   our work                    kernels, products, in order
//!   event of our stream
//!   the context waits for it    cuCtxWaitEvent: everything given to any stream of it from now on
//! ```
//!
//! The host waits for nothing. Memory is safe on both sides: what an array took from cubecl's pool was freed
//! in a stream we wait for, and who gets it after us waits for us. The arrays are held until their work is
//! queued. What fails here is remembered by the context and said at its next use, since nobody waits for the
//! answer. Source: CUDA Driver API, "Context Management"; cubecl 0.10 for what its streams do.

use std::sync::Arc;

use cubecl::server::{ComputeServer, Handle};
use cubecl::stream_id::StreamId;

use super::context::{Context, Server};
use super::cublaslt::{Blas, Plan};
use super::driver::{Function, Shape};
use super::error::CudaError;
use crate::lend::{Borrower, Lent};

/// A parameter of a kernel: the address of an array of the batch, or a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// By its place among the arrays.
    Address(usize),
    /// Its bytes.
    Number([u8; 8]),
}

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Launch a kernel.
    Kernel { function: Function, shape: Shape, values: Vec<Value> },
    /// Compute a product of `a`, `b`, what is added, the result, and perhaps a bias, by their places.
    Product { blas: Arc<Blas>, plan: Arc<Plan>, operands: [usize; 4], bias: Option<usize> },
    /// Fill with zeros.
    Clear { array: usize, bytes: usize },
}

/// Work in order, and the arrays it touches.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) arrays: Vec<Handle>,
    pub(crate) steps: Vec<Step>,
}

/// Gives a batch to the device, behind everything that was given before. Does not wait.
pub(crate) fn submit(context: &Arc<Context>, batch: Batch) {
    if batch.steps.is_empty() {
        return;
    }
    let of = context.clone();
    context.server.submit(move |server: &mut Server| {
        if let Err(error) = run(&of, server, &batch) {
            of.fail(error);
        }
    });
}

/// Lends the memory of two arrays to `borrower` on our stream, behind everything that was given before. Waits until
/// it has given its work to the stream, not until that is done.
pub(crate) fn lend(
    context: &Arc<Context>,
    arrays: [Handle; 2],
    borrower: Borrower,
) -> Result<(), String> {
    let of = context.clone();
    let lent = move |server: &mut Server| lend_here(&of, server, &arrays, borrower);
    let ended = |_| "the thread of the device has ended".to_owned();
    context.server.submit_blocking(lent).map_err(ended)?
}

fn lend_here(
    context: &Context,
    server: &mut Server,
    arrays: &[Handle; 2],
    borrower: Borrower,
) -> Result<(), String> {
    let told = |error: CudaError| error.to_string();
    context.driver.make_current().map_err(told)?;
    let addresses = addresses(server, arrays).map_err(told)?;
    begin(context).map_err(told)?;
    let stream = context.driver.stream().cast();
    let done = borrower(Lent { from: addresses[0], to: addresses[1], stream });
    // What was queued before a failure still touches its arrays.
    end(context).map_err(told)?;
    done
}

fn run(context: &Context, server: &mut Server, batch: &Batch) -> Result<(), CudaError> {
    context.driver.make_current()?;
    let addresses = addresses(server, &batch.arrays)?;
    begin(context)?;
    let done = batch.steps.iter().try_for_each(|step| run_step(context, step, &addresses));
    // What was queued before a failure still touches its arrays.
    end(context)?;
    done
}

fn addresses(server: &mut Server, arrays: &[Handle]) -> Result<Vec<u64>, CudaError> {
    let stream = StreamId::current();
    let address = |handle: &Handle| {
        let resource = server.get_resource(handle.clone().binding(), stream);
        let resource =
            resource.map_err(|error| CudaError::Launch(format!("no memory: {error}")))?;
        Ok(resource.resource().ptr)
    };
    arrays.iter().map(address).collect()
}

fn begin(context: &Context) -> Result<(), CudaError> {
    match context.events {
        Some(events) => context.driver.wait_for_context(events),
        None => context.driver.synchronise(),
    }
}

fn end(context: &Context) -> Result<(), CudaError> {
    match context.events {
        Some(events) => context.driver.context_waits(events),
        None => context.driver.synchronise(),
    }
}

fn run_step(context: &Context, step: &Step, addresses: &[u64]) -> Result<(), CudaError> {
    match step {
        Step::Kernel { function, shape, values } => {
            let bytes = |value: &Value| match value {
                Value::Address(at) => addresses[*at].to_ne_bytes(),
                Value::Number(bytes) => *bytes,
            };
            let mut values: Vec<[u8; 8]> = values.iter().map(bytes).collect();
            // SAFETY: `device.rs` checked the values against the kernel's signature; the batch holds the
            // arrays, and `end` makes whoever gets their memory next wait.
            unsafe { context.driver.launch(*function, *shape, &mut values) }
        }
        Step::Product { blas, plan, operands, bias } => {
            let operands = operands.map(|at| addresses[at]);
            // SAFETY: `Product::check` found every operand within its array; memory as above.
            unsafe { blas.multiply(plan, operands, bias.map(|at| addresses[at])) }
        }
        // SAFETY: as many bytes as the array has; memory as above.
        Step::Clear { array, bytes } => unsafe { context.driver.clear(addresses[*array], *bytes) },
    }
}
