//! A run file of atoms joined with its dataset: the immutable plan that a run works from.

use burn::tensor::FloatDType;
use genesis_data::dataset::Split;
use genesis_data::structures::StructuresCorpus;
use genesis_model::equivariant::{Blueprint, EnergyKind, InteractionKind, LossConfig, MaceConfig};

use super::settings::{StructuresConfig, StructuresDtype, StructuresNetwork};
use super::statistics::Statistics;
use super::{Structures, sources};
use crate::family::Family;
use crate::keys::{ConfigProblem, ConfigProblems, DecayConfig, may_change};
use crate::report::grouped;
use crate::trainer::{Blend, Course, Plan, StageTwo, TrainError, available_threads, to_json};

/// Everything a run on atoms needs to know, fixed before the first step.
#[derive(Debug, Clone)]
pub struct StructuresPlan {
    /// The file it came from, every default filled in; what `plan.toml` holds.
    pub config: StructuresConfig,
    /// The network with its tables.
    pub blueprint: Blueprint,
    /// Optimizer steps of the run.
    pub steps: u64,
    /// Type of weights and arithmetic.
    pub dtype: FloatDType,
    /// Trained parameters.
    pub num_parameters: u64,
    /// CPU threads.
    pub threads: usize,
    /// What it learns from.
    pub blend: Blend,
}

/// What the manifest calls the tokenizer of a model that has none.
pub const NO_TOKENIZER: &str = "atoms";

/// Joins `config` with its datasets.
///
/// # Errors
/// Every way in which they do not fit: missing labels, splits without structures, sizes of the
/// network, energies of isolated atoms that differ; and a dataset that cannot be read.
pub fn resolve_structures(
    config: StructuresConfig,
    corpus: &StructuresCorpus,
) -> Result<StructuresPlan, ConfigProblems> {
    const PLACE: &str = "the run and its dataset";
    let found = |problem| ConfigProblems::new(PLACE, vec![problem]);
    let blend = sources::blend(&config, corpus).map_err(found)?;
    let problems = fit(&config, corpus, &blend);
    if !problems.is_empty() {
        return Err(ConfigProblems::new(PLACE, problems));
    }
    let StructuresNetwork::Mace(model) = &config.model;
    let statistics = Statistics::measure(corpus, &blend, model)
        .map_err(|error| ConfigProblems::new(PLACE, vec![ConfigProblem::at("data", error)]))?;
    let blueprint = Blueprint::new(model.resolve(&statistics)).map_err(|found| {
        let problems = found.problems.iter().map(|p| ConfigProblem::at("model", p)).collect();
        ConfigProblems::new(PLACE, problems)
    })?;
    let num_parameters = blueprint.specs().iter().map(|spec| spec.num_elements() as u64).sum();
    Ok(StructuresPlan {
        steps: config.schedule.steps,
        dtype: match config.precision.dtype {
            StructuresDtype::F32 => FloatDType::F32,
            StructuresDtype::F64 => FloatDType::F64,
        },
        num_parameters,
        threads: config.run.threads.unwrap_or_else(available_threads),
        blend,
        blueprint,
        config,
    })
}

/// Whether an atom without neighbours has the energy E0: nothing is added to the readouts, and no block
/// makes something of an atom alone.
pub(super) fn free_atoms_are_exact(model: &MaceConfig) -> bool {
    let shifted = match &model.energy {
        EnergyKind::ScaleShift { shift_ev, .. } => shift_ev.iter().any(|&shift| shift != 0.0),
        EnergyKind::Plain {} => false,
    };
    !shifted && model.interaction_first == InteractionKind::RealAgnostic
}

/// What must hold between the file and the cards of the datasets.
fn fit(config: &StructuresConfig, corpus: &StructuresCorpus, blend: &Blend) -> Vec<ConfigProblem> {
    let train = sources::labels(corpus.members(), Split::Train);
    let mut problems = Vec::new();
    let mut require = |holds: bool, path: &str, message: String| {
        if !holds {
            problems.push(ConfigProblem::at(path, message));
        }
    };
    require(train.frames > 0, "data", "the training split has no structures".to_owned());
    let held_out = sources::labels(blend.measured_of(corpus), Split::Validation).frames;
    require(
        held_out > 0 || !matches!(config.schedule.decay, DecayConfig::Plateau { .. }),
        "schedule.decay",
        format!(
            "a plateau listens to the validation loss, and none of {} structures is held out for \
             validation; hold some out (data.source.validation), or choose another decay",
            train.frames
        ),
    );
    let objective = &config.objective;
    let stage_two = config.stage_two.as_ref();
    let weights = [
        ("energy", objective.energy_weight, train.energies),
        ("forces", objective.forces_weight, train.forces),
        ("stress", objective.stress_weight, train.stresses),
    ];
    let later = [
        stage_two.map_or(0.0, |stage| stage.energy_weight),
        stage_two.map_or(0.0, |stage| stage.forces_weight),
        stage_two.map_or(0.0, |stage| stage.stress_weight),
    ];
    for ((label, weight, count), later) in weights.into_iter().zip(later) {
        require(
            (weight <= 0.0 && later <= 0.0) || count > 0 || train.frames == 0,
            &format!("objective.{label}_weight"),
            format!(
                "is {weight} (stage two {later}), but none of {} training structures has {label} \
                 that weighs more than 0; set it to 0, or ingest labels",
                train.frames
            ),
        );
    }
    problems
}

impl StructuresPlan {
    /// The loss of the update numbered `step` from 0.
    pub fn loss(&self, step: u64) -> LossConfig {
        let first = self.config.objective.loss();
        match self.config.stage_two {
            Some(stage) if step >= stage.start_step => LossConfig {
                energy_weight: stage.energy_weight,
                forces_weight: stage.forces_weight,
                stress_weight: stage.stress_weight,
                ..first
            },
            _ => first,
        }
    }
}

impl Plan for StructuresPlan {
    type Config = StructuresConfig;

    fn config(&self) -> &StructuresConfig {
        &self.config
    }

    fn num_parameters(&self) -> u64 {
        self.num_parameters
    }

    fn tensorboard(&self) -> bool {
        self.config.report.tensorboard
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let model = self.blueprint.config();
        let symbols = model.elements.len();
        let mut facts = vec![
            (
                "Model",
                format!(
                    "MACE, {} layers, {} channels, degrees to {}, harmonics to {}, correlation {}",
                    model.num_interactions,
                    model.channels,
                    model.max_hidden_degree,
                    model.max_ell,
                    model.correlation
                ),
            ),
            ("Parameters", grouped(self.num_parameters)),
            ("Elements", symbols.to_string()),
            ("Cut-off", format!("{} Å", model.r_max_angstrom)),
            ("Mean number of neighbours", format!("{:.4}", model.avg_num_neighbors)),
        ];
        if let EnergyKind::ScaleShift { scale, shift_ev } = &model.energy {
            facts.push(("Scale, eV", format!("{scale:?}")));
            facts.push(("Shift, eV", format!("{shift_ev:?}")));
        }
        let alone = if free_atoms_are_exact(model) {
            "E0"
        } else {
            "E0 and what is learned; shift_ev = 0 and interaction_first = \"real_agnostic\" give E0"
        };
        facts.push(("Free atoms", alone.to_owned()));
        facts.extend([
            ("Steps planned", grouped(self.steps)),
            ("Structures per step", self.config.batch.frames.to_string()),
            ("Arithmetic", format!("{:?}", self.config.precision.dtype).to_lowercase()),
            ("Device", self.config.run.device.to_string()),
            ("Threads", self.threads.to_string()),
            ("Seed", self.config.run.seed.to_string()),
            ("Dataset digest", self.blend.digest()),
        ]);
        facts.extend(self.blend.facts());
        facts
    }

    fn course(&self) -> Result<Course, TrainError> {
        let config = &self.config;
        Ok(Course {
            family: Structures::NAME,
            run_dir: config.run.dir.clone(),
            seed: config.run.seed,
            schedule: config.schedule,
            stage_two: config
                .stage_two
                .map(|stage| StageTwo { start_step: stage.start_step, rate: stage.rate }),
            optimizer: config.optimizer,
            average: config.average,
            summing: (&config.parallel).into(),
            evaluation_every: config.evaluation.every,
            audit: config.report.audit,
            checkpoint: config.checkpoint,
            faults: config.faults,
            model: to_json(self.blueprint.config())?,
            config: to_json(config)?,
            blend: self.blend.clone(),
            tokenizer_kind: NO_TOKENIZER.to_owned(),
            inherited: Vec::new(),
            may_change: may_change::<StructuresConfig>(),
        })
    }
}
