//! Which files an ingest reads, in which order and as what.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::sequences::ingest::{FormatChoice, SequencesIngest};

/// One file, or the built-in generator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// As given, or as found below a folder that was given.
    pub(crate) path: PathBuf,
    pub(crate) format: FormatChoice,
    /// The format follows from the name alone.
    pub(crate) guessed: bool,
    pub(crate) bytes: u64,
}

impl Source {
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The sources of a plan in reading order; their formats are known.
pub(crate) fn sources(plan: &SequencesIngest) -> Result<Vec<Source>> {
    if let Some(generate) = &plan.generate {
        let path = PathBuf::from(format!("generated:{}", generate.name()));
        return Ok(vec![Source { path, format: FormatChoice::Text, guessed: false, bytes: 0 }]);
    }
    let mut sources = Vec::new();
    walk(&plan.inputs, &mut |path, metadata| {
        sources.push(source(path, metadata, plan.format)?);
        Ok(())
    })?;
    Ok(sources)
}

type Found<'f> = &'f mut dyn FnMut(&Path, &fs::Metadata) -> Result<()>;

/// Calls `found` for every file of `inputs`, folders opened, in reading order.
pub(crate) fn walk(inputs: &[PathBuf], found: Found<'_>) -> Result<()> {
    for input in inputs {
        let metadata = fs::metadata(input).map_err(DataError::io("read", input))?;
        if !metadata.is_dir() {
            found(input, &metadata)?;
            continue;
        }
        let mut files = 0;
        list_folder(input, &mut |path, metadata| {
            files += 1;
            found(path, metadata)
        })?;
        if files == 0 {
            let shown = input.display().to_string();
            return Err(DataError::invalid(shown, "the folder has no files", "check the path"));
        }
    }
    Ok(())
}

/// Files below `folder`, sorted by name; names that begin with a dot are skipped.
fn list_folder(folder: &Path, found: Found<'_>) -> Result<()> {
    let failed = |e| DataError::io("read", folder)(e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push((entry.path(), entry.file_type().map_err(failed)?));
        }
    }
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in paths {
        // A link to a folder is not followed: it might lead back here.
        if kind.is_dir() {
            list_folder(&path, found)?;
            continue;
        }
        let metadata = fs::metadata(&path).map_err(DataError::io("read", &path))?;
        if metadata.is_file() {
            found(&path, &metadata)?;
        }
    }
    Ok(())
}

/// A file is read more than once and its digest recorded, so it must stay as it is.
pub(crate) fn check_regular(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let shown = path.display().to_string();
    let fix = "write the data to a file first: it is read twice and its digest recorded";
    Err(DataError::invalid(shown, "it is not a regular file", fix))
}

fn source(path: &Path, metadata: &fs::Metadata, format: FormatChoice) -> Result<Source> {
    check_regular(path, metadata)?;
    let guessed = format == FormatChoice::Guess;
    let format = if guessed { guess(path)? } else { format };
    Ok(Source { path: path.to_path_buf(), format, guessed, bytes: metadata.len() })
}

fn guess(path: &Path) -> Result<FormatChoice> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    match extension.as_ref() {
        "txt" | "text" | "md" => Ok(FormatChoice::Text),
        "jsonl" | "ndjson" => Ok(FormatChoice::Jsonl),
        "fasta" | "fa" | "fna" | "faa" | "ffn" | "frn" | "fas" => Ok(FormatChoice::Fasta),
        "csv" => Ok(FormatChoice::Csv),
        "tsv" | "tab" => Ok(FormatChoice::Tsv),
        "parquet" | "pq" => Ok(FormatChoice::Parquet),
        _ => Err(DataError::invalid(
            path.display().to_string(),
            format!("no format can be guessed from the extension `{extension}`"),
            "state the format: text, jsonl, fasta, csv, tsv or parquet",
        )),
    }
}

pub(crate) fn total_bytes(sources: &[Source]) -> u64 {
    sources.iter().map(|source| source.bytes).sum()
}
