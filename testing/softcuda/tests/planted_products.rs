//! Products of cuBLASLt: right ones have their numbers, and wrong descriptions, addresses and algorithms are found.

mod support;

use std::ffi::c_void;
use std::ptr;

use softcuda::blas::describe::*;
use softcuda::blas::*;
use softcuda::driver::{Handle, stream};
use softcuda::{Status, findings};
use support::*;

const F32: i32 = 0;
const SUMS_F32: i32 = 68;

/// C = A B of column-major matrices, [m, n] and k terms, with these strides of A, B and C.
struct Product {
    sizes: [u64; 3],
    strides: [i64; 3],
    alignment: u32,
}

impl Product {
    fn plain(sizes: [u64; 3]) -> Self {
        let [m, _, k] = sizes.map(u64::cast_signed);
        Self { sizes, strides: [m, k, m], alignment: 16 }
    }

    /// Descriptions: the product, A, B and C, and the handle.
    fn describe(&self) -> ([Handle; 4], Handle) {
        let [m, n, k] = self.sizes;
        let mut all = [ptr::null_mut(); 4];
        let mut handle = ptr::null_mut();
        // SAFETY: places are written.
        unsafe {
            assert_eq!(cublasLtCreate(&raw mut handle).0, 0);
            cublasLtMatmulDescCreate(&raw mut all[0], SUMS_F32, F32);
            let sizes = [(m, k), (k, n), (m, n)];
            for ((place, (rows, columns)), stride) in
                all[1..].iter_mut().zip(sizes).zip(self.strides)
            {
                cublasLtMatrixLayoutCreate(place, F32, rows, columns, stride);
            }
        }
        (all, handle)
    }

    fn choose(&self, [product, a, b, c]: [Handle; 4], handle: Handle) -> (i32, Heuristic) {
        let mut preference = ptr::null_mut();
        let (mut found, mut count) = (std::mem::MaybeUninit::<Heuristic>::zeroed(), 0);
        // SAFETY: places are written; attributes have four bytes.
        unsafe {
            cublasLtMatmulPreferenceCreate(&raw mut preference);
            for attribute in 5..=8 {
                let value = (&raw const self.alignment).cast();
                cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, 4);
            }
            let result = cublasLtMatmulAlgoGetHeuristic(
                handle,
                product,
                a,
                b,
                c,
                c,
                preference,
                1,
                found.as_mut_ptr(),
                &raw mut count,
            );
            (result.0, found.assume_init())
        }
    }

    /// Everything; the result of the last call.
    fn run(&self, [a, b, c]: [u64; 3], on: Handle) -> i32 {
        let (all, handle) = self.describe();
        let (result, found) = self.choose(all, handle);
        if result != 0 {
            return result;
        }
        let ([product, of_a, of_b, of_c], one, zero) = (all, 1.0_f32, 0.0_f32);
        let factor = |x: &f32| ptr::from_ref(x).cast::<c_void>();
        let [a, b, c] = [a, b, c].map(|at| at as *mut c_void);
        // SAFETY: factors are f32, as the description says.
        let result = unsafe {
            cublasLtMatmul(
                handle,
                product,
                factor(&one),
                a,
                of_a,
                b,
                of_b,
                factor(&zero),
                c,
                of_c,
                c,
                of_c,
                found.algorithm(),
                ptr::null_mut(),
                0,
                on,
            )
        };
        result.0
    }
}

/// A [2, 3] = 1..6 and B [3, 2] = 1..6 on a stream, and room for C.
fn operands(on: Handle) -> [u64; 3] {
    let all = [allocate(32, on), allocate(32, on), allocate(32, on)];
    let numbers: Vec<f32> = (1..=6_u8).map(f32::from).collect();
    assert_eq!(upload(all[0], &numbers, on), Status::SUCCESS);
    assert_eq!(upload(all[1], &numbers, on), Status::SUCCESS);
    all
}

#[test]
fn a_product_has_its_numbers_and_a_wrong_stride_is_found() {
    alone("a_product_has_its_numbers_and_a_wrong_stride_is_found", || {
        device();
        let on = new_stream();
        let [a, b, c] = operands(on);
        assert_eq!(Product::plain([2, 2, 3]).run([a, b, c], on), 0);
        assert_eq!(download(c, 4, on), Ok(vec![22.0, 28.0, 49.0, 64.0]));
        assert!(findings().is_empty());
        // Columns of B are said to be four apart: the second ends behind what was written.
        let wrong = Product { strides: [2, 4, 2], ..Product::plain([2, 2, 3]) };
        assert_eq!(wrong.run([a, b, c], on), 0);
        assert_eq!(stream::cuStreamSynchronize(on), Status::ILLEGAL_ADDRESS);
        assert_found(&["a product reads 12 bytes", "byte 16 of `B`", "nobody wrote"]);
    });
}

#[test]
fn a_stride_below_the_rows_is_found_when_it_is_described() {
    alone("a_stride_below_the_rows_is_found_when_it_is_described", || {
        device();
        let on = new_stream();
        let all = operands(on);
        let wrong = Product { strides: [2, 2, 2], ..Product::plain([2, 2, 3]) };
        assert_eq!(wrong.run(all, on), 7);
        assert_found(&["the layout of B has a stride below its rows"]);
    });
}

#[test]
fn an_address_that_is_less_aligned_than_promised_is_found() {
    alone("an_address_that_is_less_aligned_than_promised_is_found", || {
        device();
        let on = new_stream();
        let [a, b, c] = operands(on);
        assert_eq!(Product::plain([1, 1, 2]).run([a + 4, b, c], on), 7);
        assert_found(&["A is not aligned to 16 bytes"]);
    });
}

#[test]
fn a_product_unordered_with_what_it_reads_is_found() {
    alone("a_product_unordered_with_what_it_reads_is_found", || {
        device();
        let (on, other) = (new_stream(), new_stream());
        let [a, b, _] = operands(on);
        let c = allocate(32, other);
        assert_eq!(Product::plain([2, 2, 3]).run([a, b, c], other), 0);
        assert_eq!(stream::cuStreamSynchronize(other), Status::ILLEGAL_ADDRESS);
        assert_found(&["a product", "`A`"]);
    });
}
