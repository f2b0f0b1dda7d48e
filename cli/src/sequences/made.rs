//! A dataset of sequences that was just made, in a few lines.

use std::collections::BTreeMap;

use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::card::SplitCard;
use genesis_data::sequences::letters::{LetterCounts, Letters};
use genesis_data::sequences::{LetterRules, SequencesSummary};

use crate::console;
use crate::family::dataset::counted_line;

/// The dataset in a few lines.
pub(crate) fn show(summary: &SequencesSummary, folder: &str) {
    let card = &summary.card;
    let state = if summary.unchanged { " (was there already, unchanged)" } else { "" };
    console::note(format!("{folder}: dataset {}{state}", &summary.digest[..12]));
    console::note(format!(
        "  tokenizer {}, {} tokens in the vocabulary",
        card.part.tokenizer.kind, card.part.tokenizer.vocab_size
    ));
    letters_line(card).iter().for_each(console::note);
    console::note(split_line("train", &card.part.splits.train));
    console::note(split_line("validation", &card.part.splits.validation));
    console::note(counted_line(&summary.counted));
    show_rejects(card, summary);
}

/// The rules for letters that are no residue; nothing where there are none.
fn letters_line(card: &SequencesCard) -> Option<String> {
    let stated = card.options.get("letters").cloned();
    let rules = stated.map_or(Ok(LetterRules::default()), serde_json::from_value).ok()?;
    let kind = serde_json::from_value(card.part.tokenizer.kind.as_str().into()).ok()?;
    let letters = Letters::of_kind(&rules, kind).ok()??;
    Some(format!("  {}", letters.told(&LetterCounts::default())))
}

fn split_line(name: &str, split: &SplitCard) -> String {
    format!(
        "  {name:<11}{:>12} documents {:>15} tokens, longest {}",
        console::count(split.documents),
        console::count(split.tokens),
        console::count(split.longest)
    )
}

fn show_rejects(card: &SequencesCard, summary: &SequencesSummary) {
    let counts: &BTreeMap<String, u64> = &card.rejects.reasons;
    for (reason, count) in counts {
        console::note(format!("  rejected {}: {reason}", console::count(*count)));
    }
    for reject in summary.rejected.iter().take(3) {
        console::note(format!("    {reject}"));
    }
    if !counts.is_empty() {
        console::note("  rejects.jsonl lists file, line and reason");
    }
}
