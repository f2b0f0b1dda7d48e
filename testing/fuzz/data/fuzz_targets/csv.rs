//! Tables with any bytes in them, their cells divided by commas (an even first byte) or tabs.
#![no_main]

use genesis_fuzz_data::{scratch, sequences};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, table)) = bytes.split_first() else { return };
    let name = if first % 2 == 0 { "input.csv" } else { "input.tsv" };
    sequences(&scratch::file(name, table));
});
