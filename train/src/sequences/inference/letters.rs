//! The rules for letters that are no residue, as the data of a model had them.
//!
//! A model that learned gaps as tokens must be given gaps, and one that never saw any must not. A checkpoint
//! records its run file, which says the rules or names a dataset whose card does; an export states them.

use std::path::{Path, PathBuf};

use genesis_data::sequences::LetterRules;
use genesis_data::sequences::card::SequencesCard;
use genesis_data::sequences::letters::LetterCounts;
use serde_json::Value;

use crate::sequences::settings::SequencesData;

/// Key of the rules where no run says them: in the report of an export, in what an import records.
pub(crate) const LETTERS: &str = "letters";

/// Rules of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelLetters {
    /// Those that were said; the others have their defaults.
    pub rules: LetterRules,
    /// Dataset that should say them and cannot be read.
    pub unread: Option<PathBuf>,
}

impl ModelLetters {
    /// As the data of a run with this `config` had them.
    pub fn of_run(config: &Value) -> Self {
        if config.get(LETTERS).is_some() {
            return Self::stated(config);
        }
        let data = config.get("data").cloned().unwrap_or_default();
        let data = serde_json::from_value::<SequencesData>(data).unwrap_or_default();
        match (data.source, data.dataset) {
            (Some(source), _) => Self { rules: source.letters, unread: None },
            (None, Some(folder)) => Self::of_dataset(&folder),
            (None, None) => match data.mixture.values().next() {
                Some(first) => Self::of_dataset(&first.dataset),
                None => Self::default(),
            },
        }
    }

    /// As a report or a record states them.
    pub fn stated(record: &Value) -> Self {
        Self { rules: rules_in(record), unread: None }
    }

    fn of_dataset(folder: &Path) -> Self {
        match SequencesCard::load(folder) {
            Ok((card, _)) => Self::stated(&card.options),
            Err(_) => Self { rules: LetterRules::default(), unread: Some(folder.to_path_buf()) },
        }
    }

    /// The rules for a file: what is `said`, else those of the model.
    pub fn over(&self, said: &LetterRules) -> LetterRules {
        LetterRules {
            gaps: said.gaps.or(self.rules.gaps),
            insertions: said.insertions.or(self.rules.insertions),
            stops: said.stops.or(self.rules.stops),
            unknown: said.unknown.or(self.rules.unknown),
        }
    }

    /// Why letters that were `met` cannot be read: whether the model learned them is not known, and it was
    /// not `said` either. `None` where it does not matter.
    pub fn doubt(&self, said: &LetterRules, met: &LetterCounts) -> Option<String> {
        let folder = self.unread.as_ref()?;
        let open = [
            ("gaps", "--gaps", said.gaps, met.gaps),
            ("lower case", "--insertions", said.insertions, met.insertions),
            ("stops", "--stops", said.stops, met.stops),
            ("N or X", "--unknown", said.unknown, met.unknown),
        ];
        let open: Vec<_> = open.iter().filter(|it| it.2.is_none() && it.3 > 0).collect();
        if open.is_empty() {
            return None;
        }
        let met: Vec<String> = open.iter().map(|it| format!("{} {}", it.3, it.0)).collect();
        let options: Vec<&str> = open.iter().map(|it| it.1).collect();
        Some(format!(
            "it holds {}, and how the model was trained on such letters is not known, as nothing can be \
             read at the dataset of its run, {}; bring it back, or say {}",
            met.join(", "),
            folder.display(),
            options.join(", "),
        ))
    }
}

/// The rules under their key; the defaults where there are none.
fn rules_in(record: &Value) -> LetterRules {
    let stated = record.get(LETTERS).cloned().unwrap_or_default();
    serde_json::from_value(stated).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use genesis_data::sequences::LetterRule::{Keep, Strip};
    use serde_json::json;

    #[test]
    fn rules_are_those_of_the_run_and_what_is_said_comes_first() {
        let source = json!({"inputs": ["a.fa"], "tokenizer": "amino_acid",
                            "letters": {"gaps": "keep", "stops": "strip"}});
        let letters = ModelLetters::of_run(&json!({"data": {"source": source}}));
        assert_eq!((letters.rules.gaps, letters.rules.stops), (Some(Keep), Some(Strip)));
        let said = LetterRules { gaps: Some(Strip), ..LetterRules::default() };
        let rules = letters.over(&said);
        assert_eq!((rules.gaps, rules.stops), (Some(Strip), Some(Strip)));
        let other =
            ModelLetters::of_run(&json!({"data": {"generate": {"kind": "molecules", "count": 3}}}));
        assert_eq!(other, ModelLetters::default());
        let imported = ModelLetters::of_run(&json!({"letters": {"unknown": "strip"}}));
        assert_eq!(imported.rules.unknown, Some(Strip));
    }

    #[test]
    fn a_dataset_that_is_gone_makes_letters_a_question_and_nothing_else() {
        let letters = ModelLetters::of_run(&json!({"data": {"dataset": "/no/where"}}));
        let met = |gaps, stops| LetterCounts { gaps, stops, ..LetterCounts::default() };
        let usual = LetterRules::default();
        assert_eq!(letters.doubt(&usual, &met(0, 0)), None);
        let doubt = letters.doubt(&usual, &met(2, 1)).unwrap();
        for part in ["2 gaps, 1 stops", "/no/where", "--gaps, --stops"] {
            assert!(doubt.contains(part), "{part} in {doubt}");
        }
        let said = LetterRules { gaps: Some(Keep), ..usual };
        assert_eq!(letters.doubt(&said, &met(2, 0)), None);
        assert_eq!(ModelLetters::default().doubt(&usual, &met(2, 1)), None);
    }
}
