//! The families of models that the commands know, one line each.

use std::path::Path;

use genesis_train::exchange::family_of;
use genesis_train::keys::RunFile;
use genesis_train::sequences::Sequences;
use genesis_train::structures::Structures;

use crate::exit::{Code, Failure};
use crate::family::{AnyFace, Of};

/// Every family; a folder is asked about in this order.
pub(crate) static FACES: [&dyn AnyFace; 2] = [&Of(Structures), &Of(Sequences)];

/// The family that a run file is of.
pub(crate) fn of_file(file: &RunFile) -> anyhow::Result<&'static dyn AnyFace> {
    named(genesis_train::families::of(file).name)
}

/// The family of the model at `path`: a run folder, a checkpoint, or a folder of another program.
/// Where nothing tells, one whose reader says what is not there.
pub(crate) fn of_model(path: &Path) -> anyhow::Result<&'static dyn AnyFace> {
    let [.., usual] = FACES;
    Ok(told(path)?.unwrap_or(usual))
}

fn told(path: &Path) -> anyhow::Result<Option<&'static dyn AnyFace>> {
    match family_of(path) {
        Some(name) => named(&name).map(Some),
        None => Ok(FACES.into_iter().find(|face| face.reads(path))),
    }
}

/// The family whose models are exported as `format`.
pub(crate) fn of_format(format: &str) -> Option<&'static dyn AnyFace> {
    FACES.into_iter().find(|face| face.formats().contains(&format))
}

/// Every format of export.
pub(crate) fn formats() -> Vec<&'static str> {
    FACES.iter().rev().flat_map(|face| face.formats().iter().copied()).collect()
}

/// Refuses the model at `path` where it is of another family than `wanted`, and says which commands
/// are for it.
pub(crate) fn require(path: &Path, wanted: &str) -> anyhow::Result<()> {
    let Some(face) = told(path)?.filter(|face| face.name() != wanted) else { return Ok(()) };
    let own = face.own_commands().iter().map(|name| format!("`genesis {name}`"));
    let message = format!(
        "{}: a model of {}; use {} or `genesis evaluate`",
        path.display(),
        face.name(),
        own.collect::<Vec<_>>().join(", "),
    );
    Err(Failure::error(Code::Data, message))
}

fn named(name: &str) -> anyhow::Result<&'static dyn AnyFace> {
    FACES.into_iter().find(|face| face.name() == name).ok_or_else(|| {
        let known: Vec<&str> = FACES.iter().rev().map(|face| face.name()).collect();
        let message = format!(
            "a model of the family `{name}`, but this program knows {}; use the version of genesis \
             that wrote it",
            known.join(", ")
        );
        Failure::error(Code::Data, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_the_library_has_a_face() {
        for family in &genesis_train::families::FAMILIES {
            assert_eq!(named(family.name).unwrap().name(), family.name);
        }
        assert_eq!(FACES.len(), genesis_train::families::FAMILIES.len());
    }

    #[test]
    fn an_unknown_family_is_refused_with_those_there_are_and_the_way_out() {
        let error = named("fields").err().expect("refused").to_string();
        for part in ["`fields`", "sequences, structures", "version of genesis"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}
