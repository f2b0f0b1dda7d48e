//! The kinds of datasets, one line each: a card says by name which one it is of.

use std::path::Path;

use crate::dataset::card::Part;
use crate::dataset::card_file::CardFile;
use crate::dataset::verify::{Contents, VerifyReport, bytes_of, prove};
use crate::error::Result;

/// Every kind.
pub static KINDS: &[Listed] = &[
    Listed::of::<crate::sequences::card::SequencesPart>(),
    Listed::of::<crate::structures::card::StructuresPart>(),
];

/// A kind, by what needs none of its types.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// What cards call it.
    pub name: &'static str,
    /// What people call samples, and what these are made of.
    pub nouns: [&'static str; 2],
    pub(crate) bytes: fn(&Path) -> u64,
    pub(crate) prove: fn(&Path, &mut dyn FnMut(u64)) -> Result<VerifyReport>,
}

impl Listed {
    const fn of<P: Contents>() -> Self {
        Self {
            name: <P as Part>::KIND,
            nouns: <P as Part>::NOUNS,
            bytes: bytes_of::<P>,
            prove: prove::<P>,
        }
    }
}

/// The kind of the dataset in the folder `root`.
///
/// # Errors
/// [`DataError::NotADataset`](crate::DataError::NotADataset) when there is no card; a damaged card, or
/// one of another version or of a kind that is not listed.
pub fn kind_of(root: &Path) -> Result<&'static Listed> {
    let card = CardFile::read(root)?;
    KINDS.iter().find(|kind| kind.name == card.kind).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let known = known.join(", ");
        card.problem(format!("it holds `{}`, this program knows {known}", card.kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, sha256_of_bytes};

    #[test]
    fn names_of_kinds_are_those_of_one_kind_each() {
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|it| it.name == kind.name).count(), 1, "{}", kind.name);
        }
    }

    #[test]
    fn a_kind_that_is_not_listed_is_refused_with_those_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let card = br#"{"schema_version": 1, "kind": "fields"}"#;
        let digest = format!("{}  {CARD_FILE}\n", sha256_of_bytes(card));
        std::fs::write(folder.path().join(CARD_FILE), card).unwrap();
        std::fs::write(folder.path().join(CARD_DIGEST_FILE), digest).unwrap();
        let error = kind_of(folder.path()).unwrap_err().to_string();
        assert!(error.contains("`fields`") && error.contains("knows tokens, graphs"), "{error}");
        let report = crate::verify::verify(folder.path(), &mut |_| ()).unwrap();
        assert_eq!(report.problems, [error]);
    }
}
