//! The algorithm of one problem: descriptors and what the library's heuristic chose, made once.
//!
//! Source: cuBLAS documentation, "Using the cuBLASLt API".

use std::ffi::c_void;
use std::ptr;

use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{
    self, cublasLtMatmulDescAttributes_t as OfProduct,
    cublasLtMatmulPreferenceAttributes_t as OfSearch, cublasLtMatrixLayoutAttribute_t as OfMatrix,
};
use cudarc::driver::sys::CUstream;

use super::problem::{ElementKey, Layout, Problem};
use crate::machine::cuda::error::CudaError;

/// Sums of parts that are added in a fixed order: in the type of the sums, or of the result. The third scheme
/// adds where the result is, in the order in which blocks arrive. Source: `cublasLtReductionScheme_t`.
const ORDERED_REDUCTIONS: u32 = 2 | 4;

/// A factor as the library reads it: of the type of the sums.
const ONE: [f64; 1] = [1.0];
const ZERO: [f64; 1] = [0.0];
const ONE_NARROW: [f32; 1] = [1.0];
const ZERO_NARROW: [f32; 1] = [0.0];

/// Names what was being done when the library refused.
pub(super) fn refused(what: &'static str) -> impl Fn(CublasError) -> CudaError {
    move |error| CudaError::Blas { what: what.to_owned(), status: format!("{:?}", error.0) }
}

/// Nothing in the library computes this.
pub(super) fn no_algorithm(problem: &Problem) -> CudaError {
    let what = format!("a product without an algorithm: {problem:?}");
    CudaError::Blas { what, status: "CUBLAS_STATUS_NOT_SUPPORTED".into() }
}

/// How to compute one problem.
#[derive(Debug)]
pub(crate) struct Plan {
    problem: Problem,
    product: Descriptor,
    first: Matrix,
    second: Matrix,
    out: Matrix,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

// SAFETY: descriptors are plain memory of the library; they are changed (the address of the bias) by the one
// thread that gives work to the stream.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    /// Asks the heuristic; `None` when it knows no algorithm.
    pub(super) fn new(
        handle: sys::cublasLtHandle_t,
        problem: &Problem,
        workspace_bytes: usize,
    ) -> Result<Option<Self>, CudaError> {
        let (operand, out) = types(problem.operands);
        let product = Descriptor::new(problem)?;
        let first = Matrix::new(&problem.first, operand, problem.batch)?;
        let second = Matrix::new(&problem.second, operand, problem.batch)?;
        let out = Matrix::new(&problem.out, out, problem.batch)?;
        let search = Search::new(problem, workspace_bytes)?;
        // SAFETY: every descriptor was made above and lives.
        let found = unsafe {
            result::get_matmul_algo_heuristic(
                handle, product.0, first.0, second.0, out.0, out.0, search.0,
            )
        };
        match found {
            Ok(found) => {
                let (problem, algorithm) = (*problem, found.algo);
                Ok(Some(Self { problem, product, first, second, out, algorithm }))
            }
            Err(CublasError(
                sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED
                | sys::cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE,
            )) => Ok(None),
            Err(error) => Err(refused("asking for an algorithm")(error)),
        }
    }

    /// Gives the product to the stream.
    ///
    /// # Safety
    /// `a`, `b`, `added`, `out` and `bias` are the addresses of the arrays of the problem; memory stays until the
    /// stream is done; one thread at a time.
    pub(super) unsafe fn run(
        &self,
        handle: sys::cublasLtHandle_t,
        [a, b, added, out]: [u64; 4],
        bias: Option<u64>,
        (workspace, workspace_bytes): (*mut c_void, usize),
        stream: CUstream,
    ) -> Result<(), CudaError> {
        if let Some(bias) = bias {
            self.product.set(OfProduct::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias)?;
        }
        let at =
            |address: u64, layout: &Layout| (address + layout.offset_bytes as u64) as *mut c_void;
        let (first, second) = (at(b, &self.problem.first), at(a, &self.problem.second));
        let [added, out] = [added, out].map(|address| at(address, &self.problem.out));
        let (alpha, beta) = factors(&self.problem);
        // SAFETY: promised by the caller; descriptors live as long as the plan.
        unsafe {
            result::matmul(
                handle,
                self.product.0,
                alpha,
                beta,
                first.cast_const(),
                self.first.0,
                second.cast_const(),
                self.second.0,
                added.cast_const(),
                self.out.0,
                out,
                self.out.0,
                &raw const self.algorithm,
                workspace,
                workspace_bytes,
                stream.cast(),
            )
        }
        .map_err(refused("computing a product"))
    }
}

/// One, and one or zero for what is there.
fn factors(problem: &Problem) -> (*const c_void, *const c_void) {
    if problem.operands == ElementKey::F64 {
        let beta = if problem.accumulates { &ONE } else { &ZERO };
        (ONE.as_ptr().cast(), beta.as_ptr().cast())
    } else {
        let beta = if problem.accumulates { &ONE_NARROW } else { &ZERO_NARROW };
        (ONE_NARROW.as_ptr().cast(), beta.as_ptr().cast())
    }
}

/// Of the operands and of the result.
fn types(operands: ElementKey) -> (sys::cudaDataType_t, sys::cudaDataType_t) {
    use sys::cudaDataType_t as Type;
    match operands {
        ElementKey::F32 => (Type::CUDA_R_32F, Type::CUDA_R_32F),
        ElementKey::F64 => (Type::CUDA_R_64F, Type::CUDA_R_64F),
        ElementKey::Bf16 => (Type::CUDA_R_16BF, Type::CUDA_R_32F),
    }
}

/// A number as the library reads attributes: its address and size.
fn raw<T>(value: &T) -> (*const c_void, usize) {
    (ptr::from_ref(value).cast(), size_of::<T>())
}

/// Description of the product.
#[derive(Debug)]
struct Descriptor(sys::cublasLtMatmulDesc_t);

impl Descriptor {
    fn new(problem: &Problem) -> Result<Self, CudaError> {
        use sys::cublasComputeType_t as Sums;
        let (sums, scale) = match (problem.operands, problem.is_tf32) {
            (ElementKey::F64, _) => (Sums::CUBLAS_COMPUTE_64F, sys::cudaDataType_t::CUDA_R_64F),
            (ElementKey::F32, true) => {
                (Sums::CUBLAS_COMPUTE_32F_FAST_TF32, sys::cudaDataType_t::CUDA_R_32F)
            }
            _ => (Sums::CUBLAS_COMPUTE_32F, sys::cudaDataType_t::CUDA_R_32F),
        };
        let made = result::create_matmul_desc(sums, scale);
        let made = Self(made.map_err(refused("describing a product"))?);
        // CUBLAS_OP_N and CUBLAS_OP_T.
        let operation = |layout: &Layout| i32::from(layout.transposed);
        made.set(OfProduct::CUBLASLT_MATMUL_DESC_TRANSA, &operation(&problem.first))?;
        made.set(OfProduct::CUBLASLT_MATMUL_DESC_TRANSB, &operation(&problem.second))?;
        if problem.has_bias {
            let epilogue = sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS as u32;
            made.set(OfProduct::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
        }
        Ok(made)
    }

    fn set<T>(&self, attribute: OfProduct, value: &T) -> Result<(), CudaError> {
        let (value, bytes) = raw(value);
        // SAFETY: the descriptor lives; the value has the size that goes with it.
        unsafe { result::set_matmul_desc_attribute(self.0, attribute, value, bytes) }
            .map_err(refused("describing a product"))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once. What it says there is nothing left to do about.
        let _ = unsafe { result::destroy_matmul_desc(self.0) };
    }
}

/// Description of a batch of matrices.
#[derive(Debug)]
struct Matrix(sys::cublasLtMatrixLayout_t);

impl Matrix {
    fn new(layout: &Layout, of: sys::cudaDataType_t, batch: usize) -> Result<Self, CudaError> {
        let (rows, columns) = (layout.rows as u64, layout.columns as u64);
        let made = result::create_matrix_layout(of, rows, columns, signed(layout.stride));
        let made = Self(made.map_err(refused("describing a matrix"))?);
        if batch > 1 {
            let count = i32::try_from(batch).unwrap_or(i32::MAX);
            made.set(OfMatrix::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count)?;
            let stride = signed(layout.batch_stride);
            made.set(OfMatrix::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride)?;
        }
        Ok(made)
    }

    fn set<T>(&self, attribute: OfMatrix, value: &T) -> Result<(), CudaError> {
        let (value, bytes) = raw(value);
        // SAFETY: the descriptor lives; the value has the size that goes with it.
        unsafe { result::set_matrix_layout_attribute(self.0, attribute, value, bytes) }
            .map_err(refused("describing a matrix"))
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once. What it says there is nothing left to do about.
        let _ = unsafe { result::destroy_matrix_layout(self.0) };
    }
}

/// What an algorithm may use.
struct Search(sys::cublasLtMatmulPreference_t);

impl Search {
    fn new(problem: &Problem, workspace_bytes: usize) -> Result<Self, CudaError> {
        let made = result::create_matmul_pref().map_err(refused("describing a search"))?;
        let made = Self(made);
        made.set(OfSearch::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes)?;
        made.set(OfSearch::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &ORDERED_REDUCTIONS)?;
        let alignments = [
            (OfSearch::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &problem.first),
            (OfSearch::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &problem.second),
            (OfSearch::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &problem.out),
            (OfSearch::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &problem.out),
        ];
        for (attribute, layout) in alignments {
            made.set(attribute, &u32::try_from(layout.alignment).unwrap_or(1))?;
        }
        Ok(made)
    }

    fn set<T>(&self, attribute: OfSearch, value: &T) -> Result<(), CudaError> {
        let (value, bytes) = raw(value);
        // SAFETY: the descriptor lives; the value has the size that goes with it.
        unsafe { result::set_matmul_pref_attribute(self.0, attribute, value, bytes) }
            .map_err(refused("describing a search"))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once. What it says there is nothing left to do about.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
