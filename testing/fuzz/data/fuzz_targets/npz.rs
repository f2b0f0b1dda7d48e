//! npz: any bytes (an even first byte), or a zip file of arrays whose names, types, shapes and bytes are any.
#![no_main]

use std::io::{Cursor, Write as _};

use genesis_fuzz_data::damage::Edits;
use genesis_fuzz_data::{scratch, structures};
use libfuzzer_sys::fuzz_target;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const NAMES: [&str; 8] = ["z", "R", "E", "F", "nuclear_charges", "coords", "e_unit", "r_unit"];
const TYPES: [&str; 8] = ["<f8", "<f4", "|u1", "<i8", ">f8", "<U8", "|O", "<i2"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let file = if first % 2 == 0 { rest.to_vec() } else { archive(&mut Edits(rest)) };
    structures(&scratch::file("input.npz", &file));
});

fn archive(edits: &mut Edits<'_>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in NAMES {
        if !edits.more() || edits.byte() % 4 == 0 {
            continue;
        }
        zip.start_file(format!("{name}.npy"), options).expect("names are of ASCII");
        zip.write_all(&array(edits)).expect("memory has room");
    }
    zip.finish().expect("memory has room").into_inner()
}

fn array(edits: &mut Edits<'_>) -> Vec<u8> {
    let kind = TYPES[edits.below(TYPES.len())];
    let order = if edits.byte() == 1 { "True" } else { "False" };
    let axes = usize::from(edits.byte() % 5);
    let shape: String = (0..axes).map(|_| format!("{}, ", size(edits))).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
    let length = u16::try_from(header.len()).expect("a header is short");
    let body = edits.below(400).min(edits.0.len());
    let (body, rest) = edits.0.split_at(body);
    edits.0 = rest;
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), body].concat()
}

fn size(edits: &mut Edits<'_>) -> u64 {
    match edits.byte() {
        255 => edits.number(),
        small => u64::from(small % 8),
    }
}
