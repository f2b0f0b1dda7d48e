//! The task of a model of atoms: batches of graphs, weighted errors of energies, forces, stress.
//!
//! The sums of a step are divided by the structures and atoms of the whole step, so cutting it
//! into slices that fit the memory changes nothing but memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::{FloatDType, Tensor};
use genesis_data::dataset::Split;
use genesis_data::structures::StructuresCorpus;
use genesis_data::structures::{Budgets, StructuresLoader, StructuresLoaderPlan};
use genesis_kernels::Kernels;
use genesis_model::equivariant::{
    Blueprint, LossConfig, LossCounts, LossTerms, Wanted, loss_and_gradients,
};
use genesis_model::{ParamSpec, Params};
use genesis_schema::{Frame, GraphBatch, Sample};

use super::error::StructuresError;
use super::errors::{ErrorTable, compared};
use super::figures as figure;
use super::measure::{self, Measuring};
use super::plan::StructuresPlan;
use super::sample::some_atoms;
use super::sources::{self, Labels};
use crate::checkpoint::host::to_f64;
use crate::cluster::{Cluster, Phase};
use crate::report::Figures;
use crate::report::audit::Delivered;
use crate::trainer::gate::{Computed, Trial};
use crate::trainer::task::{Gradients, Measurement, Part, Tally, Task, Work, delivered};
use crate::trainer::{Plan, RankOf, Share, TrainError};

/// Name of the validation set in tables.
pub(super) const VALIDATION: &str = "validation";

/// Does `work` with what `plan` is to learn, as `rank`.
pub(super) fn with_task<B: Kernels, W: Work>(
    plan: &StructuresPlan,
    corpus: &StructuresCorpus,
    device: &B::Device,
    rank: &RankOf<'_>,
    work: W,
) -> Result<W::Output, TrainError> {
    let (batch, parallel) = (&plan.config.batch, &plan.config.parallel);
    let share = Share::of(rank, parallel, batch.frames, 1)?;
    let loader = loader(plan, corpus, share).map_err(TrainError::from);
    let loader = Arc::new(rank.cluster.agree(Phase::Data, "opening its data", loader)?);
    let measured = plan.blend.measured_in(corpus);
    work.on(&plan.course()?, &Atoms::<B> { plan, device, loader, measured })
}

/// The loader of a rank of a plan.
pub(super) fn loader(
    plan: &StructuresPlan,
    corpus: &StructuresCorpus,
    share: Share,
) -> genesis_data::error::Result<StructuresLoader> {
    let batch = &plan.config.batch;
    let loader = StructuresLoaderPlan {
        cutoff: plan.blueprint.config().r_max_angstrom,
        frames_per_step: batch.frames,
        budgets: Budgets { max_atoms: batch.max_atoms, max_edges: batch.max_edges },
        parts: if share.apart { share.parts } else { 1 },
        rank: share.rank,
        world: share.world,
        seed: plan.config.run.seed,
    };
    let mixture = plan.blend.mixture.mixture(batch.frames as u64)?;
    StructuresLoader::mixed(corpus.clone(), Arc::new(mixture), loader)
}

/// Learning energies, forces and stress.
struct Atoms<'a, B: Kernels> {
    plan: &'a StructuresPlan,
    device: &'a B::Device,
    loader: Arc<StructuresLoader>,
    /// Sources whose validation split is measured.
    measured: Vec<usize>,
}

/// Places in a tally: structures, atoms, edges.
const GRAPHS: usize = 0;
const ATOMS: usize = 1;
const EDGES: usize = 2;

impl<B: Kernels> Task<B> for Atoms<'_, B> {
    type Slice = GraphBatch;
    type Loader = StructuresLoader;
    type Trial = GraphTrial;

    fn samples_are(&self) -> &'static str {
        "structures"
    }

    fn specs(&self) -> Arc<[ParamSpec]> {
        self.plan.blueprint.specs().clone()
    }

    fn dtype(&self) -> FloatDType {
        self.plan.dtype
    }

    fn device(&self) -> &B::Device {
        self.device
    }

    fn loader(&self) -> &Arc<StructuresLoader> {
        &self.loader
    }

    fn tally(&self, slices: &[GraphBatch]) -> Tally {
        let sum = |of: fn(&GraphBatch) -> usize| slices.iter().map(of).sum::<usize>() as f64;
        vec![sum(GraphBatch::num_frames), sum(GraphBatch::num_atoms), sum(GraphBatch::num_edges)]
    }

    fn gradients(
        &self,
        step: u64,
        params: &Params<B>,
        part: &Part<'_, GraphBatch>,
        whole: &Tally,
    ) -> Result<Gradients<B>, TrainError> {
        let loss = self.plan.loss(step);
        let counts = LossCounts { graphs: whole[GRAPHS], atoms: whole[ATOMS] };
        let mut total = 0.0;
        let mut sum: Option<Vec<Tensor<B, 1>>> = None;
        for slice in part.slices {
            let found = loss_and_gradients(&self.plan.blueprint, params, slice, &loss, counts)
                .map_err(|error| TrainError::Batch { step: step + 1, reason: error.to_string() })?;
            total += found.terms.total();
            sum = Some(match sum {
                None => found.gradients,
                Some(sum) => sum.into_iter().zip(found.gradients).map(|(a, b)| a.add(b)).collect(),
            });
        }
        Ok((total, sum.unwrap_or_default()))
    }

    fn trial(&self, slices: &[GraphBatch]) -> Option<GraphTrial> {
        let batch = some_atoms(slices);
        (batch.num_atoms() > 0).then(|| GraphTrial {
            blueprint: self.plan.blueprint.clone(),
            loss: self.plan.loss(0),
            batch,
        })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    fn size(&self, whole: &Tally) -> u64 {
        whole[ATOMS] as u64
    }

    fn rates(&self, whole: &Tally, seconds: f64, seen: u64) -> Figures {
        let per_second = |count: f64| count / seconds.max(f64::MIN_POSITIVE);
        Figures::default()
            .with(&figure::ATOMS_PER_S, per_second(whole[ATOMS]))
            .with(&figure::EDGES_PER_S, per_second(whole[EDGES]))
            .with(&figure::ATOMS, seen)
    }

    fn sample_ids(&self, slices: &[GraphBatch]) -> Vec<u64> {
        slices.iter().flat_map(|slice| slice.frame_ids.clone()).collect()
    }

    fn delivered(&self, slice: &GraphBatch) -> Vec<Delivered> {
        let members = self.loader.corpus().members();
        let of = |(sample, frame): (&Sample, &Frame)| {
            let Frame { atomic_numbers, positions, cell, labels, .. } = frame;
            let forces = labels.forces.iter().flatten().flatten();
            let stress = labels.stress.iter().flatten().flatten();
            let numbers = positions.iter().chain(cell).flatten();
            let numbers = numbers.chain(&labels.energy).chain(forces).chain(stress);
            let mut content = atomic_numbers.clone();
            content.extend(numbers.flat_map(|it| it.to_le_bytes()));
            delivered(sample, &members[sample.source as usize].name, &content)
        };
        slice.samples.iter().zip(&slice.frames).map(of).collect()
    }

    fn evaluate(
        &self,
        step: u64,
        params: &Params<B>,
        cluster: &Cluster,
        stop: &AtomicBool,
    ) -> Result<Option<Measurement>, TrainError> {
        let members = || self.measured.iter().map(|&place| &self.loader.corpus().members()[place]);
        let all = sources::labels(members(), Split::Validation);
        if all.frames == 0 {
            return Ok(None);
        }
        // The loss of the last update: the first stage is evaluated with its own weights.
        let loss = self.plan.loss(step.saturating_sub(1));
        let counts = |of: Labels| LossCounts { graphs: of.frames as f64, atoms: of.atoms as f64 };
        let measuring = Measuring {
            blueprint: &self.plan.blueprint,
            params,
            wanted: Wanted { forces: true, stress: all.with_stress > 0 },
            loss: &loss,
            counts: counts(all),
        };
        let mut table = ErrorTable::default();
        let (mut terms, mut of_sources) = (LossTerms::default(), BTreeMap::new());
        for (&place, member) in self.measured.iter().zip(members()) {
            let batches = self.loader.evaluation_of(place, Split::Validation, None);
            let found = measuring.each(cluster.turns(batches), stop, |batch, prediction| {
                compared(batch, prediction).for_each(|frame| table.add(VALIDATION, &frame));
            });
            let found = found.map_err(|error| match error {
                StructuresError::Data(error) => TrainError::Data(error),
                other => TrainError::Batch { step, reason: other.to_string() },
            });
            let found = cluster.agree(Phase::Step, "evaluating", found)?;
            let Some(found) = measure::over_ranks(found, cluster)? else { return Ok(None) };
            let own = sources::labels([member], Split::Validation);
            if own.frames > 0 && self.measured.len() > 1 {
                let alone = measure::rescaled(found, counts(all), counts(own));
                of_sources.insert(member.name.clone(), alone.total());
            }
            terms = measure::added(terms, found);
        }
        let table = table.over_ranks(cluster)?;
        Ok(Some(Measurement {
            loss: terms.total(),
            of_sources,
            figures: figures(&table),
            baseline: Some(format!(
                "validation: {} structures; forces of zero would be wrong by {:.0} meV/Å (their \
                 root mean square)",
                all.frames,
                1e3 * sources::forces_rms(members(), Split::Validation)
            )),
        }))
    }

    fn attachments(&self) -> Result<BTreeMap<String, Vec<u8>>, TrainError> {
        Ok(BTreeMap::new())
    }
}

/// A network and a few atoms.
struct GraphTrial {
    blueprint: Blueprint,
    loss: LossConfig,
    batch: GraphBatch,
}

impl Trial for GraphTrial {
    fn compute<B: Kernels>(
        &self,
        params: &Params<B>,
        _device: &B::Device,
    ) -> Result<Computed, TrainError> {
        let counts = LossCounts::of(&self.batch);
        let found = loss_and_gradients(&self.blueprint, params, &self.batch, &self.loss, counts)
            .map_err(|error| TrainError::Batch { step: 0, reason: error.to_string() })?;
        Ok(Computed { loss: found.terms.total(), gradients: to_f64(&found.gradients) })
    }

    fn describe(&self) -> String {
        let (frames, atoms) = (self.batch.num_frames(), self.batch.num_atoms());
        format!("{atoms} atoms of {frames} structures")
    }
}

fn figures(table: &ErrorTable) -> Figures {
    let all = table.of_set(VALIDATION);
    let milli = |value: Option<f64>| value.map(|value| 1e3 * value);
    Figures::default()
        .with_known(&figure::ENERGY_RMSE, milli(all.energy_per_atom.rmse()))
        .with_known(&figure::ENERGY_MAE, milli(all.energy_per_atom.mae()))
        .with_known(&figure::FORCES_RMSE, milli(all.forces.rmse()))
        .with_known(&figure::FORCES_MAE, milli(all.forces.mae()))
        .with_known(&figure::STRESS_RMSE, milli(all.stress.rmse()))
        .with(&figure::VAL_FRAMES, all.frames)
}
