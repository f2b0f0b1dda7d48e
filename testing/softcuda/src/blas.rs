//! The functions of libcublasLt: descriptions, a heuristic that answers at once, products by plain loops.
//!
//! An algorithm remembers for what it was chosen: used for another problem, with addresses that are aligned to
//! less than was promised, or with less workspace, it is a finding. Source: cuBLAS documentation, "Using the
//! cuBLASLt API".

pub mod describe;
mod product;

use std::ffi::{c_int, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};

use describe::{Description, Layout, Preference, description_of, layout_of, preference_of};
use product::{Operand, Problem};

use crate::driver::stream::stream_of;
use crate::driver::{Handle, Tag, current, healthy};
use crate::finding::found;
use crate::machine::machine;
use crate::status::Status;
use crate::work::Task;

/// `cublasStatus_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct BlasStatus(pub c_int);

pub(crate) const SUCCESS: BlasStatus = BlasStatus(0);
const NOT_INITIALIZED: BlasStatus = BlasStatus(1);
pub(crate) const INVALID_VALUE: BlasStatus = BlasStatus(7);
const EXECUTION_FAILED: BlasStatus = BlasStatus(13);
pub(crate) const NOT_SUPPORTED: BlasStatus = BlasStatus(15);

/// What of the library a function does.
pub(crate) type Done = Result<(), BlasStatus>;

pub(crate) fn answer(done: Done) -> BlasStatus {
    done.err().unwrap_or(SUCCESS)
}

/// A broken precondition.
pub(crate) fn misuse(status: BlasStatus, text: &str) -> BlasStatus {
    found(text);
    status
}

fn of_driver(status: Status) -> BlasStatus {
    if status == Status::NOT_INITIALIZED { NOT_INITIALIZED } else { EXECUTION_FAILED }
}

/// `cublasLtMatmulAlgo_t`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Algorithm {
    magic: u64,
    problem: u64,
    /// Bytes to which A, B, C and D are aligned.
    alignments: [u32; 4],
    workspace_bytes: u64,
    rest: [u64; 3],
}

const MAGIC: u64 = 0x736f_6674_6375_6461;

/// `cublasLtMatmulHeuristicResult_t`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Heuristic {
    algorithm: Algorithm,
    workspace_bytes: usize,
    state: BlasStatus,
    waves: f32,
    reserved: [c_int; 4],
}

impl Heuristic {
    /// What `cublasLtMatmul` wants.
    pub fn algorithm(&self) -> *const Algorithm {
        &raw const self.algorithm
    }
}

/// `cublasLtCreate`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtCreate(handle: *mut Handle) -> BlasStatus {
    let machine = machine();
    let create = || {
        let device = current(&machine, "cublasLtCreate").map_err(of_driver)?;
        // SAFETY: promised by the caller.
        unsafe { *handle = Tag::Blas.handle(device as u64) };
        Ok(())
    };
    answer(create())
}

/// `cublasLtDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cublasLtDestroy(handle: Handle) -> BlasStatus {
    answer(device_of(handle).map(|_| ()))
}

fn device_of(handle: Handle) -> Result<usize, BlasStatus> {
    let number = Tag::Blas.number(handle).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| misuse(NOT_INITIALIZED, "cublasLt with what is no handle of it"))
}

/// Descriptions of the product, of A, B, C and D.
struct All {
    product: Description,
    layouts: [Layout; 4],
}

impl All {
    fn of(product: Handle, layouts: [Handle; 4]) -> Result<Self, BlasStatus> {
        let [a, b, c, d] = layouts;
        let layouts = [layout_of(a)?, layout_of(b)?, layout_of(c)?, layout_of(d)?];
        Ok(Self { product: description_of(product)?, layouts })
    }

    /// What an algorithm is chosen for.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.product.without_addresses().hash(&mut hasher);
        self.layouts.hash(&mut hasher);
        hasher.finish()
    }
}

/// `cublasLtMatmulAlgoGetHeuristic`: one algorithm, or none.
///
/// # Safety
/// There is room for the results asked for, and for their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulAlgoGetHeuristic(
    handle: Handle,
    product: Handle,
    a: Handle,
    b: Handle,
    c: Handle,
    d: Handle,
    preference: Handle,
    asked: c_int,
    results: *mut Heuristic,
    returned: *mut c_int,
) -> BlasStatus {
    let choose = || {
        device_of(handle)?;
        let all = All::of(product, [a, b, c, d])?;
        let Preference { workspace_bytes, alignments } = preference_of(preference)?;
        if asked < 1 {
            return Err(misuse(INVALID_VALUE, "cublasLtMatmulAlgoGetHeuristic for no result"));
        }
        Problem::of(&all.product, all.layouts)?;
        let (magic, problem) = (MAGIC, all.key());
        let algorithm = Algorithm { magic, problem, alignments, workspace_bytes, rest: [0; 3] };
        let workspace_bytes = usize::try_from(workspace_bytes).unwrap_or(usize::MAX).min(4096);
        let algorithm = Algorithm { workspace_bytes: workspace_bytes as u64, ..algorithm };
        let state = SUCCESS;
        // SAFETY: promised by the caller.
        unsafe {
            *results =
                Heuristic { algorithm, workspace_bytes, state, waves: 1.0, reserved: [0; 4] };
            *returned = 1;
        }
        Ok(())
    };
    let done = choose();
    if done.is_err() {
        // SAFETY: promised by the caller.
        unsafe { *returned = 0 };
    }
    answer(done)
}

/// `cublasLtMatmul`.
///
/// # Safety
/// Both factors can be read as the type of the scale; the rest are handles and addresses of devices.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmul(
    handle: Handle,
    product: Handle,
    alpha: *const c_void,
    a: *const c_void,
    a_layout: Handle,
    b: *const c_void,
    b_layout: Handle,
    beta: *const c_void,
    c: *const c_void,
    c_layout: Handle,
    d: *mut c_void,
    d_layout: Handle,
    algorithm: *const Algorithm,
    workspace: *mut c_void,
    workspace_bytes: usize,
    stream: Handle,
) -> BlasStatus {
    let mut machine = machine();
    let mut multiply = || {
        let device = device_of(handle)?;
        let all = All::of(product, [a_layout, b_layout, c_layout, d_layout])?;
        let stream = stream_of(&mut machine, stream, "cublasLtMatmul").map_err(of_driver)?;
        healthy(&machine, device).map_err(of_driver)?;
        if machine.streams[stream as usize].device != device {
            return Err(misuse(INVALID_VALUE, "cublasLtMatmul on a stream of another device"));
        }
        let mut problem = Problem::of(&all.product, all.layouts)?;
        if alpha.is_null() || beta.is_null() {
            return Err(misuse(INVALID_VALUE, "cublasLtMatmul without its factors"));
        }
        // SAFETY: promised by the caller.
        problem.factors = unsafe { [all.product.factor(alpha), all.product.factor(beta)] };
        let addresses = [a as usize, b as usize, c as usize, d as usize];
        problem.addresses = addresses;
        // SAFETY: an algorithm is plain memory; null is allowed, and then nothing was promised.
        if let Some(algorithm) = unsafe { algorithm.as_ref() } {
            check_algorithm(algorithm, &all, addresses, workspace as usize, workspace_bytes)?;
            problem.workspace = (workspace as usize, algorithm.workspace_bytes as usize);
        }
        problem.check_addresses()?;
        let task = Task::Product(Box::new(move |arena| problem.run(arena)));
        machine.give(stream, "a product", task);
        Ok(())
    };
    answer(multiply())
}

fn check_algorithm(
    algorithm: &Algorithm,
    all: &All,
    addresses: [usize; 4],
    workspace: usize,
    workspace_bytes: usize,
) -> Done {
    if algorithm.magic != MAGIC || algorithm.problem != all.key() {
        let text = "cublasLtMatmul with an algorithm that was chosen for another problem";
        return Err(misuse(NOT_SUPPORTED, text));
    }
    let operands = Operand::ALL.into_iter().zip(addresses).zip(algorithm.alignments);
    for ((operand, address), alignment) in operands {
        if !address.is_multiple_of(alignment.max(1) as usize) {
            let text = format!(
                "cublasLtMatmul: {operand:?} is not aligned to {alignment} bytes, as was promised"
            );
            return Err(misuse(INVALID_VALUE, &text));
        }
    }
    if (workspace_bytes as u64) < algorithm.workspace_bytes {
        return Err(misuse(INVALID_VALUE, "cublasLtMatmul with less workspace than its algorithm"));
    }
    if algorithm.workspace_bytes > 0 && (workspace == 0 || !workspace.is_multiple_of(256)) {
        return Err(misuse(INVALID_VALUE, "cublasLtMatmul: its workspace is not on 256 bytes"));
    }
    Ok(())
}
