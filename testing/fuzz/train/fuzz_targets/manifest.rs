//! `manifest.json` of a checkpoint: what is accepted is written and read again equal, and its folder is opened.
#![no_main]

use std::path::Path;

use genesis_fuzz_data::datasets::sha256;
use genesis_fuzz_data::scratch;
use genesis_train::checkpoint::{Manifest, open};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(Path::new("manifest.json"), bytes) {
        let written = manifest.to_bytes();
        let again = Manifest::parse(Path::new("manifest.json"), &written).expect("written here");
        assert_eq!(again.to_bytes(), written);
        manifest.num_bytes();
    }
    let folder = scratch::folder("step-00000001");
    let committed = format!("{}\n", sha256(bytes));
    let files = [
        ("manifest.json", bytes),
        ("COMMITTED", committed.as_bytes()),
        ("model.safetensors", bytes),
    ];
    for (name, content) in files {
        std::fs::write(folder.join(name), content).expect("room");
    }
    let _ = open(&folder);
});
