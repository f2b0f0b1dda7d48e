//! The families of models that the commands know, one line each.

use std::path::{Path, PathBuf};

use genesis_data::formats::{FORMATS, Format, FormatChoice};
use genesis_train::exchange::family_of;
use genesis_train::keys::RunFile;

use crate::exit::{Code, Failure};
use crate::family::{AnyFace, Of};

/// Every family; a folder is asked about in this order.
pub(crate) static FACES: &[&dyn AnyFace] = &[
    &Of(genesis_train::structures::Structures),
    // What tells nothing is taken for one of this.
    &Of(genesis_train::sequences::Sequences),
];

/// The family that a run file is of.
pub(crate) fn of_file(file: &RunFile) -> anyhow::Result<&'static dyn AnyFace> {
    named(genesis_train::families::of(file).name)
}

/// The family of the model at `path`: a run folder, a checkpoint, or a folder of another program.
/// Where nothing tells, one whose reader says what is not there.
pub(crate) fn of_model(path: &Path) -> anyhow::Result<&'static dyn AnyFace> {
    Ok(told(path)?.unwrap_or_else(usual))
}

/// The one that is meant where nothing tells.
fn usual() -> &'static dyn AnyFace {
    *FACES.last().expect("there are families")
}

fn told(path: &Path) -> anyhow::Result<Option<&'static dyn AnyFace>> {
    match family_of(path) {
        Some(name) => named(&name).map(Some),
        None => Ok(find(|face| face.reads(path))),
    }
}

/// The family whose models are exported as `format`.
pub(crate) fn of_format(format: &str) -> Option<&'static dyn AnyFace> {
    find(|face| face.formats().contains(&format))
}

/// Names of all.
pub(crate) fn names() -> Vec<&'static str> {
    FACES.iter().rev().map(|face| face.name()).collect()
}

/// What the program can make itself.
pub(crate) fn generators() -> Vec<&'static str> {
    FACES.iter().rev().flat_map(|face| face.takes().generators.iter().copied()).collect()
}

/// Flags of `ingest` that are not for every family.
pub(crate) fn flags() -> Vec<&'static str> {
    FACES.iter().flat_map(|face| face.takes().flags.iter().copied()).collect()
}

/// The family of an ingest: the one that is named; that makes the data; that alone reads files of the format,
/// or of those that all inputs have by their names; else the usual one.
pub(crate) fn of_ingest(
    name: Option<&str>,
    generator: Option<&str>,
    format: Option<FormatChoice>,
    inputs: &[PathBuf],
) -> anyhow::Result<&'static dyn AnyFace> {
    if let Some(name) = name {
        return named(name);
    }
    if let Some(generator) = generator {
        let makes = find(|face| face.takes().generators.contains(&generator));
        return Ok(makes.unwrap_or_else(usual));
    }
    let chosen = match format {
        Some(FormatChoice::Is(format)) => find(|face| (face.takes().claims)(format)),
        _ => None,
    };
    let by_names = |face: &dyn AnyFace| {
        let claims = |path: &PathBuf| by_name(path).is_some_and(face.takes().claims);
        !inputs.is_empty() && inputs.iter().all(claims)
    };
    Ok(chosen.or_else(|| find(by_names)).unwrap_or_else(usual))
}

/// The format of a file by its name, compressed or not.
fn by_name(path: &Path) -> Option<&'static Format> {
    let packed = path.extension().is_some_and(|it| it == "gz");
    let plain = if packed { path.with_extension("") } else { path.to_path_buf() };
    let extension = plain.extension().unwrap_or_default().to_string_lossy();
    FORMATS.iter().find(|format| format.extensions.contains(&&*extension)).copied()
}

fn find(is_meant: impl Fn(&dyn AnyFace) -> bool) -> Option<&'static dyn AnyFace> {
    FACES.iter().copied().find(|face| is_meant(*face))
}

/// Every format of export.
pub(crate) fn formats() -> Vec<&'static str> {
    FACES.iter().rev().flat_map(|face| face.formats().iter().copied()).collect()
}

/// Refuses the model at `path` where it is of another family than `wanted`, and says which commands
/// are for it.
pub(crate) fn require(path: &Path, wanted: &str) -> anyhow::Result<()> {
    let Some(face) = told(path)?.filter(|face| face.name() != wanted) else { return Ok(()) };
    let own = face.own_commands().iter().map(|name| format!("`genesis {name}`, "));
    let message = format!(
        "{}: a model of {}; use {}or `genesis evaluate`",
        path.display(),
        face.name(),
        own.collect::<String>(),
    );
    Err(Failure::error(Code::Data, message))
}

fn named(name: &str) -> anyhow::Result<&'static dyn AnyFace> {
    find(|face| face.name() == name).ok_or_else(|| {
        let message = format!(
            "a model of the family `{name}`, but this program knows {}; use the version of genesis \
             that wrote it",
            names().join(", ")
        );
        Failure::error(Code::Data, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_the_library_has_a_face() {
        for family in genesis_train::families::FAMILIES {
            assert_eq!(named(family.name).unwrap().name(), family.name);
        }
        assert_eq!(FACES.len(), genesis_train::families::FAMILIES.len());
    }

    #[test]
    fn an_ingest_is_of_the_family_that_is_named_or_makes_the_data_or_alone_reads_them() {
        let of = |name, generator, format: Option<&str>, inputs: &[&str]| {
            let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
            let format = format.and_then(FormatChoice::named);
            of_ingest(name, generator, format, &inputs).unwrap().name()
        };
        assert_eq!(of(None, None, None, &["a.xyz", "b.extxyz.gz", "c.npz"]), "structures");
        assert_eq!(of(None, None, None, &["a.xyz", "b.fasta"]), "sequences");
        assert_eq!(of(None, None, None, &["a.jsonl"]), "sequences");
        assert_eq!(of(None, None, None, &[]), "sequences");
        assert_eq!(of(None, None, Some("extxyz"), &["a.dat"]), "structures");
        assert_eq!(of(None, None, Some("guess"), &["a.dat"]), "sequences");
        assert_eq!(of(None, Some("silicon"), None, &[]), "structures");
        assert_eq!(of(None, Some("molecules"), None, &[]), "sequences");
        assert_eq!(of(Some("structures"), None, None, &["a.jsonl"]), "structures");
    }

    #[test]
    fn generators_are_those_of_one_family_each() {
        let all = generators();
        assert!(all.iter().all(|name| all.iter().filter(|it| *it == name).count() == 1), "{all:?}");
    }

    #[test]
    fn an_unknown_family_is_refused_with_those_there_are_and_the_way_out() {
        let error = named("fields").err().expect("refused").to_string();
        for part in ["`fields`", "sequences, structures", "version of genesis"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}
