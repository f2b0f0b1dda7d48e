//! A folder of its own for each test, small files of structures, and datasets read back.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use genesis_data::dataset::Split;
use genesis_data::ingest::{IngestError, Silent};
use genesis_data::structures::ingest::ValidationChoice;
use genesis_data::structures::{StoredFrame, StructuresDataset};
use genesis_data::structures::{StructuresIngest, StructuresSummary, ingest_structures};

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Reads `files`, nothing held out.
    pub(crate) fn plan(&self, files: &[&str]) -> StructuresIngest {
        let inputs = files.iter().map(|file| self.path(file)).collect();
        StructuresIngest {
            validation: ValidationChoice::Fraction { fraction: 0.0 },
            overwrite: true,
            ..StructuresIngest::new(inputs, self.path("out"))
        }
    }
}

pub(crate) fn run(plan: &StructuresIngest) -> StructuresSummary {
    ingest_structures(plan, &Silent).unwrap()
}

pub(crate) fn failure(plan: &StructuresIngest) -> IngestError {
    ingest_structures(plan, &Silent).unwrap_err()
}

pub(crate) fn frames(root: &Path, split: Split) -> Vec<StoredFrame> {
    let dataset = StructuresDataset::open(root).unwrap();
    (0..dataset.num_frames(split)).map(|i| dataset.frame(split, i).unwrap()).collect()
}

/// All files of a dataset with their bytes.
pub(crate) fn folder_bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(entry).collect()
}

/// Bent water molecules, each a little different, with energies and forces in eV and Å.
pub(crate) fn waters(numbers: std::ops::Range<u32>) -> String {
    numbers.fold(String::new(), |mut text, i| {
        let x = f64::from(i) * 1e-3;
        writeln!(
            text,
            "3\nProperties=species:S:1:pos:R:3:forces:R:3 energy={} config_type=w",
            -14.0 - x
        )
        .unwrap();
        writeln!(text, "O 0 0 0 {x} 0 0\nH {} 0 0 0 0 0\nH 0 {} 0 {} 0 0", 0.95 + x, 0.96 + x, -x)
            .unwrap();
        text
    })
}

/// Columns `atomic_numbers`, `positions`, `forces`, `energy`, `config_type`, lists flat.
pub(crate) fn write_parquet(path: &Path, frames: &[genesis_schema::Frame]) {
    use arrow_array::builder::{Float64Builder, ListBuilder, UInt8Builder};
    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let mut numbers = ListBuilder::new(UInt8Builder::new());
    let (mut positions, mut forces) =
        (ListBuilder::new(Float64Builder::new()), ListBuilder::new(Float64Builder::new()));
    for frame in frames {
        numbers.append_value(frame.atomic_numbers.iter().map(|&z| Some(z)));
        positions.append_value(frame.positions.iter().flatten().map(|&x| Some(x)));
        let labels = frame.labels.forces.as_ref().unwrap();
        forces.append_value(labels.iter().flatten().map(|&x| Some(x)));
    }
    let energies: Float64Array = frames.iter().map(|frame| frame.labels.energy).collect();
    let kinds: StringArray = frames.iter().map(|frame| Some(frame.config_type.clone())).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("atomic_numbers", Arc::new(numbers.finish())),
        ("positions", Arc::new(positions.finish())),
        ("forces", Arc::new(forces.finish())),
        ("energy", Arc::new(energies)),
        ("config_type", Arc::new(kinds)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// `nuclear_charges`, `coords`, `energies`, `forces` of frames of one molecule.
pub(crate) fn write_npz(path: &Path, frames: &[genesis_schema::Frame]) {
    use std::io::Write as _;
    let (count, atoms) = (frames.len(), frames[0].atomic_numbers.len());
    let bytes = |numbers: &mut dyn Iterator<Item = f64>| -> Vec<u8> {
        numbers.flat_map(f64::to_le_bytes).collect()
    };
    let coords = bytes(&mut frames.iter().flat_map(|f| f.positions.iter().flatten().copied()));
    let forces = |f: &genesis_schema::Frame| f.labels.forces.clone().unwrap().concat();
    let forces = bytes(&mut frames.iter().flat_map(forces));
    let energies = bytes(&mut frames.iter().map(|f| f.labels.energy.unwrap()));
    let arrays = [
        ("nuclear_charges", "|u1", format!("({atoms},)"), frames[0].atomic_numbers.clone()),
        ("coords", "<f8", format!("({count}, {atoms}, 3)"), coords),
        ("energies", "<f8", format!("({count},)"), energies),
        ("forces", "<f8", format!("({count}, {atoms}, 3)"), forces),
    ];
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, kind, shape, data) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&[&length[..], header.as_bytes(), &data].concat()).unwrap();
    }
    zip.finish().unwrap();
}
