//! Extended XYZ with any bytes in it.
#![no_main]

use genesis_fuzz_data::{scratch, structures};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| structures(&scratch::file("input.xyz", bytes)));
