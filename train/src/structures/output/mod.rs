//! Files of structures and of what was computed for them.
//!
//! What came in goes out: identifiers, further values and columns, reference labels. Beside them stand
//! results under names that the input does not have. Numbers are written with as many digits as read back to
//! the same f64, in the units of [`UNITS`](genesis_data::structures::ingest::UNITS), which the file states under `units`. The format is that of
//! the extension; an extension of no format is refused.

mod columns;
mod csv;
mod entries;
mod extxyz;
mod json_lines;
mod npz;
mod parquet;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use genesis_data::formats::raw_frame::RawFrame;
use genesis_schema::Frame;

use super::error::StructuresError;
pub use entries::Named;

/// A structure, what its file says of it, and what was computed.
#[derive(Debug, Clone)]
pub struct Written<'a> {
    /// The structure; its labels are written from `raw`.
    pub frame: &'a Frame,
    /// What the input file says of it.
    pub raw: &'a RawFrame,
    /// Keys of `raw` that are no longer true.
    pub outdated: &'a [&'a str],
    /// What was computed.
    pub results: Vec<Named>,
}

/// A format of files of structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Extxyz,
    JsonLines,
    Csv,
    Npz,
    Parquet,
}

/// A format, packed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputFormat {
    kind: Kind,
    gzip: bool,
}

/// Extensions, and the formats they name.
const EXTENSIONS: [(&str, Kind); 7] = [
    ("xyz", Kind::Extxyz),
    ("extxyz", Kind::Extxyz),
    ("jsonl", Kind::JsonLines),
    ("ndjson", Kind::JsonLines),
    ("csv", Kind::Csv),
    ("npz", Kind::Npz),
    ("parquet", Kind::Parquet),
];

impl OutputFormat {
    /// The format that the extension of `path` names.
    ///
    /// # Errors
    /// [`StructuresError::Extension`] with those there are.
    pub fn of(path: &Path) -> Result<Self, StructuresError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let (plain, gzip) = name.strip_suffix(".gz").map_or((&*name, false), |it| (it, true));
        let extension = Path::new(plain).extension().unwrap_or_default().to_string_lossy();
        let kind = EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, kind)| *kind);
        let packs_itself = matches!(kind, Some(Kind::Npz | Kind::Parquet)) && gzip;
        match kind {
            Some(kind) if !packs_itself => Ok(Self { kind, gzip }),
            _ => Err(StructuresError::Extension {
                path: path.to_path_buf(),
                known: ".xyz, .extxyz, .jsonl, .csv (each also .gz), .npz or .parquet",
            }),
        }
    }

    /// As [`OutputFormat::of`], for a file that grows structure by structure.
    ///
    /// # Errors
    /// [`StructuresError::Extension`] with those that can.
    pub fn of_growing(path: &Path) -> Result<Self, StructuresError> {
        let known = ".xyz, .extxyz or .jsonl (each also .gz), which grow frame by frame";
        match Self::of(path) {
            Ok(format) if matches!(format.kind, Kind::Extxyz | Kind::JsonLines) => Ok(format),
            _ => Err(StructuresError::Extension { path: path.to_path_buf(), known }),
        }
    }
}

/// Writes all structures to `path` as its extension says, whole or not at all.
///
/// # Errors
/// [`StructuresError`]: an extension of no format, structures that do not fit into it, a file that
/// cannot be written.
pub fn write_all(path: &Path, all: &[Written<'_>]) -> Result<(), StructuresError> {
    let format = OutputFormat::of(path)?;
    let failed = |reason: String| StructuresError::Table { path: path.to_path_buf(), reason };
    let bytes = match format.kind {
        Kind::Extxyz | Kind::JsonLines => {
            let mut text = String::new();
            for written in all {
                append(format, &mut text, written);
            }
            text.into_bytes()
        }
        Kind::Csv => csv::table(all).into_bytes(),
        Kind::Npz => npz::archive(all).map_err(failed)?,
        Kind::Parquet => parquet::table(all).map_err(|error| failed(error.to_string()))?,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = folder.unwrap_or(Path::new(".")).join(format!(".{name}.partial"));
    let written = store(&partial, format.gzip, &bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(StructuresError::io(path, "write"));
    if written.is_err() {
        // It may not even have been created; the first failure is the one to tell.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn store(path: &Path, gzip: bool, bytes: &[u8]) -> std::io::Result<()> {
    let file = File::create(path)?;
    let file = if gzip {
        let mut packed = GzEncoder::new(file, Compression::default());
        packed.write_all(bytes)?;
        packed.finish()?
    } else {
        let mut file = file;
        file.write_all(bytes)?;
        file
    };
    file.sync_all()
}

fn append(format: OutputFormat, text: &mut String, written: &Written<'_>) {
    match format.kind {
        Kind::JsonLines => json_lines::append(text, written),
        _ => extxyz::append(text, written),
    }
}

/// A file that grows structure by structure.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: Sink,
    format: OutputFormat,
}

#[derive(Debug)]
enum Sink {
    Plain(std::io::BufWriter<File>),
    Packed(GzEncoder<File>),
}

impl Growing {
    /// Creates the file, replacing an older one.
    ///
    /// # Errors
    /// [`StructuresError`]: an extension of no format that can grow, or the system's reason.
    pub fn create(path: &Path) -> Result<Self, StructuresError> {
        let format = OutputFormat::of_growing(path)?;
        let file = File::create(path).map_err(StructuresError::io(path, "create"))?;
        let file = if format.gzip {
            Sink::Packed(GzEncoder::new(file, Compression::default()))
        } else {
            Sink::Plain(std::io::BufWriter::new(file))
        };
        Ok(Self { path: path.to_path_buf(), file, format })
    }

    /// Appends a structure.
    ///
    /// # Errors
    /// [`StructuresError::Io`].
    pub fn append(&mut self, written: &Written<'_>) -> Result<(), StructuresError> {
        let mut text = String::new();
        append(self.format, &mut text, written);
        let done = match &mut self.file {
            Sink::Plain(file) => file.write_all(text.as_bytes()),
            Sink::Packed(file) => file.write_all(text.as_bytes()),
        };
        done.map_err(StructuresError::io(&self.path, "write"))
    }

    /// Completes the file as it is; more may follow where it is not packed.
    ///
    /// # Errors
    /// [`StructuresError::Io`].
    pub fn finish(&mut self) -> Result<(), StructuresError> {
        let done = match &mut self.file {
            Sink::Plain(file) => file.flush(),
            Sink::Packed(file) => file.try_finish(),
        };
        done.map_err(StructuresError::io(&self.path, "write"))
    }
}

#[cfg(test)]
pub(super) mod tests;
