//! Matrix products by cuBLASLt, loaded when the first is asked for.
//!
//! A problem (`problem.rs`) is what decides the algorithm; for each the library's heuristic is asked once and
//! the plan (`plan.rs`) kept. The workspace is taken once: our stream runs one product at a time. Schemes that
//! add in the order in which blocks arrive are excluded, so the same operands give the same bits. What the
//! library does not do (nothing to sum, a bias it refuses) is done by small kernels of `rows_of_bias.cu`.

mod plan;
mod problem;

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::cublaslt::{result, sys};
use cudarc::driver::sys::CUstream;

pub(crate) use plan::Plan;
use problem::Problem;

use super::array::DeviceArray;
use super::device::DeviceMachine;
use super::driver::Driver;
use super::error::CudaError;
use super::product::Product;
use crate::machine::launch::{Launch, Number, Source};
use crate::machine::{Array, Machine};

/// 32 MiB: what NVIDIA recommends for Hopper, and more than for others. Source: cuBLAS documentation,
/// "`cublasSetWorkspace`".
const WORKSPACE_BYTES: usize = 32 << 20;

static ROWS: Source =
    Source::of("machine/cuda/cublaslt/rows_of_bias.cu", include_str!("rows_of_bias.cu"));

/// The library on one device.
#[derive(Debug)]
pub(crate) struct Blas {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    stream: CUstream,
    /// `None` where the library has no algorithm.
    plans: Mutex<HashMap<Problem, Option<Arc<Plan>>>>,
}

// SAFETY: the library's handle may be used from any thread; the workspace and the plans' descriptors are used by
// the one thread that gives work to the stream.
unsafe impl Send for Blas {}
// SAFETY: as above.
unsafe impl Sync for Blas {}

impl Blas {
    /// Loads the library and takes the workspace.
    pub(crate) fn new(driver: &Driver) -> Result<Self, CudaError> {
        // SAFETY: loads a library by name, which runs its initialisation alone.
        if !unsafe { sys::is_culib_present() } {
            return Err(CudaError::NoBlas);
        }
        driver.make_current()?;
        let handle = result::create_handle().map_err(plan::refused("opening the library"))?;
        let workspace = driver.keep_memory(WORKSPACE_BYTES)?;
        Ok(Self { handle, workspace, stream: driver.stream(), plans: Mutex::default() })
    }

    /// The plan of a product; `None` when the library has no algorithm for it.
    fn plan(
        &self,
        product: &Product<'_, DeviceArray>,
        driver: &Driver,
    ) -> Result<Option<Arc<Plan>>, CudaError> {
        let problem = Problem::of(product);
        // A plan is inserted whole, so a panicking thread left nothing half done.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&problem) {
            return Ok(plan.clone());
        }
        driver.make_current()?;
        let plan = Plan::new(self.handle, &problem, WORKSPACE_BYTES)?.map(Arc::new);
        plans.insert(problem, plan.clone());
        Ok(plan)
    }

    /// Computes a product on our stream: of `a`, `b`, what is added and the result.
    ///
    /// # Safety
    /// The addresses are those of the arrays of the product that the plan was made for, which stay until the
    /// stream is done; only one thread calls this at a time.
    pub(crate) unsafe fn multiply(
        &self,
        plan: &Plan,
        operands: [u64; 4],
        bias: Option<u64>,
    ) -> Result<(), CudaError> {
        // SAFETY: promised by the caller.
        unsafe {
            let workspace = self.workspace as *mut c_void;
            plan.run(self.handle, operands, bias, (workspace, WORKSPACE_BYTES), self.stream)
        }
    }
}

/// Puts a checked product into the batch of a machine.
pub(crate) fn put(
    machine: &DeviceMachine,
    product: &Product<'_, DeviceArray>,
) -> Result<(), CudaError> {
    let [m, n, k] = product.sizes();
    if product.batch * m * n == 0 {
        return Ok(());
    }
    if k == 0 {
        fill(machine, product);
        return Ok(());
    }
    let context = machine.context();
    let blas = context.blas()?;
    if let Some(plan) = blas.plan(product, &context.driver)? {
        machine.push_product(&blas, plan, product);
        return Ok(());
    }
    let Some(_) = product.bias else {
        return Err(plan::no_algorithm(&Problem::of(product)));
    };
    put(machine, &Product { bias: None, ..*product })?;
    fill(machine, &Product { accumulate: true, ..*product });
    Ok(())
}

/// The result of a product without terms: the bias or zeros, added or written.
fn fill(machine: &DeviceMachine, product: &Product<'_, DeviceArray>) {
    let [m, n, _] = product.sizes();
    let out = &product.out;
    if product.bias.is_none() && product.accumulate {
        return;
    }
    let zeros = product.bias.is_none().then(|| machine.zeros(out.array.element(), n));
    let row = product.bias.or(zeros.as_ref()).unwrap_or(out.array);
    for batch in 0..product.batch {
        let entry = if product.accumulate { "add_rows" } else { "write_rows" };
        let launch = Launch::of(&ROWS, entry).define("Real", out.array.element().real());
        let numbers = [out.place(batch, 0, 0), m, n, out.stride];
        let launch = launch.input(row).output(out.array);
        let launch = numbers
            .into_iter()
            .fold(launch, |launch, number| launch.number(Number::U64(number as u64)));
        machine.launch(launch.block(THREADS).grid((m * n).div_ceil(THREADS as usize)));
    }
}

const THREADS: u32 = 256;
