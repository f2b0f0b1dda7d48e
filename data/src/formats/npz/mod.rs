//! npz: one set of atoms in many geometries, as arrays in a zip file; the layout of rMD17, and of what
//! this program writes.
//!
//! | array                                        | shape                   | meaning             |
//! |----------------------------------------------|-------------------------|---------------------|
//! | `nuclear_charges`, `z`, `Z`, `atomic_numbers`| `[n]`, `[F, n]`         | atomic numbers      |
//! | `coords`, `R`, `positions`                   | `[F, n, 3]`             | positions           |
//! | `cell`, `lattice`                            | `[3, 3]`, `[F, 3, 3]`   | lattice vectors     |
//! | `pbc`, `periodic`                            | `[3]`, `[F, 3]`         | periodic directions |
//! | `energies`, `E`                              | `[F]`, `[F, 1]`         | label `energy`      |
//! | `F`                                          | `[F, n, 3]`             | label `forces`      |
//! | any other, under its name                    | `[F, ..]`, `[F, n, ..]` | of structures, atoms|
//! | any other, under its name                    | `[]`, `[n]`             | the same for all    |
//!
//! Where a shape might mean two things, `atom_columns` lists the arrays of atoms, as in files of this
//! program. Atomic numbers of 0 at the end of a row are padding. A number that is absent is NaN. Arrays of other
//! shapes and of Python objects are left alone. The file is read as a whole, as arrays lie one after
//! the other. Source of the format: NEP 1, "A simple file format for numpy arrays".

mod frames;
mod npy;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use super::{Format, Opened, ReadOptions, Reader, Record, Tally, Unparsed};
use crate::error::{DataError, Result};
use crate::files::sha256_of_file;
use frames::Frames;
use npy::{Array, read_array};

pub(super) static FORMAT: Format = Format {
    name: "npz",
    about: "Arrays of one set of atoms in many geometries, as in rMD17",
    extensions: &["npz"],
    takes: &[],
    structures: Some(open),
    ..Format::HOLDS_NOTHING
};

/// Largest array that is unpacked, 8 GiB: a zip file may claim any size.
const MAX_ARRAY_BYTES: u64 = 8 << 30;

struct NpzReader {
    frames: Frames,
    next: usize,
    limit: u64,
}

/// Reads the arrays of the file.
fn open(path: &Path, options: &ReadOptions<'_>) -> Result<Opened<Unparsed>> {
    let (bytes, digest) = sha256_of_file(path, |_| ())?;
    let frames = arrays(path).and_then(Frames::new).map_err(|problem| broken(path, problem))?;
    let reader = NpzReader { frames, next: 0, limit: options.max_record_bytes };
    Ok(Opened::new(reader, Arc::new(Tally::known(bytes, digest))))
}

fn broken(path: &Path, problem: String) -> DataError {
    DataError::Input {
        path: path.to_path_buf(),
        place: String::new(),
        problem,
        fix: "write it with numpy.savez: nuclear_charges [n], coords [F, n, 3], energies [F], \
              forces [F, n, 3]"
            .to_owned(),
    }
}

/// Every array by name, or why it cannot be read.
pub(super) type Arrays = BTreeMap<String, std::result::Result<Array, String>>;

fn arrays(path: &Path) -> std::result::Result<Arrays, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut zip = ZipArchive::new(file).map_err(|e| format!("not an npz file: {e}"))?;
    let mut arrays = BTreeMap::new();
    for at in 0..zip.len() {
        let mut member = zip.by_index(at).map_err(|e| format!("member {at}: {e}"))?;
        let Some(name) = member.name().strip_suffix(".npy").map(str::to_owned) else { continue };
        let mut bytes = Vec::new();
        let unpacked = member.by_ref().take(MAX_ARRAY_BYTES + 1).read_to_end(&mut bytes);
        let array = match unpacked {
            Err(e) => Err(format!("it cannot be unpacked: {e}")),
            Ok(_) if bytes.len() as u64 > MAX_ARRAY_BYTES => {
                Err(format!("it is larger than {MAX_ARRAY_BYTES} bytes"))
            }
            Ok(_) => read_array(&bytes),
        };
        arrays.insert(name, array);
    }
    Ok(arrays)
}

impl Reader<Unparsed> for NpzReader {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        if self.next >= self.frames.len() {
            return Ok(None);
        }
        let frame = self.frames.frame(self.next);
        self.next += 1;
        let content = frame.and_then(|frame| Unparsed::of_frame(frame, self.limit));
        Ok(Some(Record::new(self.next as u64, content)))
    }
}
