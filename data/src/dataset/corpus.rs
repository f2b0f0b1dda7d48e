//! The datasets that a run learns from: one, or several by name.
//!
//! Not here: how often each is drawn from (`mixture`), and whether they fit together, which their kind says.

use std::path::PathBuf;
use std::sync::Arc;

use genesis_schema::Seeds;

use crate::dataset::opened::{Dataset, Readable};
use crate::error::{DataError, Result};

/// What the dataset of a run is called that has one alone. Its seeds are those of the run, so that a run which
/// began with it can go on with others beside it.
pub const ONLY_SOURCE: &str = "dataset";

/// The datasets of a run, by name.
#[derive(Debug)]
pub struct Corpus<P: Readable> {
    members: Vec<Member<P>>,
}

/// A dataset with its name.
#[derive(Debug)]
pub struct Member<P: Readable> {
    /// Its name.
    pub name: String,
    /// The dataset.
    pub dataset: Arc<Dataset<P>>,
}

impl<P: Readable> Clone for Member<P> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), dataset: Arc::clone(&self.dataset) }
    }
}

impl<P: Readable> Clone for Corpus<P> {
    fn clone(&self) -> Self {
        Self { members: self.members.clone() }
    }
}

impl<P: Readable> Corpus<P> {
    /// One dataset.
    pub fn sole(dataset: Arc<Dataset<P>>) -> Self {
        Self { members: vec![Member { name: ONLY_SOURCE.to_owned(), dataset }] }
    }

    /// Several, in the order of their names.
    ///
    /// # Errors
    /// None at all, or two of one name.
    pub fn new(mut members: Vec<Member<P>>) -> Result<Self> {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let problem = format!("two sources are called {:?}", pair[0].name);
            return Err(DataError::invalid("data.mixture.name", problem, "rename one of them"));
        }
        if members.is_empty() {
            return Err(DataError::invalid("data", "there is no dataset", "name one"));
        }
        Ok(Self { members })
    }

    /// Opens the folders of several, each by its name.
    ///
    /// # Errors
    /// As [`Dataset::open`] and [`Corpus::new`].
    pub fn open(folders: &[(String, PathBuf)]) -> Result<Self> {
        let open = |(name, folder): &(String, PathBuf)| {
            Ok(Member { name: name.clone(), dataset: Arc::new(Dataset::open(folder)?) })
        };
        Self::new(folders.iter().map(open).collect::<Result<_>>()?)
    }

    /// All of them, in the order of their names.
    pub fn members(&self) -> &[Member<P>] {
        &self.members
    }

    /// The first by name, for what all have in common.
    pub fn first(&self) -> &Arc<Dataset<P>> {
        &self.members[0].dataset
    }

    /// `error`, which is about `member`, with its name where there are several.
    pub(crate) fn of(&self, member: &Member<P>, error: DataError) -> DataError {
        if self.members.len() == 1 {
            return error;
        }
        let what = format!("data.mixture.{}", member.name);
        DataError::invalid(what, error.to_string(), "or leave this dataset out")
    }
}

impl<P: Readable> Member<P> {
    /// Its seeds in a run of `seeds`, whatever else is learned from.
    pub(crate) fn seeds(&self, seeds: Seeds) -> Seeds {
        if self.name == ONLY_SOURCE { seeds } else { seeds.part(&self.name) }
    }
}
