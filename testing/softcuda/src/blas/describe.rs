//! Descriptions of products, of matrices and of what an algorithm may use: attributes by number.
//!
//! A value of another size than its attribute, or an attribute that this library does not know, is a finding.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::sync::{Mutex, PoisonError};

use super::{BlasStatus, Done, INVALID_VALUE, NOT_SUPPORTED, answer, misuse};
use crate::driver::{Handle, Tag};

/// `cudaDataType_t`, those computed with.
pub(super) const F32: c_int = 0;
pub(super) const F64: c_int = 1;
pub(super) const BF16: c_int = 14;

/// `cublasComputeType_t`.
pub(super) const SUMS_F32: c_int = 68;
pub(super) const SUMS_TF32: c_int = 77;
pub(super) const SUMS_F64: c_int = 70;

/// `cublasLtEpilogue_t`.
pub(super) const PLAIN: c_int = 1;
pub(super) const BIAS: c_int = 4;

/// A product.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Description {
    pub(super) sums: c_int,
    pub(super) scale: c_int,
    pub(super) transposed: [bool; 2],
    pub(super) epilogue: c_int,
    pub(super) bias: u64,
}

impl Description {
    /// What decides the algorithm.
    pub(super) fn without_addresses(self) -> Self {
        Self { bias: 0, ..self }
    }

    /// A factor, in the type of the scale.
    ///
    /// # Safety
    /// It can be read.
    pub(super) unsafe fn factor(&self, at: *const c_void) -> f64 {
        // SAFETY: promised by the caller.
        unsafe { if self.scale == F64 { *at.cast::<f64>() } else { f64::from(*at.cast::<f32>()) } }
    }
}

/// A batch of column-major matrices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Layout {
    pub(super) kind: c_int,
    pub(super) rows: u64,
    pub(super) columns: u64,
    /// Elements from column to column.
    pub(super) stride: i64,
    pub(super) batch: c_int,
    pub(super) batch_stride: i64,
}

/// What an algorithm may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preference {
    pub(super) workspace_bytes: u64,
    pub(super) alignments: [u32; 4],
}

/// All of one kind, by number.
struct Kept<T>(Mutex<(u64, Option<HashMap<u64, T>>)>);

static PRODUCTS: Kept<Description> = Kept(Mutex::new((0, None)));
static LAYOUTS: Kept<Layout> = Kept(Mutex::new((0, None)));
static PREFERENCES: Kept<Preference> = Kept(Mutex::new((0, None)));

impl<T: Copy> Kept<T> {
    fn add(&self, value: T) -> u64 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 += 1;
        let number = kept.0;
        kept.1.get_or_insert_default().insert(number, value);
        number
    }

    /// Changes what a handle is of.
    fn with<R>(
        &self,
        tag: Tag,
        handle: Handle,
        act: impl FnOnce(&mut T) -> R,
    ) -> Result<R, BlasStatus> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tag.number(handle).and_then(|number| kept.1.as_mut()?.get_mut(&number));
        found.map(act).ok_or_else(|| {
            misuse(INVALID_VALUE, &format!("cublasLt: no {tag:?}, or one that was destroyed"))
        })
    }

    fn remove(&self, tag: Tag, handle: Handle) -> Done {
        self.with(tag, handle, |_| ())?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(number), Some(all)) = (tag.number(handle), kept.1.as_mut()) {
            all.remove(&number);
        }
        Ok(())
    }
}

pub(super) fn description_of(handle: Handle) -> Result<Description, BlasStatus> {
    PRODUCTS.with(Tag::Descriptor, handle, |found| *found)
}

pub(super) fn layout_of(handle: Handle) -> Result<Layout, BlasStatus> {
    LAYOUTS.with(Tag::Layout, handle, |found| *found)
}

pub(super) fn preference_of(handle: Handle) -> Result<Preference, BlasStatus> {
    PREFERENCES.with(Tag::Preference, handle, |found| *found)
}

/// A value of an attribute, which has this size.
///
/// # Safety
/// As many bytes as said can be read.
unsafe fn value<T: Copy>(at: *const c_void, bytes: usize, of: &str) -> Result<T, BlasStatus> {
    if at.is_null() || bytes != size_of::<T>() {
        let text = format!("cublasLt: {of} of {bytes} bytes, which has {}", size_of::<T>());
        return Err(misuse(INVALID_VALUE, &text));
    }
    // SAFETY: promised by the caller; the size was just checked.
    Ok(unsafe { at.cast::<T>().read_unaligned() })
}

fn unknown(of: &str, attribute: c_int) -> BlasStatus {
    misuse(NOT_SUPPORTED, &format!("softcuda knows no attribute {attribute} of {of}"))
}

/// `cublasLtMatmulDescCreate`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulDescCreate(
    place: *mut Handle,
    sums: c_int,
    scale: c_int,
) -> BlasStatus {
    let made = Description { sums, scale, transposed: [false; 2], epilogue: PLAIN, bias: 0 };
    // SAFETY: promised by the caller.
    unsafe { *place = Tag::Descriptor.handle(PRODUCTS.add(made)) };
    BlasStatus(0)
}

/// `cublasLtMatmulDescDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cublasLtMatmulDescDestroy(handle: Handle) -> BlasStatus {
    answer(PRODUCTS.remove(Tag::Descriptor, handle))
}

/// `cublasLtMatmulDescSetAttribute`.
///
/// # Safety
/// As many bytes as said can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulDescSetAttribute(
    handle: Handle,
    attribute: c_int,
    at: *const c_void,
    bytes: usize,
) -> BlasStatus {
    // SAFETY: promised by the caller, here and below.
    let number = || unsafe { value::<c_int>(at, bytes, "an attribute of a product") };
    let set = PRODUCTS.with(Tag::Descriptor, handle, |of| {
        match attribute {
            3 | 4 => match number()? {
                transposed @ (0 | 1) => of.transposed[(attribute - 3) as usize] = transposed == 1,
                _ => return Err(misuse(NOT_SUPPORTED, "cublasLt: conjugated operands")),
            },
            7 => of.epilogue = number()?,
            // SAFETY: as above.
            8 => of.bias = unsafe { value(at, bytes, "the address of a bias")? },
            other => return Err(unknown("products", other)),
        }
        Ok(())
    });
    answer(set.and_then(|done| done))
}

/// `cublasLtMatrixLayoutCreate`.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatrixLayoutCreate(
    place: *mut Handle,
    kind: c_int,
    rows: u64,
    columns: u64,
    stride: i64,
) -> BlasStatus {
    let made = Layout { kind, rows, columns, stride, batch: 1, batch_stride: 0 };
    // SAFETY: promised by the caller.
    unsafe { *place = Tag::Layout.handle(LAYOUTS.add(made)) };
    BlasStatus(0)
}

/// `cublasLtMatrixLayoutDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cublasLtMatrixLayoutDestroy(handle: Handle) -> BlasStatus {
    answer(LAYOUTS.remove(Tag::Layout, handle))
}

/// `cublasLtMatrixLayoutSetAttribute`.
///
/// # Safety
/// As many bytes as said can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatrixLayoutSetAttribute(
    handle: Handle,
    attribute: c_int,
    at: *const c_void,
    bytes: usize,
) -> BlasStatus {
    let set = LAYOUTS.with(Tag::Layout, handle, |of| {
        match attribute {
            // SAFETY: promised by the caller, here and below.
            5 => of.batch = unsafe { value(at, bytes, "a number of matrices")? },
            // SAFETY: as above.
            6 => of.batch_stride = unsafe { value(at, bytes, "a stride of matrices")? },
            other => return Err(unknown("layouts", other)),
        }
        Ok(())
    });
    answer(set.and_then(|done| done))
}

/// `cublasLtMatmulPreferenceCreate`. Nothing is promised of addresses but what the documentation has as its
/// default: 256 bytes.
///
/// # Safety
/// The place can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulPreferenceCreate(place: *mut Handle) -> BlasStatus {
    let made = Preference { workspace_bytes: 0, alignments: [256; 4] };
    // SAFETY: promised by the caller.
    unsafe { *place = Tag::Preference.handle(PREFERENCES.add(made)) };
    BlasStatus(0)
}

/// `cublasLtMatmulPreferenceDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn cublasLtMatmulPreferenceDestroy(handle: Handle) -> BlasStatus {
    answer(PREFERENCES.remove(Tag::Preference, handle))
}

/// `cublasLtMatmulPreferenceSetAttribute`.
///
/// # Safety
/// As many bytes as said can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulPreferenceSetAttribute(
    handle: Handle,
    attribute: c_int,
    at: *const c_void,
    bytes: usize,
) -> BlasStatus {
    let set = PREFERENCES.with(Tag::Preference, handle, |of| {
        // SAFETY: promised by the caller, here and below.
        let number = || unsafe { value::<u32>(at, bytes, "an attribute of a preference") };
        match attribute {
            // SAFETY: as above.
            1 => of.workspace_bytes = unsafe { value(at, bytes, "a size of workspace")? },
            // Schemes of reduction: sums here have one order.
            3 => drop(number()?),
            5..=8 => match number()? {
                power if power.is_power_of_two() => of.alignments[(attribute - 5) as usize] = power,
                _ => {
                    return Err(misuse(
                        INVALID_VALUE,
                        "cublasLt: an alignment that is no power of two",
                    ));
                }
            },
            other => return Err(unknown("preferences", other)),
        }
        Ok(())
    });
    answer(set.and_then(|done| done))
}
