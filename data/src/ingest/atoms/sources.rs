//! Which files an ingest of structures reads, as what, and for which split.

use std::path::{Path, PathBuf};

use super::plan::{AtomsFormat, AtomsPlan, ValidationChoice};
use crate::error::{DataError, Result};
use crate::graphs::card::GraphSplit;
use crate::ingest::inputs::{check_regular, walk};

/// One file, or the built-in generator.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AtomsSource {
    pub(super) path: PathBuf,
    pub(super) format: AtomsFormat,
    pub(super) bytes: u64,
    /// It is the built-in generator.
    pub(super) generated: bool,
    /// Where its structures go; those for training may be held out.
    pub(super) split: GraphSplit,
}

impl AtomsSource {
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The sources of a plan in reading order: inputs, validation, test.
pub(super) fn sources(plan: &AtomsPlan) -> Result<Vec<AtomsSource>> {
    let mut sources = Vec::new();
    if let Some(generate) = &plan.generate {
        sources.push(AtomsSource {
            path: PathBuf::from(format!("generated:{}", generate.name())),
            format: AtomsFormat::Guess,
            bytes: 0,
            generated: true,
            split: GraphSplit::Train,
        });
    }
    let validation: &[PathBuf] = match &plan.validation {
        ValidationChoice::Files { paths } => paths,
        _ => &[],
    };
    let lists = [&plan.inputs[..], validation, &plan.test[..]];
    for (split, paths) in GraphSplit::ALL.into_iter().zip(lists) {
        walk(paths, &mut |path, metadata| {
            check_regular(path, metadata)?;
            let format = match plan.format {
                AtomsFormat::Guess => guess(path)?,
                format => format,
            };
            let path = path.to_path_buf();
            let bytes = metadata.len();
            sources.push(AtomsSource { path, format, bytes, generated: false, split });
            Ok(())
        })?;
    }
    Ok(sources)
}

fn guess(path: &Path) -> Result<AtomsFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    match extension.as_ref() {
        "xyz" | "extxyz" => Ok(AtomsFormat::Extxyz),
        "npz" => Ok(AtomsFormat::Npz),
        "jsonl" | "ndjson" => Ok(AtomsFormat::Jsonl),
        "parquet" | "pq" => Ok(AtomsFormat::Parquet),
        _ => Err(DataError::invalid(
            path.display().to_string(),
            format!("no format can be guessed from the extension `{extension}`"),
            "state the format: extxyz, npz, jsonl or parquet",
        )),
    }
}
