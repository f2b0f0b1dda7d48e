//! Several datasets of structures in one run: whether the energies of isolated atoms agree, how large structures are,
//! which labels they have together.
//!
//! Units are those of every dataset, eV and Å, whatever files had. Elements and heads are united. Not here:
//! how often each is drawn from (`trainer::blend`).

use std::collections::BTreeMap;

use genesis_data::dataset::mixture::shares::Mean;
use genesis_data::dataset::{Member, Split};
use genesis_data::structures::StructuresCorpus;
use genesis_data::structures::card::StructuresPart;

use super::settings::{StructuresConfig, StructuresWeighting};
use crate::keys::ConfigProblem;
use crate::trainer::Blend;

type Source = Member<StructuresPart>;

/// The data of the run of `config`.
///
/// # Errors
/// One dataset without structures to learn from; weights of too many parts.
pub(super) fn blend(
    config: &StructuresConfig,
    corpus: &StructuresCorpus,
) -> Result<Blend, ConfigProblem> {
    if config.data.mixture.is_empty() {
        return Ok(Blend::sole(corpus.first().digest()));
    }
    let empty = |it: &&Source| it.dataset.num_frames(Split::Train) == 0;
    if let Some(source) = corpus.members().iter().find(empty) {
        let problem =
            "its training split has no structures; leave it out, or hold out a smaller part";
        return Err(ConfigProblem::at(format!("data.mixture.{}", source.name), problem));
    }
    let mean = |source: &Source| {
        let train = source.dataset.card().part.splits.get(Split::Train);
        Mean { units: train.atoms, samples: train.frames }
    };
    let means: Vec<Mean> = corpus.members().iter().map(mean).collect();
    let by_atoms = config.data.weighting == StructuresWeighting::Atoms;
    Blend::of(corpus, config.data.keys(), by_atoms.then_some(&means[..]))
}

/// What a split of several datasets has together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Labels {
    pub(super) frames: u64,
    pub(super) atoms: u64,
    pub(super) energies: u64,
    pub(super) forces: u64,
    pub(super) stresses: u64,
    pub(super) with_stress: u64,
}

/// Labels of a split of `sources`.
pub(super) fn labels<'s>(sources: impl IntoIterator<Item = &'s Source>, split: Split) -> Labels {
    let mut sum = Labels::default();
    for source in sources {
        let card = source.dataset.card().part.splits.get(split);
        sum.frames += card.frames;
        sum.atoms += card.atoms;
        sum.energies += card.energy_per_atom.count;
        sum.forces += card.forces.count;
        sum.stresses += card.stress.count;
        sum.with_stress += card.with_stress;
    }
    sum
}

/// Root mean square of the force components of a split of `sources`, eV/Å; 0 without any.
pub(super) fn forces_rms<'s>(sources: impl IntoIterator<Item = &'s Source>, split: Split) -> f64 {
    let (mut squares, mut components) = (0.0, 0.0);
    for source in sources {
        let forces = source.dataset.card().part.splits.get(split).forces;
        squares += forces.rms * forces.rms * forces.count as f64;
        components += forces.count as f64;
    }
    if components > 0.0 { f64::sqrt(squares / components) } else { 0.0 }
}

/// Energies of isolated atoms of `head`, eV by symbol, over all datasets that have the head.
///
/// # Errors
/// Two of them with two energies of one element: head, element, both values and the way out.
pub(super) fn atomic_energies(
    corpus: &StructuresCorpus,
    head: &str,
) -> Result<BTreeMap<String, f64>, String> {
    let mut known: BTreeMap<String, (f64, &str)> = BTreeMap::new();
    for source in corpus.members().iter().filter(|source| has_head(source, head)) {
        for (symbol, &energy) in source.dataset.card().part.atomic_energies.of_head(head) {
            let (before, of) = *known.entry(symbol.clone()).or_insert((energy, &source.name));
            if before.to_bits() != energy.to_bits() {
                return Err(format!(
                    "the isolated atom {symbol} has {before} eV in {of} and {energy} eV in {} (head {head:?}); \
                     ingest both with the same data.source.atomic_energies, or give one of them a head of its own",
                    source.name
                ));
            }
        }
    }
    Ok(known.into_iter().map(|(symbol, (energy, _))| (symbol, energy)).collect())
}

/// Whether a dataset has structures of `head`; one that names no heads has those of any.
fn has_head(source: &Source, head: &str) -> bool {
    let part = &source.dataset.card().part;
    let named = |split| part.splits.get(split).heads.keys().any(|name| !name.is_empty());
    let has = |split| part.splits.get(split).heads.contains_key(head);
    !Split::ALL.into_iter().any(named) || Split::ALL.into_iter().any(has)
}
