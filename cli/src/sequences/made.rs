//! A dataset of sequences that was just made, in a few lines.

use std::collections::BTreeMap;

use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::SequencesSummary;
use genesis_data::sequences::card::SplitCard;

use crate::console;

/// The dataset in a few lines.
pub(crate) fn show(summary: &SequencesSummary, folder: &str) {
    let card = &summary.card;
    let state = if summary.unchanged { " (was there already, unchanged)" } else { "" };
    console::note(format!("{folder}: dataset {}{state}", &summary.digest[..12]));
    console::note(format!(
        "  tokenizer {}, {} tokens in the vocabulary",
        card.part.tokenizer.kind, card.part.tokenizer.vocab_size
    ));
    console::note(split_line("train", &card.part.splits.train));
    console::note(split_line("validation", &card.part.splits.validation));
    if card.duplicates_dropped > 0 {
        console::note(format!("  {} duplicates dropped", console::count(card.duplicates_dropped)));
    }
    show_rejects(card, summary);
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
