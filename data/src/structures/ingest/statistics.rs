//! Counts and ranges, structure by structure, for the card.
//!
//! Values weigh as they do in the loss: one of weight 0 is not there.

use genesis_schema::Frame;

use crate::structures::card::{Range, StructuresSplitCard};

/// Adds up values for a [`Range`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    count: u64,
    weights: f64,
    min: f64,
    max: f64,
    sum: f64,
    squares: f64,
}

impl Tally {
    /// Adds a value that weighs `weight`, 0 or more.
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let first = self.count == 0;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.count += 1;
        self.weights += weight;
        self.sum += weight * value;
        self.squares += weight * value * value;
    }

    pub(crate) fn range(&self) -> Range {
        let share = |sum: f64| if self.count == 0 { 0.0 } else { sum / self.weights };
        Range {
            count: self.count,
            min: self.min,
            max: self.max,
            mean: share(self.sum),
            rms: share(self.squares).sqrt(),
        }
    }
}

/// What is known of a split while it is written.
#[derive(Debug, Default)]
pub(crate) struct SplitTally {
    card: StructuresSplitCard,
    energy_per_atom: Tally,
    forces: Tally,
    stress: Tally,
}

impl SplitTally {
    pub(crate) fn add(&mut self, frame: &Frame) {
        let atoms = frame.atomic_numbers.len() as u64;
        let card = &mut self.card;
        card.frames += 1;
        card.atoms += atoms;
        card.largest = card.largest.max(atoms);
        *card.sizes.entry(atoms).or_default() += 1;
        card.periodic += u64::from(frame.periodic.contains(&true));
        *card.config_types.entry(frame.config_type.clone()).or_default() += 1;
        *card.heads.entry(frame.head.clone()).or_default() += 1;
        let weights = frame.weights;
        if let Some(energy) = frame.labels.energy {
            self.energy_per_atom.add(energy / atoms as f64, weights.of_energy());
        }
        if let Some(forces) = &frame.labels.forces {
            card.with_forces += 1;
            let components = forces.iter().flatten();
            components.for_each(|&component| self.forces.add(component, weights.of_forces()));
        }
        if let Some(stress) = &frame.labels.stress {
            card.with_stress += 1;
            let components = stress.iter().flatten();
            components.for_each(|&component| self.stress.add(component, weights.of_stress()));
        }
    }

    pub(crate) fn frames(&self) -> u64 {
        self.card.frames
    }

    pub(crate) fn card(self) -> StructuresSplitCard {
        StructuresSplitCard {
            energy_per_atom: self.energy_per_atom.range(),
            forces: self.forces.range(),
            stress: self.stress.range(),
            ..self.card
        }
    }
}
