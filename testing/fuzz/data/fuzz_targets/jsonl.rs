//! JSON lines with any bytes in them, as documents and as structures.
#![no_main]

use genesis_fuzz_data::{scratch, sequences, structures};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = scratch::file("input.jsonl", bytes);
    sequences(&path);
    structures(&path);
});
