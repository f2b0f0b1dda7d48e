//! FASTA with any bytes in it.
#![no_main]

use genesis_fuzz_data::{scratch, sequences};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sequences(&scratch::file("input.fasta", bytes)));
