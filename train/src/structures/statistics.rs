//! What a network takes from its training split: elements, energies of isolated atoms, neighbours,
//! scale and shift.
//!
//! ```text
//! avg_num_neighbors  mean in-degree of the atoms that have a neighbour
//! shift              mean over structures of (E - sum of E0) / n, per head, eV
//! scale              root mean square of all force components, per head; 1 without forces
//! ```
//!
//! Means weigh as the loss does: labels and structures of weight 0 are not there.
//!
//! Source: `compute_mean_rms_energy_forces` and `compute_avg_num_neighbors` of mace-torch.

use std::collections::BTreeSet;

use genesis_data::dataset::Split;
use genesis_data::error::DataError;
use genesis_data::structures::dataset::mean_num_neighbors;
use genesis_data::structures::{StructuresCorpus, StructuresDataset};
use genesis_schema::Frame;
use genesis_schema::elements::{atomic_number, symbol};

use super::settings::MaceModel;
use super::sources;
use crate::trainer::Blend;

/// Head of data that names none.
pub const ONLY_HEAD: &str = "default";

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `[S]` atomic numbers of all splits, ascending.
    pub elements: Vec<u8>,
    /// `[H][S]` energies of isolated atoms, eV.
    pub atomic_energies_ev: Vec<Vec<f64>>,
    /// `[H]` names of the heads.
    pub heads: Vec<String>,
    /// Mean number of neighbours.
    pub avg_num_neighbors: f64,
    /// `[H]` factors of the readouts, eV.
    pub scale: Vec<f64>,
    /// `[H]` summands of the readouts, eV.
    pub shift_ev: Vec<f64>,
}

/// Why a training split gives no statistics.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// A structure could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The card names something that is no element.
    #[error("the dataset card names {symbol:?}, which is no element; ingest the data again")]
    Symbol {
        /// What it names.
        symbol: String,
    },
    /// An element has no energy.
    #[error(
        "the dataset has no energy of the isolated atom {symbol}; give it with \
         data.source.atomic_energies and ingest again"
    )]
    NoEnergy {
        /// The element.
        symbol: String,
    },
    /// Two datasets disagree on the energy of an atom.
    #[error("{problem}")]
    TwoEnergies {
        /// Head, element, both values and the way out.
        problem: String,
    },
    /// A structure belongs to a head that the model does not have.
    #[error(
        "training structure {index} belongs to the head {head:?}, but `model.heads` is {known:?}; \
         add it there, or ingest without it"
    )]
    Head {
        /// Number in the training split.
        index: u64,
        /// Its head.
        head: String,
        /// Heads of the model.
        known: Vec<String>,
    },
}

impl From<StatisticsError> for String {
    fn from(error: StatisticsError) -> Self {
        error.to_string()
    }
}

impl Statistics {
    /// Measures the training splits of `corpus` for `model`, in one pass. Elements, heads and energies of isolated
    /// atoms are those of all datasets; means those of the ones that `blend` begins with, each structure once, so
    /// that a dataset which is added later changes no network.
    ///
    /// # Errors
    /// [`StatisticsError`] naming element, head or structure.
    pub fn measure(
        corpus: &StructuresCorpus,
        blend: &Blend,
        model: &MaceModel,
    ) -> Result<Self, StatisticsError> {
        let heads = heads(corpus, model);
        let elements = elements(corpus)?;
        let of = |head: &String| energies(corpus, &elements, head);
        let atomic_energies_ev = heads.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let mut sums = vec![Sums::default(); heads.len()];
        let first: Vec<&StructuresDataset> =
            blend.begins_with(corpus).map(|(source, _)| source.dataset.as_ref()).collect();
        for dataset in &first {
            for index in 0..dataset.num_frames(Split::Train) {
                let frame = dataset.frame(Split::Train, index)?.frame;
                let Some(head) = place(&heads, &frame.head) else {
                    return Err(StatisticsError::Head { index, head: frame.head, known: heads });
                };
                sums[head].add(&frame, &elements, &atomic_energies_ev[head]);
            }
        }
        let avg_num_neighbors = match model.avg_num_neighbors {
            Some(given) => given,
            None => neighbors(&first, model.r_max_angstrom)?,
        };
        Ok(Self {
            scale: sums.iter().map(Sums::scale).collect(),
            shift_ev: sums.iter().map(Sums::shift).collect(),
            elements,
            atomic_energies_ev,
            heads,
            avg_num_neighbors,
        })
    }
}

/// Elements of all splits, by atomic number.
fn elements(corpus: &StructuresCorpus) -> Result<Vec<u8>, StatisticsError> {
    let symbols = corpus.members().iter().flat_map(|it| it.dataset.card().part.elements.keys());
    let number = |symbol: &String| {
        atomic_number(symbol).ok_or_else(|| StatisticsError::Symbol { symbol: symbol.clone() })
    };
    let mut known = symbols.map(number).collect::<Result<Vec<_>, _>>()?;
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// Energies of `elements` alone, of one head.
fn energies(
    corpus: &StructuresCorpus,
    elements: &[u8],
    head: &str,
) -> Result<Vec<f64>, StatisticsError> {
    let known = sources::atomic_energies(corpus, head);
    let known = known.map_err(|problem| StatisticsError::TwoEnergies { problem })?;
    let energy = |&number: &u8| {
        let symbol = symbol(number);
        let energy = known.get(symbol).copied();
        energy.ok_or_else(|| StatisticsError::NoEnergy { symbol: symbol.to_owned() })
    };
    elements.iter().map(energy).collect()
}

fn heads(corpus: &StructuresCorpus, model: &MaceModel) -> Vec<String> {
    if let Some(given) = &model.heads {
        return given.clone();
    }
    let train = corpus.members().iter().map(|it| it.dataset.card().part.splits.get(Split::Train));
    let named = train.flat_map(|split| split.heads.keys()).filter(|name| !name.is_empty());
    let named: BTreeSet<String> = named.cloned().collect();
    let named: Vec<String> = named.into_iter().collect();
    if named.is_empty() { vec![ONLY_HEAD.to_owned()] } else { named }
}

/// Place of a structure's head; a structure without one belongs to the only head.
fn place(heads: &[String], head: &str) -> Option<usize> {
    if head.is_empty() && heads.len() == 1 {
        return Some(0);
    }
    heads.iter().position(|known| known == head)
}

/// The card has the number when it was made with the same cut-off.
#[expect(clippy::float_cmp, reason = "only the very same cut-off has the same neighbours")]
fn neighbors(datasets: &[&StructuresDataset], cutoff: f64) -> Result<f64, DataError> {
    let mean = match datasets {
        [only] if only.card().part.neighbors.cutoff == cutoff => only.card().part.neighbors.mean,
        several => mean_num_neighbors(several, cutoff)?,
    };
    // Without any neighbour nothing is divided; one keeps the network defined.
    Ok(if mean > 0.0 { mean } else { 1.0 })
}

#[derive(Debug, Clone, Default)]
struct Sums {
    interaction: f64,
    /// Weights of the energies.
    structures: f64,
    force_squares: f64,
    /// Weights of the force components.
    force_components: f64,
}

impl Sums {
    fn add(&mut self, frame: &Frame, elements: &[u8], energies: &[f64]) {
        let weight = frame.weights.of_energy();
        if let Some(energy) = frame.labels.energy.filter(|_| weight > 0.0) {
            let alone: f64 = frame
                .atomic_numbers
                .iter()
                .filter_map(|number| elements.binary_search(number).ok())
                .map(|place| energies[place])
                .sum();
            self.interaction += weight * (energy - alone) / frame.atomic_numbers.len() as f64;
            self.structures += weight;
        }
        let weight = frame.weights.of_forces();
        if let Some(forces) = frame.labels.forces.as_ref().filter(|_| weight > 0.0) {
            let components = forces.as_flattened();
            let squares: f64 = components.iter().map(|component| component * component).sum();
            self.force_squares += weight * squares;
            self.force_components += weight * components.len() as f64;
        }
    }

    fn shift(&self) -> f64 {
        if self.structures > 0.0 { self.interaction / self.structures } else { 0.0 }
    }

    fn scale(&self) -> f64 {
        // Forces that are all zero say nothing about energies.
        if self.force_squares > 0.0 {
            (self.force_squares / self.force_components).sqrt()
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use genesis_schema::{FrameLabels, FrameWeights};

    fn frame(energy: f64, force: f64, weights: FrameWeights) -> Frame {
        Frame {
            atomic_numbers: vec![1, 1],
            positions: vec![[0.0; 3]; 2],
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels {
                energy: Some(energy),
                forces: Some(vec![[force; 3]; 2]),
                stress: None,
            },
            weights,
            config_type: String::new(),
            head: String::new(),
        }
    }

    #[test]
    fn scale_and_shift_weigh_as_the_loss_and_weight_zero_is_not_there() {
        let with = |config: f64, energy: f64, forces: f64| FrameWeights {
            config,
            energy,
            forces,
            stress: 1.0,
        };
        let mut sums = Sums::default();
        for frame in [
            frame(-10.0, 1.0, with(1.0, 1.0, 1.0)),
            frame(-14.0, 2.0, with(3.0, 1.0, 1.0)),
            frame(9e9, 9e9, with(0.0, 1.0, 1.0)),
            frame(9e9, 9e9, with(1.0, 0.0, 0.0)),
        ] {
            sums.add(&frame, &[1], &[-4.0]);
        }
        // (-2 / 2 + 3 (-6 / 2)) / 4 and sqrt((1 + 3 · 4) / 4).
        assert!(
            (sums.shift() + 2.5).abs() < 1e-12 && (sums.scale() - 3.25f64.sqrt()).abs() < 1e-12
        );
        assert!((Sums::default().scale() - 1.0).abs() < 1e-12);
    }
}
