//! Which files an ingest reads, in which order and as what.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::formats::{FORMATS, Format, FormatChoice, Wanted, format_of};

/// One file, or the built-in generator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// As given, or as found below a folder that was given.
    pub(crate) path: PathBuf,
    /// `None`: the program makes its records itself.
    pub(crate) format: Option<&'static Format>,
    /// The format follows from the name alone.
    pub(crate) guessed: bool,
    pub(crate) bytes: u64,
    /// Where its samples go; those for training may be held out.
    pub(crate) split: Split,
}

impl Source {
    /// The built-in generator of this name.
    fn generated(name: &str) -> Self {
        let path = PathBuf::from(format!("generated:{name}"));
        Self { path, format: None, guessed: false, bytes: 0, split: Split::Train }
    }

    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    pub(crate) fn format_name(&self) -> &'static str {
        self.format.map_or("generated", |format| format.name)
    }
}

/// The sources of a plan in reading order: the built-in generator, then the files of each list,
/// folders opened.
///
/// # Errors
/// A file that cannot be read, or whose format is not known or not `wanted`; a format that was
/// chosen although there is no file.
pub(crate) fn sources(
    generated: Option<&'static str>,
    lists: &[(Split, &[PathBuf])],
    choice: FormatChoice,
    wanted: Wanted,
) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = generated.map(Source::generated).into_iter().collect();
    for &(split, inputs) in lists {
        walk(inputs, &mut |path, metadata| {
            check_regular(path, metadata)?;
            let format = Some(format_of(path, choice, wanted)?);
            let (path, guessed) = (path.to_path_buf(), choice == FormatChoice::Guess);
            sources.push(Source { path, format, guessed, bytes: metadata.len(), split });
            Ok(())
        })?;
    }
    if choice == FormatChoice::Guess || sources.iter().any(|source| source.format.is_some()) {
        return Ok(sources);
    }
    let problem = "it is given, but the program makes the data itself";
    Err(DataError::invalid("format", problem, "leave it out, or name input files"))
}

/// Refuses an option that was given although no source takes it. `option` is its name in a plan.
pub(crate) fn check_taken(sources: &[Source], option: &'static str, given: bool) -> Result<()> {
    let takes = |source: &Source| source.format.is_some_and(|f| f.takes.contains(&option));
    if !given || sources.iter().any(takes) {
        return Ok(());
    }
    let mut read: Vec<&str> = sources.iter().map(Source::format_name).collect();
    read.sort_unstable();
    read.dedup();
    let takers = FORMATS.iter().filter(|format| format.takes.contains(&option));
    let takers: Vec<&str> = takers.map(|format| format.name).collect();
    Err(DataError::invalid(
        option,
        format!("it is given, but the inputs are read as {}, which takes none", read.join(", ")),
        format!("leave it out; it is for {}", takers.join(", ")),
    ))
}

type Found<'f> = &'f mut dyn FnMut(&Path, &fs::Metadata) -> Result<()>;

/// Calls `found` for every file of `inputs`, folders opened, in reading order.
fn walk(inputs: &[PathBuf], found: Found<'_>) -> Result<()> {
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
fn check_regular(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let shown = path.display().to_string();
    let fix = "write the data to a file first: it is read twice and its digest recorded";
    Err(DataError::invalid(shown, "it is not a regular file", fix))
}

pub(crate) fn total_bytes(sources: &[Source]) -> u64 {
    sources.iter().map(|source| source.bytes).sum()
}
