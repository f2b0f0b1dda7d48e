//! npz: one molecule in many geometries, as arrays in a zip file; the layout of rMD17.
//!
//! | array                          | shape          | meaning                               |
//! |--------------------------------|----------------|---------------------------------------|
//! | `nuclear_charges`, `z` or `Z`  | `[n]`          | atomic numbers                        |
//! | `coords`, `R` or `positions`   | `[F, n, 3]`    | positions                             |
//! | `energies`, `E` or `energy`    | `[F]`, `[F, 1]`| label `energy`                        |
//! | `forces` or `F`                | `[F, n, 3]`    | label `forces`                        |
//!
//! Units are those of the plan: rMD17 is in kcal/mol and Å. Other arrays are left alone. The file
//! is read as a whole, as arrays lie one after the other. Source of the format: NEP 1, "A simple
//! file format for numpy arrays".

mod npy;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use genesis_schema::atoms::Vector;
use zip::ZipArchive;

use super::named_lists::{element, vectors};
use super::raw_frame::{RawFrame, Value};
use super::{Format, Opened, ReadOptions, Reader, Record, Refusal, Tally, Unparsed};
use crate::error::{DataError, Result};
use crate::files::sha256_of_file;
use npy::{Array, read_array};

pub(super) static FORMAT: Format = Format {
    name: "npz",
    about: "Arrays of one molecule in many geometries, as in rMD17",
    extensions: &["npz"],
    takes: &[],
    documents: None,
    structures: Some(open),
};

/// Largest array that is unpacked, 8 GiB: a zip file may claim any size.
const MAX_ARRAY_BYTES: u64 = 8 << 30;
const ARRAYS: [(&str, &[&str]); 4] = [
    ("atomic numbers", &["nuclear_charges", "z", "Z"]),
    ("positions", &["coords", "R", "positions"]),
    ("energy", &["energies", "E", "energy"]),
    ("forces", &["forces", "F"]),
];

struct NpzReader {
    atomic_numbers: Vec<u8>,
    positions: Array,
    energies: Option<Array>,
    forces: Option<Array>,
    frames: usize,
    next: usize,
    limit: u64,
}

/// Reads the arrays of the file.
fn open(path: &Path, options: &ReadOptions<'_>) -> Result<Opened<Unparsed>> {
    let (bytes, digest) = sha256_of_file(path, |_| ())?;
    let mut arrays = arrays(path).map_err(|problem| broken(path, problem))?;
    let reader = NpzReader::new(&mut arrays, options.max_record_bytes)
        .map_err(|problem| broken(path, problem))?;
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

fn arrays(path: &Path) -> std::result::Result<BTreeMap<&'static str, Array>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut zip = ZipArchive::new(file).map_err(|e| format!("not an npz file: {e}"))?;
    let mut arrays = BTreeMap::new();
    for (meaning, names) in ARRAYS {
        let Some(name) =
            names.iter().find(|name| zip.index_for_name(&format!("{name}.npy")).is_some())
        else {
            continue;
        };
        let mut member = zip.by_name(&format!("{name}.npy")).map_err(|e| format!("{name}: {e}"))?;
        let mut bytes = Vec::new();
        member
            .by_ref()
            .take(MAX_ARRAY_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| format!("array `{name}` cannot be unpacked: {e}"))?;
        if bytes.len() as u64 > MAX_ARRAY_BYTES {
            return Err(format!("array `{name}` is larger than {MAX_ARRAY_BYTES} bytes"));
        }
        let array = read_array(&bytes).map_err(|problem| format!("array `{name}`: {problem}"))?;
        arrays.insert(meaning, array);
    }
    Ok(arrays)
}

impl NpzReader {
    fn new(
        arrays: &mut BTreeMap<&'static str, Array>,
        limit: u64,
    ) -> std::result::Result<Self, String> {
        let numbers = arrays.remove("atomic numbers").ok_or("it has no array `nuclear_charges`")?;
        let positions = arrays.remove("positions").ok_or("it has no array `coords`")?;
        let elements: Option<Vec<u8>> = numbers.values.iter().map(|&z| element(z)).collect();
        let atomic_numbers = elements.ok_or("an atomic number is not 1 to 118")?;
        let atoms = atomic_numbers.len();
        let &[frames, n, 3] = &positions.shape[..] else {
            return Err(format!("positions have shape {:?}, not [F, n, 3]", positions.shape));
        };
        if numbers.shape != [n] || n != atoms {
            return Err(format!(
                "atomic numbers have shape {:?}, positions {n} atoms",
                numbers.shape
            ));
        }
        let (energies, forces) = (arrays.remove("energy"), arrays.remove("forces"));
        if let Some(energies) = &energies
            && energies.shape != [frames]
            && energies.shape != [frames, 1]
        {
            return Err(format!("energies have shape {:?}, not [{frames}]", energies.shape));
        }
        if let Some(forces) = &forces
            && forces.shape != positions.shape
        {
            return Err(format!("forces have shape {:?}, not {:?}", forces.shape, positions.shape));
        }
        Ok(Self { atomic_numbers, positions, energies, forces, frames, next: 0, limit })
    }

    fn rows(&self, array: &Array) -> Vec<Vector> {
        let width = 3 * self.atomic_numbers.len();
        let rows = &array.values[width * self.next..width * (self.next + 1)];
        vectors(rows, self.atomic_numbers.len()).unwrap_or_default()
    }
}

impl Reader<Unparsed> for NpzReader {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        if self.next >= self.frames {
            return Ok(None);
        }
        let mut frame = RawFrame {
            atomic_numbers: self.atomic_numbers.clone(),
            positions: self.rows(&self.positions),
            ..RawFrame::default()
        };
        if let Some(energies) = &self.energies {
            let energy = Value::Numbers(vec![energies.values[self.next]]);
            frame.info.insert("energy".to_owned(), energy);
        }
        if let Some(forces) = &self.forces {
            frame.vectors.insert("forces".to_owned(), self.rows(forces));
        }
        self.next += 1;
        let content = if frame.positions.is_empty() {
            Err(Refusal::new("no_atoms", "the structure has no atoms"))
        } else {
            Unparsed::of_frame(frame, self.limit)
        };
        Ok(Some(Record::new(self.next as u64, content)))
    }
}
