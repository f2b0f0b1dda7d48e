//! A dataset of structures that was just made, in a few lines.

use std::path::Path;

use genesis_data::dataset::Split;
use genesis_data::structures::StructuresSummary;

use crate::console;
use crate::family::dataset::counted_line;

/// A new dataset in a few lines.
pub(crate) fn show(summary: &StructuresSummary, folder: &Path) {
    let card = &summary.card;
    let state = if summary.unchanged { " (was there already, unchanged)" } else { "" };
    console::note(format!("{}: dataset {}{state}", folder.display(), &summary.digest[..12]));
    for split in Split::ALL {
        let found = card.part.splits.get(split);
        console::note(format!(
            "  {:<11}{:>9} structures {:>11} atoms; with energy {}, forces {}, stress {}",
            split.name(),
            console::count(found.frames),
            console::count(found.atoms),
            console::count(found.energy_per_atom.count),
            console::count(found.with_forces),
            console::count(found.with_stress),
        ));
    }
    console::note(counted_line(&summary.counted));
    summary.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    summary.rejected.iter().take(3).for_each(|reject| console::note(format!("    {reject}")));
}
