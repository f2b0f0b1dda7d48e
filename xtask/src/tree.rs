//! The files of the project, read once: every check is then a pure function of a [`Tree`].
//!
//! What git ignores is not part of the project, so the list comes from git; an unpacked archive
//! without git is walked instead, minus the folders that builds and runs write.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Folders no build or run may leave in the list when git is not there to say so.
const WRITTEN_BY_MACHINES: [&str; 4] = [".git", "target", "runs", "__pycache__"];

/// One file: its size, and its text when it is UTF-8 without NUL bytes.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Size on disk.
    pub(crate) size_bytes: u64,
    /// `None` for a binary file.
    pub(crate) text: Option<String>,
}

/// Every file by its path relative to the workspace root, with forward slashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// In path order, so that findings come in the same order everywhere.
    pub(crate) files: BTreeMap<String, Entry>,
}

impl Tree {
    /// Reads the project below `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for path in list(root)? {
            let on_disk = root.join(&path);
            if !on_disk.is_file() {
                continue; // listed by git, deleted here
            }
            let bytes = std::fs::read(&on_disk).with_context(|| format!("cannot read {path}"))?;
            let size_bytes = bytes.len() as u64;
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            tree.files.insert(path, Entry { size_bytes, text });
        }
        Ok(tree)
    }

    /// `(path, text)` of each text file that `keep` accepts.
    pub(crate) fn texts<'a>(
        &'a self,
        keep: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.files
            .iter()
            .filter(move |(path, _)| keep(path))
            .filter_map(|(path, entry)| Some((path.as_str(), entry.text.as_deref()?)))
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts(|path| has_extension(path, "rs"))
    }

    /// Every Markdown file.
    pub(crate) fn markdown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts(|path| has_extension(path, "md"))
    }

    /// Is `path` a file of the project, or a folder that holds one?
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&folder))
    }

    /// A tree made of `(path, text)`.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let entry = |text: &str| Entry { size_bytes: text.len() as u64, text: Some(text.into()) };
        Self { files: files.iter().map(|(path, text)| ((*path).into(), entry(text))).collect() }
    }
}

/// Does the last part of `path` end in `.extension`?
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// `target` seen from `folder`, or `None` when it leaves the project.
pub(crate) fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn list(root: &Path) -> Result<Vec<String>> {
    if !root.join(".git").exists() {
        let mut found = Vec::new();
        walk(root, "", &mut found)?;
        return Ok(found);
    }
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run git to list the files of the project")?;
    anyhow::ensure!(output.status.success(), "git ls-files failed in {}", root.display());
    let paths = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(paths.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    let place = root.join(folder);
    for entry in
        std::fs::read_dir(&place).with_context(|| format!("cannot list {}", place.display()))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if WRITTEN_BY_MACHINES.contains(&name.as_str()) {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_when_a_file_lies_in_it() {
        let tree = Tree::of(&[("docs/guides/first.md", ""), ("docs-old/a.md", "")]);
        assert!(tree.has("docs/guides"));
        assert!(tree.has("docs/guides/"));
        assert!(tree.has("docs/guides/first.md"));
        assert!(!tree.has("docs/guide"));
    }
}
