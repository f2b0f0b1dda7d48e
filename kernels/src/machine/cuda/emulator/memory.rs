//! Arrays of the emulator: between guard pages, with canaries in what the pages leave.
//!
//! The data ends where a page ends (16-byte aligned, so that at most 15 bytes remain), hence reading or
//! writing behind an array is a fault at the instruction that does it; the bytes before it are canaries
//! that are looked at after every launch. Not here: what a launch reports.

use std::rc::Rc;

use half::bf16;

use crate::machine::{Array, Element};

/// What the bytes around the data hold: no likely number.
const CANARY: u8 = 0xA5;
/// What a device's vector loads need, and what allocators of devices give at least.
const ALIGNMENT: usize = 16;

#[derive(Debug)]
struct Pages {
    start: *mut u8,
    len: usize,
    data: usize,
    bytes: usize,
    page: usize,
}

impl Pages {
    fn new(bytes: usize) -> Self {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).expect("a size");
        let padded = bytes.next_multiple_of(ALIGNMENT);
        let inside = padded.max(1).next_multiple_of(page);
        let len = inside + 2 * page;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new anonymous memory, of nobody else.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        assert!(start != libc::MAP_FAILED, "no memory for an array of {bytes} bytes");
        let start = start.cast::<u8>();
        // SAFETY: first and last page of the mapping; everything between them is filled.
        unsafe {
            libc::mprotect(start.cast(), page, libc::PROT_NONE);
            libc::mprotect(start.add(page + inside).cast(), page, libc::PROT_NONE);
            start.add(page).write_bytes(CANARY, inside);
        }
        Self { start, len, data: page + inside - padded, bytes, page }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: `data` lies within the mapping.
        unsafe { self.start.add(self.data) }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: written by `new`, and kernels run only while no slice of it lives.
        unsafe { std::slice::from_raw_parts(self.data(), self.bytes) }
    }

    /// Are the bytes before and behind the data as they were?
    fn is_intact(&self) -> bool {
        let end = self.data + self.bytes;
        let around = [(self.page, self.data), (end, self.len - self.page)];
        around.into_iter().all(|(from, to)| {
            // SAFETY: within the pages that can be read.
            let bytes = unsafe { std::slice::from_raw_parts(self.start.add(from), to - from) };
            bytes.iter().all(|&byte| byte == CANARY)
        })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nobody uses any more.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

/// An array whose surroundings are watched.
#[derive(Clone, Debug)]
pub(crate) struct GuardedArray {
    pages: Rc<Pages>,
    element: Element,
    len: usize,
}

impl Array for GuardedArray {
    fn element(&self) -> Element {
        self.element
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl GuardedArray {
    /// Filled with this byte: 0xFF is NaN in every float.
    pub(crate) fn filled(element: Element, len: usize, byte: u8) -> Self {
        let pages = Pages::new(len * element.bytes());
        // SAFETY: the data of a new mapping.
        unsafe { pages.data().write_bytes(byte, pages.bytes) };
        Self { pages: Rc::new(pages), element, len }
    }

    /// Of these numbers, rounded to the element type.
    ///
    /// # Panics
    /// When an integer type cannot hold one of them.
    pub(crate) fn of(element: Element, values: &[f64]) -> Self {
        let array = Self::filled(element, values.len(), 0);
        for (at, &value) in values.iter().enumerate() {
            array.set(at, value);
        }
        array
    }

    /// Where the data begins.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.pages.data()
    }

    /// Did nothing write around the data?
    pub(crate) fn is_intact(&self) -> bool {
        self.pages.is_intact()
    }

    /// Every number as f64.
    pub(crate) fn values(&self) -> Vec<f64> {
        (0..self.len).map(|at| self.get(at)).collect()
    }

    /// The content.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.pages.bytes()
    }

    /// One number as f64.
    pub(crate) fn get(&self, at: usize) -> f64 {
        let size = self.element.bytes();
        let bytes = &self.bytes()[at * size..(at + 1) * size];
        let four = || <[u8; 4]>::try_from(bytes).expect("four bytes");
        match self.element {
            Element::F32 => f64::from(f32::from_ne_bytes(four())),
            Element::F64 => f64::from_ne_bytes(bytes.try_into().expect("eight bytes")),
            Element::Bf16 => f64::from(bf16::from_ne_bytes(bytes.try_into().expect("two bytes"))),
            Element::U8 => f64::from(bytes[0]),
            Element::U32 => f64::from(u32::from_ne_bytes(four())),
            Element::I32 => f64::from(i32::from_ne_bytes(four())),
        }
    }

    /// Writes one number.
    pub(crate) fn set(&self, at: usize, value: f64) {
        assert!(at < self.len, "element {at} of an array of {}", self.len);
        let bytes = self.encoded(value);
        let size = bytes.len();
        // SAFETY: in range by the assertion above; no slice of the data lives across a call.
        unsafe { self.pointer().add(at * size).copy_from_nonoverlapping(bytes.as_ptr(), size) };
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "integers are checked to come back equal"
    )]
    fn encoded(&self, value: f64) -> Vec<u8> {
        let (bytes, back) = match self.element {
            Element::F32 => ((value as f32).to_ne_bytes().to_vec(), value),
            Element::F64 => (value.to_ne_bytes().to_vec(), value),
            Element::Bf16 => (bf16::from_f64(value).to_ne_bytes().to_vec(), value),
            Element::U8 => (vec![value as u8], f64::from(value as u8)),
            Element::U32 => ((value as u32).to_ne_bytes().to_vec(), f64::from(value as u32)),
            Element::I32 => ((value as i32).to_ne_bytes().to_vec(), f64::from(value as i32)),
        };
        assert!(back.to_bits() == value.to_bits(), "{value} is no {:?}", self.element);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_before_or_behind_the_data_is_noticed() {
        let array = GuardedArray::of(Element::F32, &[1.0, -2.0, 0.5]);
        assert_eq!(array.values(), [1.0, -2.0, 0.5]);
        assert!(array.is_intact());
        // SAFETY: bytes of the mapping around twelve bytes of data that end four before a page.
        unsafe { array.pointer().add(12).write(0) };
        assert!(!array.is_intact());
        let array = GuardedArray::filled(Element::F64, 2, 0xFF);
        assert!(array.values().iter().all(|x| x.is_nan()) && array.is_intact());
        // SAFETY: as above, before the data.
        unsafe { array.pointer().sub(1).write(0) };
        assert!(!array.is_intact());
    }

    #[test]
    #[should_panic(expected = "-1 is no U32")]
    fn a_number_that_the_type_cannot_hold_is_refused() {
        let _ = GuardedArray::of(Element::U32, &[-1.0]);
    }
}
