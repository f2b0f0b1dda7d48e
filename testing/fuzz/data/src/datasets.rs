//! A small dataset of each kind, made once, and copies whose card or shard was damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use genesis_data::Split;
use genesis_data::ingest::Silent;
use genesis_data::sequences::{
    SequencesDataset, SequencesIngest, TokenizerChoice, ingest_sequences,
};
use genesis_data::structures::{StructuresDataset, StructuresIngest, ingest_structures};
use genesis_data::verify::verify;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::scratch;

/// The card of a dataset.
pub const CARD: &str = "dataset.json";

const TEXTS: &str =
    "the first line\nanother one\na third of them\nand the last, longer than others\n";
const CRYSTALS: &str = "2\nLattice=\"4 0 0 0 4 0 0 0 4\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 \
    pbc=\"T T T\"\nSi 0 0 0 0.1 0 0\nSi 1.9 2 2 -0.1 0 0\n2\nProperties=species:S:1:pos:R:3:forces:R:3 \
    energy=-1.25 pbc=\"F F F\"\nSi 0 0 0 0 0 0.2\nC 0 0 1.8 0 0 -0.2\n";

/// Datasets of tokens and of graphs.
pub static WHOLE: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    let text = scratch::file("whole.txt", TEXTS.as_bytes());
    let tokens = scratch::path("whole-tokens");
    let plan = SequencesIngest {
        documents: genesis_data::formats::DocumentRule::Line,
        overwrite: true,
        ..SequencesIngest::new(vec![text], TokenizerChoice::Byte, tokens.clone())
    };
    ingest_sequences(&plan, &Silent).expect("lines of text");
    let graphs = scratch::path("whole-graphs");
    let plan = StructuresIngest {
        inputs: vec![scratch::file("whole.xyz", CRYSTALS.as_bytes())],
        output: graphs.clone(),
        overwrite: true,
        ..StructuresIngest::default()
    };
    ingest_structures(&plan, &Silent).expect("two structures");
    [tokens, graphs]
});

/// A copy of a dataset that may be damaged.
pub fn copy(of: &Path) -> PathBuf {
    let copy = scratch::folder("damaged");
    for entry in fs::read_dir(of).expect("a dataset").flatten() {
        fs::copy(entry.path(), copy.join(entry.file_name())).expect("room for a copy");
    }
    copy
}

/// The card of a dataset as JSON.
pub fn card(root: &Path) -> Value {
    serde_json::from_slice(&fs::read(root.join(CARD)).expect("a card")).expect("JSON")
}

/// Writes a card and the digest that goes with it, so that what it says is read.
pub fn put_card(root: &Path, card: &[u8]) {
    let digest = sha256(card);
    fs::write(root.join(CARD), card).expect("room");
    fs::write(root.join(format!("{CARD}.sha256")), format!("{digest}  {CARD}\n")).expect("room");
}

/// As files of digests have it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a folder as either kind, reads all samples and verifies it.
pub fn read_whole(root: &Path) {
    for split in Split::ALL {
        if let Ok(dataset) = SequencesDataset::open(root) {
            for index in 0..dataset.num_documents(split).min(64) {
                let _ = dataset.document(split, index);
            }
            let _ = dataset.segments(split, 0, dataset.num_tokens(split).min(1 << 12));
            let _ = dataset.tokenizer();
        }
        if let Ok(dataset) = StructuresDataset::open(root) {
            for index in 0..dataset.num_frames(split).min(64) {
                let _ = dataset.frame(split, index);
            }
        }
    }
    let _ = verify(root, &mut |_| ());
}
