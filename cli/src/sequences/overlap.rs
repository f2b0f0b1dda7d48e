//! What a measured set shares with the data of training: documents, and rules for letters.

use std::path::Path;
use std::sync::atomic::Ordering;

use genesis_data::dataset::Split;
use genesis_data::sequences::letters::{LetterCounts, Letters};
use genesis_data::sequences::{Seen, SequencesDataset, seen_in_training};
use genesis_train::sequences::inference::{ModelLetters, SequencesModel};

use crate::console::{self, Meter, Unit};
use crate::exit::{Code, Failure, OrExit};
use crate::family::Evaluation;

/// Documents of the validation split of `measured` that are in the training split of `trained_on`, where that
/// is another dataset; says so where it cannot be known.
pub(super) fn with_training(
    asked: &Evaluation<'_>,
    trained_on: Option<&Path>,
    model: &SequencesModel,
    measured: &SequencesDataset,
) -> anyhow::Result<Option<Seen>> {
    if asked.data.is_none() {
        return Ok(None);
    }
    other_letters(model, measured).iter().for_each(console::note);
    let unknown = |because: String| {
        console::note(format!(
            "note: whether these documents were trained on is not known: {because}"
        ));
        Ok(None)
    };
    let Some(folder) = trained_on else {
        return unknown("this model is not a run with a dataset of its own".to_owned());
    };
    let trained = match SequencesDataset::open(folder) {
        Ok(trained) => trained,
        Err(error) => return unknown(error.to_string()),
    };
    if trained.digest() == measured.digest() {
        return Ok(None);
    }
    let total = trained.num_documents(Split::Train) + measured.num_documents(Split::Validation);
    let meter = Meter::start("compare with the training data", total, Unit::Items("documents"));
    let go_on = &mut || {
        meter.advance(1);
        !asked.stop.load(Ordering::Relaxed)
    };
    let seen = seen_in_training(&trained, (measured, Split::Validation), go_on);
    meter.finish();
    let stopped = || Failure::error(Code::Stopped, "interrupted: nothing was evaluated");
    seen.or_exit(Code::Data)?.ok_or_else(stopped).map(Some)
}

/// Says so where letters that are no residue had other rules in the data of training.
fn other_letters(model: &SequencesModel, measured: &SequencesDataset) -> Option<String> {
    let tokenizer = model.tokenizer.as_ref().filter(|_| model.letters.unread.is_none())?;
    let of = |rules| Letters::of(rules, tokenizer).ok().flatten();
    let stated = ModelLetters::stated(&measured.card().options);
    let theirs = of(&stated.rules)?;
    let ours = of(&model.letters.rules)?;
    let told = |letters: Letters| letters.told(&LetterCounts::default());
    (ours != theirs).then(|| {
        format!(
            "note: the dataset has other rules than the data of the model: {}, but {}",
            told(theirs),
            told(ours)
        )
    })
}
