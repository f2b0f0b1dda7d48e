//! What a network takes from its training split: elements, energies of isolated atoms, neighbours,
//! scale and shift.
//!
//! ```text
//! avg_num_neighbors  mean in-degree of the atoms that have a neighbour
//! shift              mean over structures of (E - sum of E0) / n, per head, eV
//! scale              root mean square of all force components, per head; 1 without forces
//! ```
//!
//! Source: `compute_mean_rms_energy_forces` and `compute_avg_num_neighbors` of mace-torch.

use genesis_data::dataset::Split;
use genesis_data::error::DataError;
use genesis_data::structures::StructuresDataset;
use genesis_schema::Frame;
use genesis_schema::elements::atomic_number;

use super::settings::MaceModel;

/// Head of data that names none.
pub const ONLY_HEAD: &str = "default";

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// `[S]` atomic numbers of all splits, ascending.
    pub elements: Vec<u8>,
    /// `[S]` energies of isolated atoms, eV.
    pub atomic_energies_ev: Vec<f64>,
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
    /// Measures the training split of `dataset` for `model`, in one pass.
    ///
    /// # Errors
    /// [`StatisticsError`] naming element, head or structure.
    pub fn measure(
        dataset: &StructuresDataset,
        model: &MaceModel,
    ) -> Result<Self, StatisticsError> {
        let (elements, atomic_energies_ev) = elements(dataset)?;
        let heads = heads(dataset, model);
        let mut sums = vec![Sums::default(); heads.len()];
        for index in 0..dataset.num_frames(Split::Train) {
            let frame = dataset.frame(Split::Train, index)?.frame;
            let Some(head) = place(&heads, &frame.head) else {
                return Err(StatisticsError::Head { index, head: frame.head, known: heads });
            };
            sums[head].add(&frame, &elements, &atomic_energies_ev);
        }
        let avg_num_neighbors = match model.avg_num_neighbors {
            Some(given) => given,
            None => neighbors(dataset, model.r_max_angstrom)?,
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

/// Elements of all splits with their energies, by atomic number.
fn elements(dataset: &StructuresDataset) -> Result<(Vec<u8>, Vec<f64>), StatisticsError> {
    let card = dataset.card();
    let mut known = Vec::new();
    for symbol in card.part.elements.keys() {
        let number = atomic_number(symbol)
            .ok_or_else(|| StatisticsError::Symbol { symbol: symbol.clone() })?;
        let energy = card.part.atomic_energies.values_ev.get(symbol);
        let energy = energy.ok_or_else(|| StatisticsError::NoEnergy { symbol: symbol.clone() })?;
        known.push((number, *energy));
    }
    known.sort_by_key(|(number, _)| *number);
    Ok(known.into_iter().unzip())
}

fn heads(dataset: &StructuresDataset, model: &MaceModel) -> Vec<String> {
    if let Some(given) = &model.heads {
        return given.clone();
    }
    let named = dataset.card().part.splits.get(Split::Train).heads.keys();
    let named: Vec<String> = named.filter(|name| !name.is_empty()).cloned().collect();
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
fn neighbors(dataset: &StructuresDataset, cutoff: f64) -> Result<f64, DataError> {
    let card = &dataset.card().part.neighbors;
    let mean =
        if card.cutoff == cutoff { card.mean } else { dataset.average_num_neighbors(cutoff)? };
    // Without any neighbour nothing is divided; one keeps the network defined.
    Ok(if mean > 0.0 { mean } else { 1.0 })
}

#[derive(Debug, Clone, Default)]
struct Sums {
    interaction: f64,
    structures: u64,
    force_squares: f64,
    force_components: u64,
}

impl Sums {
    fn add(&mut self, frame: &Frame, elements: &[u8], energies: &[f64]) {
        if let Some(energy) = frame.labels.energy {
            let alone: f64 = frame
                .atomic_numbers
                .iter()
                .filter_map(|number| elements.binary_search(number).ok())
                .map(|place| energies[place])
                .sum();
            self.interaction += (energy - alone) / frame.atomic_numbers.len() as f64;
            self.structures += 1;
        }
        let forces = frame.labels.forces.iter().flatten().flatten();
        self.force_squares += forces.map(|component| component * component).sum::<f64>();
        self.force_components += 3 * frame.labels.forces.as_ref().map_or(0, Vec::len) as u64;
    }

    fn shift(&self) -> f64 {
        if self.structures == 0 { 0.0 } else { self.interaction / self.structures as f64 }
    }

    fn scale(&self) -> f64 {
        let mean = self.force_squares / self.force_components.max(1) as f64;
        // Forces that are all zero say nothing about energies.
        if mean > 0.0 { mean.sqrt() } else { 1.0 }
    }
}
