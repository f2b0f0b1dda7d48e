//! A folder of its own for each test, and datasets read back as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesDataset;

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.write_bytes(name, text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A Parquet file of these columns.
    pub(crate) fn write_parquet<const N: usize>(
        &self,
        name: &str,
        columns: [(&str, arrow_array::ArrayRef); N],
    ) {
        let batch = arrow_array::RecordBatch::try_from_iter(columns).unwrap();
        let file = fs::File::create(self.path(name)).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// Everything in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        folder_names(self.0.path())
    }
}

pub(crate) fn folder_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The texts `line(i)`, one after the other.
pub(crate) fn lines(numbers: std::ops::Range<u64>, line: impl Fn(u64) -> String) -> String {
    numbers.fold(String::new(), |text, i| text + &line(i))
}

/// `text`, `times` times over.
pub(crate) fn repeated(text: &str, times: u64) -> String {
    text.repeat(usize::try_from(times).unwrap())
}

/// All files of a dataset with their bytes.
pub(crate) fn folder_bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| (name.clone(), fs::read(folder.join(name)).unwrap());
    folder_names(folder).into_iter().map(read).collect()
}

/// The documents of a split, decoded.
pub(crate) fn texts(folder: &Path, split: Split) -> Vec<String> {
    let dataset = SequencesDataset::open(folder).unwrap();
    let tokenizer = dataset.tokenizer().unwrap();
    let decode = |i| {
        let document = dataset.document(split, i).unwrap();
        tokenizer.decode(&document.tokens.to_vec())
    };
    (0..dataset.num_documents(split)).map(decode).collect()
}

/// Columns `id` (integers) and `smiles` (`CO`, `CCO`, ..., the sixth null), in small row groups.
pub(crate) fn write_parquet(path: &Path, rows: i64) {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let smiles = (0..rows).map(|i| {
        let unique = format!(
            "{}O{}",
            "C".repeat(usize::try_from(i % 40).unwrap() + 1),
            "N".repeat(usize::try_from(i / 40).unwrap())
        );
        (i != 5).then_some(unique)
    });
    let smiles: ArrayRef = Arc::new(smiles.collect::<StringArray>());
    let batch = RecordBatch::try_from_iter([("id", ids), ("smiles", smiles)]).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(1000))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
