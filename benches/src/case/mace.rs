//! Training steps and predictions of a MACE on acetylacetone, with the settings of the peer.

use std::path::PathBuf;

use genesis_data::structures::ingest::Label;
use genesis_data::structures::neighbor_list;
use genesis_data::structures::{StructuresIngest, read_structures};
use genesis_kernels::Kernels;
use genesis_model::Params;
use genesis_model::equivariant::{
    Blueprint, CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, LossConfig,
    LossCounts, MaceConfig, Penalty, ProductBasisKind, Wanted, loss_and_gradients, predict,
};
use genesis_schema::{GraphBatch, Seeds};
use genesis_train::trainer::optim::{AdamSettings, Optimizer, Rule};
use serde::{Deserialize, Serialize};

use super::{CaseError, Fields, Float, Repeats, median_s, put, timed};

/// Å.
const CUTOFF: f64 = 5.0;
/// Structures that the peer reads from the file.
const STRUCTURES: usize = 200;
/// Of H, C and O, eV: the isolated atoms of the acetylacetone set.
const ISOLATED_ENERGIES: [f64; 3] =
    [-13.568_422_178_253_735, -1_026.853_899_611_615_4, -2_037.796_869_412_825];
const RATE: f64 = 1e-2;
const AMSGRAD: Rule =
    Rule::Amsgrad(AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 });
const LOSS: LossConfig = LossConfig {
    penalty: Penalty::Weighted {},
    energy_weight: 1.0,
    forces_weight: 100.0,
    stress_weight: 0.0,
};

/// A network, its structures and how it is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaceCase {
    /// Extended XYZ with energies and forces of H, C and O.
    pub file: PathBuf,
    /// Channels of every degree.
    pub channels: usize,
    /// Highest degree of the features between layers.
    pub degree: usize,
    /// Structures of a step.
    pub batch: usize,
    /// Type of parameters and features.
    pub float: Float,
    /// How often.
    pub repeats: Repeats,
}

impl MaceCase {
    pub(super) fn measure<B: Kernels>(&self, device: &B::Device) -> Result<Fields, CaseError> {
        let batches = self.batches()?;
        let blueprint = Blueprint::new(self.config())
            .map_err(|problems| CaseError::Network(problems.to_string()))?;
        let mut training = Training::<B>::start(blueprint, self.float, device);
        let (mut train, mut evaluation) = (Vec::new(), Vec::new());
        for step in 0..self.repeats.total() {
            let batch = &batches[step % batches.len()];
            train.push(training.step(batch)?);
            evaluation.push(training.predict(batch)?);
        }
        let (train_s, eval_s) =
            (median_s(&train, self.repeats)?, median_s(&evaluation, self.repeats)?);
        let (atoms, edges) = (batches[0].num_atoms() as f64, batches[0].num_edges() as f64);
        let mut fields = Fields::new();
        put(&mut fields, "train_step_ms", 1e3 * train_s);
        put(&mut fields, "train_atoms_per_s", atoms / train_s);
        put(&mut fields, "eval_ms", 1e3 * eval_s);
        put(&mut fields, "eval_atoms_per_s", atoms / eval_s);
        put(&mut fields, "atoms", batches[0].num_atoms());
        put(&mut fields, "edges_per_atom", edges / atoms);
        put(&mut fields, "params", training.params.num_elements());
        put(&mut fields, "loss", training.loss);
        Ok(fields)
    }

    /// Whole batches of the first structures of the file, with their neighbours.
    fn batches(&self) -> Result<Vec<GraphBatch>, CaseError> {
        let plan = StructuresIngest {
            labels: vec![Label::Energy, Label::Forces],
            cutoff: CUTOFF,
            ..StructuresIngest::new(vec![self.file.clone()], PathBuf::new())
        };
        let (structures, _) = read_structures(&plan)?;
        let frames: Vec<_> = structures.into_iter().take(STRUCTURES).map(|it| it.frame).collect();
        let mut batches = Vec::new();
        for chunk in frames.chunks_exact(self.batch.max(1)) {
            let mut batch = GraphBatch::default();
            for (id, frame) in (0..).zip(chunk) {
                let edges = neighbor_list(&frame.positions, &frame.cell, frame.periodic, CUTOFF)
                    .map_err(|error| CaseError::Network(error.to_string()))?;
                batch.push(frame.clone(), &edges, id);
            }
            batches.push(batch);
        }
        if batches.is_empty() {
            let file = self.file.display();
            let message = format!("{file}: fewer than {} structures", self.batch);
            return Err(CaseError::Network(message));
        }
        Ok(batches)
    }

    fn config(&self) -> MaceConfig {
        MaceConfig {
            elements: vec![1, 6, 8],
            heads: vec!["Default".to_owned()],
            atomic_energies_ev: vec![ISOLATED_ENERGIES.to_vec()],
            energy: EnergyKind::ScaleShift { scale: vec![1.0], shift_ev: vec![0.0] },
            r_max_angstrom: CUTOFF,
            num_bessel: 8,
            cutoff_power: 5,
            cutoff_on_basis: true,
            distance_transform: DistanceTransform::None,
            zbl: false,
            max_ell: 3,
            channels: self.channels,
            max_hidden_degree: self.degree,
            correlation: 3,
            num_interactions: 2,
            interaction_first: InteractionKind::RealAgnostic,
            interaction: InteractionKind::RealAgnosticResidual,
            radial_widths: vec![64, 64, 64],
            readout_width: 16,
            avg_num_neighbors: 12.0,
            product_basis: ProductBasisKind::Unreduced,
            coupling_signs: CouplingSigns::E3nn04,
        }
    }
}

/// A network in training, as the trainer has it.
struct Training<B: Kernels> {
    blueprint: Blueprint,
    device: B::Device,
    params: Params<B>,
    optimizer: Optimizer<B>,
    loss: f64,
}

impl<B: Kernels> Training<B> {
    fn start(blueprint: Blueprint, float: Float, device: &B::Device) -> Self {
        let device = device.clone();
        let stream = Seeds::new(0).stream("init");
        let specs = blueprint.specs().clone();
        let params = Params::<B>::initialise_as(specs, &stream, float.dtype(), &device);
        let optimizer = Optimizer::new(AMSGRAD, &params);
        Self { blueprint, device, params, optimizer, loss: f64::NAN }
    }

    /// One update on `batch`; seconds it took.
    fn step(&mut self, batch: &GraphBatch) -> Result<f64, CaseError> {
        let (done, seconds) = timed::<B, _>(&self.device.clone(), || {
            let counts = LossCounts::of(batch);
            let found = loss_and_gradients(&self.blueprint, &self.params, batch, &LOSS, counts)?;
            self.loss = found.terms.total();
            self.optimizer.step(&mut self.params, found.gradients, 1.0, RATE);
            Ok(())
        });
        done.map_err(|error: genesis_model::equivariant::GraphError| {
            CaseError::Network(error.to_string())
        })?;
        Ok(seconds)
    }

    /// Energies and forces of `batch`; seconds they took.
    fn predict(&self, batch: &GraphBatch) -> Result<f64, CaseError> {
        let wanted = Wanted { forces: true, stress: false };
        let work = || predict(&self.blueprint, &self.params, batch, wanted);
        let (found, seconds) = timed::<B, _>(&self.device, work);
        found.map_err(|error| CaseError::Network(error.to_string()))?;
        Ok(seconds)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::Cpu;

    use super::*;

    fn case(file: PathBuf, float: Float) -> MaceCase {
        let repeats = Repeats { warmup: 0, steps: 1 };
        MaceCase { file, channels: 2, degree: 1, batch: 2, float, repeats }
    }

    /// Two water-like molecules with made-up labels.
    fn file(folder: &tempfile::TempDir) -> PathBuf {
        let header = "Properties=species:S:1:pos:R:3:forces:R:3 energy=-2100.0";
        let atoms = "O 0 0 0 0 0 0.1\nH 0 0.8 0.6 0 0 -0.1\nC 0 -1.1 0.6 0 0 0\n";
        let path = folder.path().join("two.xyz");
        std::fs::write(&path, format!("3\n{header}\n{atoms}3\n{header}\n{atoms}")).unwrap();
        path
    }

    #[test]
    fn training_and_prediction_are_timed_in_both_precisions() {
        let folder = tempfile::tempdir().unwrap();
        for float in [Float::F32, Float::F64] {
            let fields = case(file(&folder), float).measure::<Cpu>(&FlexDevice).unwrap();
            assert_eq!(fields["atoms"], 6);
            assert!((fields["edges_per_atom"].as_f64().unwrap() - 2.0).abs() < 1e-12);
            for name in ["train_step_ms", "eval_ms", "loss"] {
                let value = fields[name].as_f64().unwrap();
                assert!(value.is_finite() && value > 0.0, "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_file_with_too_few_structures_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let large = MaceCase { batch: 3, ..case(file(&folder), Float::F32) };
        let message = large.measure::<Cpu>(&FlexDevice).unwrap_err().to_string();
        assert!(message.contains("two.xyz: fewer than 3"), "{message}");
    }
}
