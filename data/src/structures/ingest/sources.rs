//! Which files an ingest of structures reads, as what, and for which split.

use std::path::{Path, PathBuf};

use super::plan::{StructuresFormat, StructuresIngest, ValidationChoice};
use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::ingest::inputs::{check_regular, walk};

/// One file, or the built-in generator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructuresSource {
    pub(crate) path: PathBuf,
    pub(crate) format: StructuresFormat,
    pub(crate) bytes: u64,
    /// It is the built-in generator.
    pub(crate) generated: bool,
    /// Where its structures go; those for training may be held out.
    pub(crate) split: Split,
}

impl StructuresSource {
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The sources of a plan in reading order: inputs, validation, test.
pub(crate) fn sources(plan: &StructuresIngest) -> Result<Vec<StructuresSource>> {
    let mut sources = Vec::new();
    if let Some(generate) = &plan.generate {
        sources.push(StructuresSource {
            path: PathBuf::from(format!("generated:{}", generate.name())),
            format: StructuresFormat::Guess,
            bytes: 0,
            generated: true,
            split: Split::Train,
        });
    }
    let validation: &[PathBuf] = match &plan.validation {
        ValidationChoice::Files { paths } => paths,
        _ => &[],
    };
    let lists = [&plan.inputs[..], validation, &plan.test[..]];
    for (split, paths) in Split::ALL.into_iter().zip(lists) {
        walk(paths, &mut |path, metadata| {
            check_regular(path, metadata)?;
            let format = match plan.format {
                StructuresFormat::Guess => guess(path)?,
                format => format,
            };
            let path = path.to_path_buf();
            let bytes = metadata.len();
            sources.push(StructuresSource { path, format, bytes, generated: false, split });
            Ok(())
        })?;
    }
    Ok(sources)
}

fn guess(path: &Path) -> Result<StructuresFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    match extension.as_ref() {
        "xyz" | "extxyz" => Ok(StructuresFormat::Extxyz),
        "npz" => Ok(StructuresFormat::Npz),
        "jsonl" | "ndjson" => Ok(StructuresFormat::Jsonl),
        "parquet" | "pq" => Ok(StructuresFormat::Parquet),
        _ => Err(DataError::invalid(
            path.display().to_string(),
            format!("no format can be guessed from the extension `{extension}`"),
            "state the format: extxyz, npz, jsonl or parquet",
        )),
    }
}
