//! Whether two tokenizers are one: by their digests, as ids of another tokenizer mean other tokens.

use std::path::Path;

use genesis_data::error::DataError;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::tokenize::Tokenizer;

use crate::checkpoint::Checkpoint;
use crate::trainer::TrainError;

/// A tokenizer and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Owned<'a> {
    /// Whose it is, such as `the model`.
    pub whose: &'a str,
    /// Folder that has it.
    pub folder: &'a Path,
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
}

/// `None` if both tokenizers are one; else both, the first id that means two things, and the way out:
/// data are ingested with the tokenizer of `model`.
///
/// # Errors
/// A tokenizer that cannot be written down: a bug.
pub fn difference(model: Owned<'_>, data: Owned<'_>) -> Result<Option<String>, DataError> {
    let (ours, theirs) = (model.tokenizer.digest()?, data.tokenizer.digest()?);
    if ours == theirs {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} has the tokenizer {}, {} has {}{}; ingest the data with the tokenizer of {}: \
         --tokenizer {}",
        data.whose,
        shown(data.tokenizer, &theirs),
        model.whose,
        shown(model.tokenizer, &ours),
        first_difference(model.tokenizer, data.tokenizer),
        model.whose,
        model.folder.display(),
    )))
}

/// Refuses to train on from `checkpoint` with the dataset in `data` if their tokenizers are two. A
/// checkpoint without a tokenizer has none to compare.
///
/// # Errors
/// [`TrainError::OtherTokenizer`] with both and the way out; a tokenizer that cannot be read.
pub fn check_start(checkpoint: &Checkpoint, data: &Path) -> Result<(), TrainError> {
    let file = Tokenizer::FILES[0];
    if checkpoint.manifest.file(file).is_none() || have_the_same_files(&checkpoint.path, data) {
        return Ok(());
    }
    let (ours, theirs) = (Tokenizer::load(&checkpoint.path)?, Tokenizer::load(data)?);
    let whose = format!("the checkpoint {}", checkpoint.path.display());
    let model = Owned { whose: &whose, folder: &checkpoint.path, tokenizer: &ours };
    let whose = format!("the dataset {}", data.display());
    let data = Owned { whose: &whose, folder: data, tokenizer: &theirs };
    match difference(model, data)? {
        None => Ok(()),
        Some(problem) => Err(TrainError::OtherTokenizer { problem }),
    }
}

/// As [`difference`], of two datasets with what they are called.
///
/// # Errors
/// A tokenizer that cannot be read.
pub(super) fn same_tokenizer(
    (first, a): (&str, &SequencesDataset),
    (second, b): (&str, &SequencesDataset),
) -> Result<Option<String>, DataError> {
    if have_the_same_files(a.root(), b.root()) {
        return Ok(None);
    }
    let (ours, theirs) = (a.tokenizer()?, b.tokenizer()?);
    let first = Owned { whose: first, folder: a.root(), tokenizer: &ours };
    difference(first, Owned { whose: second, folder: b.root(), tokenizer: &theirs })
}

/// Whether the files of a tokenizer are the same in two folders.
fn have_the_same_files(a: &Path, b: &Path) -> bool {
    Tokenizer::FILES.iter().all(|name| {
        let bytes = |folder: &Path| std::fs::read(folder.join(name)).ok();
        bytes(a) == bytes(b)
    })
}

fn shown(tokenizer: &Tokenizer, digest: &str) -> String {
    format!("{} {} of {} tokens", tokenizer.kind().name(), &digest[..12], tokenizer.vocab_size())
}

fn first_difference(model: &Tokenizer, data: &Tokenizer) -> String {
    let last = model.vocab_size().max(data.vocab_size());
    let text = |tokenizer: &Tokenizer, id| tokenizer.token_text(id).map(str::to_owned);
    let quoted = |text: Option<String>| text.map_or("nothing".to_owned(), |it| format!("`{it}`"));
    match (0..last).find(|&id| text(model, id) != text(data, id)) {
        Some(id) => format!(
            " (id {id} is {} here and {} there)",
            quoted(text(data, id)),
            quoted(text(model, id))
        ),
        None => {
            " (they differ in merges, in how text is normalised or in special tokens)".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokenizers_of_one_kind_and_size_are_told_apart_and_the_way_out_is_a_folder() {
        let smiles = |last: &str| Tokenizer::smiles(["C", last].map(str::to_owned));
        let (one, other) = (smiles("O"), smiles("N"));
        let of = |tokenizer, whose| Owned { whose, folder: Path::new("runs/a"), tokenizer };
        assert_eq!(difference(of(&one, "the model"), of(&one, "data")).unwrap(), None);
        let found = difference(of(&one, "the model"), of(&other, "data/b")).unwrap().unwrap();
        for part in
            ["data/b", "of 7 tokens", "id 6 is `N` here and `O` there", "--tokenizer runs/a"]
        {
            assert!(found.contains(part), "{part} in {found}");
        }
        let bytes = Tokenizer::byte();
        assert!(difference(of(&one, "m"), of(&bytes, "d")).unwrap().unwrap().contains("byte"));
    }
}
