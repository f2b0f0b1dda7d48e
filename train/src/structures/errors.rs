//! Errors of energies, forces and stress, by set, head and kind of structure.
//!
//! ```text
//! rmse   sqrt(mean (predicted - reference)^2)     mae   mean |predicted - reference|
//! ```
//!
//! Energies per atom count once per structure, forces and stress once per component. Labels whose
//! weight in the loss is zero are left out, as in mace-torch.

use std::collections::BTreeMap;

use genesis_model::equivariant::Prediction;
use genesis_schema::{Frame, GraphBatch};
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, ClusterError};

/// meV of an eV.
const MILLI: f64 = 1e3;
/// Name of the kind that stands for all kinds of a set.
pub const ALL: &str = "all";

/// Sums of the errors of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Errors {
    #[serde(with = "bits")]
    squares: f64,
    #[serde(with = "bits")]
    sizes: f64,
    count: u64,
}

/// Numbers as their bits: JSON has no NaN.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

impl Errors {
    fn add(&mut self, error: f64) {
        self.squares += error * error;
        self.sizes += error.abs();
        self.count += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.squares += other.squares;
        self.sizes += other.sizes;
        self.count += other.count;
    }

    /// Root mean square; `None` without any.
    pub fn rmse(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }

    /// Mean size; `None` without any.
    pub fn mae(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sizes / self.count as f64)
    }
}

/// Errors of one group of structures.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupErrors {
    /// Structures.
    pub frames: u64,
    /// Of energies per atom, eV.
    pub energy_per_atom: Errors,
    /// Of total energies, eV.
    pub energy: Errors,
    /// Of force components, eV/Å.
    pub forces: Errors,
    /// Of stress components, eV/Å^3.
    pub stress: Errors,
}

impl GroupErrors {
    fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.energy_per_atom.merge(&other.energy_per_atom);
        self.energy.merge(&other.energy);
        self.forces.merge(&other.forces);
        self.stress.merge(&other.stress);
    }
}

/// A group: set, head, kind of structure. [`ALL`] in place of head and kind is the whole set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Group {
    set: String,
    /// False sorts first: the whole set before its parts.
    part: bool,
    head: String,
    config_type: String,
}

/// Errors of every group that was met.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorTable {
    groups: BTreeMap<Group, GroupErrors>,
}

/// One line of the table, in the units of the field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorRow {
    /// Set of structures.
    pub set: String,
    /// Head, or [`ALL`].
    pub head: String,
    /// Kind of structure, or [`ALL`].
    pub config_type: String,
    /// Structures.
    pub frames: u64,
    /// Energy per atom, meV.
    pub energy_rmse_mev_per_atom: Option<f64>,
    /// Energy per atom, meV.
    pub energy_mae_mev_per_atom: Option<f64>,
    /// Total energy, meV.
    pub energy_rmse_mev: Option<f64>,
    /// Force components, meV/Å.
    pub forces_rmse_mev_per_a: Option<f64>,
    /// Force components, meV/Å.
    pub forces_mae_mev_per_a: Option<f64>,
    /// Stress components, meV/Å^3.
    pub stress_rmse_mev_per_a3: Option<f64>,
    /// Stress components, meV/Å^3.
    pub stress_mae_mev_per_a3: Option<f64>,
}

/// What a structure is predicted to be, beside its labels.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The structure.
    pub frame: &'a Frame,
    /// Total energy, eV.
    pub energy: f64,
    /// `[n]` forces, eV/Å.
    pub forces: Option<&'a [[f64; 3]]>,
    /// Stress, eV/Å^3.
    pub stress: Option<[[f64; 3]; 3]>,
}

/// The structures of a batch with their predictions.
pub fn compared<'a>(
    batch: &'a GraphBatch,
    prediction: &'a Prediction,
) -> impl Iterator<Item = Compared<'a>> {
    batch.frames.iter().enumerate().map(|(at, frame)| Compared {
        frame,
        energy: prediction.energies[at],
        forces: prediction.forces.as_ref().map(|forces| {
            &forces[batch.first_atom[at] as usize..batch.first_atom[at + 1] as usize]
        }),
        stress: prediction.stress.as_ref().and_then(|stress| stress[at]),
    })
}

/// Errors of a structure that count, eV: per atom, total, force components, stress components.
pub(super) struct FrameErrors {
    /// Error of the total energy.
    pub(super) energy: Option<f64>,
    /// Pairs of reference and predicted force components.
    pub(super) forces: Vec<[f64; 2]>,
    /// Pairs of reference and predicted stress components.
    pub(super) stress: Vec<[f64; 2]>,
}

impl FrameErrors {
    pub(super) fn of(compared: &Compared<'_>) -> Self {
        let Frame { labels, weights, .. } = compared.frame;
        let counts = |weight: f64| weight * weights.config > 0.0;
        let energy = labels.energy.filter(|_| counts(weights.energy));
        let forces = labels.forces.as_ref().filter(|_| counts(weights.forces));
        let forces = forces.zip(compared.forces).map(|(want, got)| pairs(want, got));
        let stress = labels.stress.filter(|_| counts(weights.stress));
        let stress = stress.zip(compared.stress).map(|(want, got)| pairs(&want, &got));
        Self {
            energy: energy.map(|want| compared.energy - want),
            forces: forces.unwrap_or_default(),
            stress: stress.unwrap_or_default(),
        }
    }
}

/// Components of reference and prediction, side by side.
fn pairs(want: &[[f64; 3]], got: &[[f64; 3]]) -> Vec<[f64; 2]> {
    want.iter().flatten().zip(got.iter().flatten()).map(|(want, got)| [*want, *got]).collect()
}

impl ErrorTable {
    /// Counts a structure of `set`.
    pub fn add(&mut self, set: &str, compared: &Compared<'_>) {
        let errors = FrameErrors::of(compared);
        let Frame { head, config_type, atomic_numbers, .. } = compared.frame;
        for (part, head, kind) in [(false, ALL, ALL), (true, head.as_str(), config_type.as_str())] {
            let group = Group {
                set: set.to_owned(),
                part,
                head: head.to_owned(),
                config_type: kind.to_owned(),
            };
            let sums = self.groups.entry(group).or_default();
            sums.frames += 1;
            if let Some(error) = errors.energy {
                sums.energy.add(error);
                sums.energy_per_atom.add(error / atomic_numbers.len() as f64);
            }
            errors.forces.iter().for_each(|[want, got]| sums.forces.add(got - want));
            errors.stress.iter().for_each(|[want, got]| sums.stress.add(got - want));
        }
    }

    /// The errors that all ranks counted, added in the order of ranks.
    pub(super) fn over_ranks(self, cluster: &Cluster) -> Result<Self, ClusterError> {
        if cluster.is_alone() {
            return Ok(self);
        }
        let mine: Vec<_> = self.groups.into_iter().collect();
        let mine = serde_json::to_vec(&mine).expect("names and whole numbers");
        let mut table = Self::default();
        for theirs in cluster.gather_bytes(&mine)? {
            let theirs: Vec<(Group, GroupErrors)> =
                serde_json::from_slice(&theirs).expect("written by this program");
            for (group, errors) in theirs {
                table.groups.entry(group).or_default().merge(&errors);
            }
        }
        Ok(table)
    }

    /// Errors over all structures of `set`.
    pub fn of_set(&self, set: &str) -> GroupErrors {
        let whole = self.groups.iter().find(|(group, _)| group.set == set && !group.part);
        whole.map(|(_, errors)| *errors).unwrap_or_default()
    }

    /// Every line, sets by name, the whole of a set before its parts. A set of one part has one
    /// line.
    pub fn rows(&self) -> Vec<ErrorRow> {
        let parts = |set: &str| self.groups.keys().filter(|it| it.set == set && it.part).count();
        let shown = self.groups.iter().filter(|(it, _)| !it.part || parts(&it.set) > 1);
        shown.map(|(group, errors)| row(group, errors)).collect()
    }
}

fn row(group: &Group, errors: &GroupErrors) -> ErrorRow {
    let milli = |value: Option<f64>| value.map(|value| MILLI * value);
    ErrorRow {
        set: group.set.clone(),
        head: group.head.clone(),
        config_type: group.config_type.clone(),
        frames: errors.frames,
        energy_rmse_mev_per_atom: milli(errors.energy_per_atom.rmse()),
        energy_mae_mev_per_atom: milli(errors.energy_per_atom.mae()),
        energy_rmse_mev: milli(errors.energy.rmse()),
        forces_rmse_mev_per_a: milli(errors.forces.rmse()),
        forces_mae_mev_per_a: milli(errors.forces.mae()),
        stress_rmse_mev_per_a3: milli(errors.stress.rmse()),
        stress_mae_mev_per_a3: milli(errors.stress.mae()),
    }
}

#[cfg(test)]
mod tests {
    use genesis_schema::{FrameLabels, FrameWeights};

    use super::*;

    fn frame(kind: &str, energy: f64, weight: f64) -> Frame {
        Frame {
            atomic_numbers: vec![1, 8],
            positions: vec![[0.0; 3]; 2],
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels {
                energy: Some(energy),
                forces: Some(vec![[1.0, 0.0, 0.0], [0.0; 3]]),
                stress: None,
            },
            weights: FrameWeights { energy: weight, ..FrameWeights::default() },
            config_type: kind.to_owned(),
            head: String::new(),
        }
    }

    fn table() -> ErrorTable {
        let mut table = ErrorTable::default();
        let forces = [[0.0; 3]; 2];
        for (kind, error, weight) in [("a", 0.003, 1.0), ("b", -0.004, 1.0), ("b", 9.0, 0.0)] {
            let frame = frame(kind, -5.0, weight);
            let energy = -5.0 + error;
            table.add(
                "test",
                &Compared { frame: &frame, energy, forces: Some(&forces), stress: None },
            );
        }
        table
    }

    #[test]
    fn errors_are_those_of_hand_and_kinds_are_told_apart() {
        let rows = table().rows();
        let kinds: Vec<&str> = rows.iter().map(|row| row.config_type.as_str()).collect();
        assert_eq!(kinds, [ALL, "a", "b"]);
        let close = |got: Option<f64>, want: f64| (got.unwrap() - want).abs() < 1e-9;
        // Total errors 3 and -4 meV of two atoms: rms of 1.5 and 2, mean size 1.75.
        assert!(close(rows[0].energy_rmse_mev_per_atom, (3.125f64).sqrt()));
        assert!(close(rows[0].energy_mae_mev_per_atom, 1.75));
        assert!(close(rows[0].energy_rmse_mev, (12.5f64).sqrt()));
        // One component of six is wrong by 1 eV/Å.
        assert!(close(rows[0].forces_rmse_mev_per_a, 1e3 / 6f64.sqrt()));
        assert_eq!(rows[0].stress_rmse_mev_per_a3, None);
    }

    #[test]
    fn a_label_without_weight_is_left_out() {
        let rows = table().rows();
        assert_eq!(rows[2].frames, 2);
        assert!((rows[2].energy_rmse_mev.unwrap() - 4.0).abs() < 1e-9);
    }
}
