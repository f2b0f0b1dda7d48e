//! What an ingest of structures is asked to do. Also the table `[data.source]` of a run on atoms.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::units::Units;
use crate::error::{DataError, Result};
use crate::formats::{self, FormatChoice};
use crate::ingest::plan::{check_fraction, plan};
use crate::structures::GenerateStructures;
use genesis_schema::elements::atomic_number;

plan! {
    /// What to read, how, and where the dataset goes.
    #[serde(default)]
    pub struct StructuresIngest {
        /// Files and folders that are only measured, at the end.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub test: Vec<PathBuf>,
        /// Instead of inputs: structures that the program makes itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub generate: Option<GenerateStructures>,
        /// Format of the inputs; guessed from each name by default. gzip is recognised in text.
        #[schemars(schema_with = "formats")]
        pub format: FormatChoice,
        /// Under which keys labels stand; one that is not given is searched under its usual names.
        pub keys: LabelKeys,
        /// Units of the inputs; everything is converted once, at ingest, to Å, eV, eV/Å, eV/Å^3.
        pub units: Units,
        /// Labels that every structure must have (stress: every structure periodic in all directions).
        pub labels: Vec<Label>,
        /// Go on when some structures lack a label; those do not enter its term of the loss.
        pub allow_missing_labels: bool,
        /// Where the energies of isolated atoms come from.
        pub atomic_energies: AtomicEnergiesChoice,
        /// Which structures are held out while training.
        pub validation: ValidationChoice,
        /// Å within which neighbours are counted for the card.
        pub cutoff: f64,
    }
}

/// Under which keys labels stand; one that is not given is searched under its usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelKeys {
    /// Total energy: `REF_energy`, `energy`, `dft_energy`, `total_energy`. Usual names are found in any
    /// case; where two of them contradict each other, the one named here is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<String>,
    /// Forces: `REF_forces`, `forces`, `dft_forces`, `force`, `dft_force`, `REF_force`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forces: Option<String>,
    /// Stress: `REF_stress`, `stress`, `dft_stress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stress: Option<String>,
    /// Virials, which give the stress where there is none: `REF_virials`, `virials`, `virial`,
    /// `dft_virial`, `REF_virial`, `dft_virials`. Named here, they are taken instead of a stress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virials: Option<String>,
}

/// A label.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Total energy.
    Energy,
    /// Force on each atom.
    Forces,
    /// Stress, or virials that give it.
    Stress,
}

impl Label {
    /// As it is written in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Forces => "forces",
            Self::Stress => "stress",
        }
    }
}

/// Where the energies of isolated atoms (E0) come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum AtomicEnergiesChoice {
    /// Isolated atoms if the inputs hold one of every element, else least squares; the card says
    /// which.
    #[serde(rename = "data")]
    Automatic {},
    /// Structures of one atom in the inputs, one of every element; it is an error if one lacks.
    IsolatedAtoms {},
    /// The energies that explain the training split best by its composition alone.
    LeastSquares {},
    /// As given.
    Given {
        /// By symbol, eV.
        #[serde(default)]
        values_ev: BTreeMap<String, f64>,
        /// Of heads that have others: by head, then by symbol, eV.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        heads: BTreeMap<String, BTreeMap<String, f64>>,
    },
    /// All zero: energies of the data are already relative to atoms.
    Zero {},
}

impl Default for AtomicEnergiesChoice {
    fn default() -> Self {
        Self::Automatic {}
    }
}

/// Which structures are held out while training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum ValidationChoice {
    /// About this fraction of the inputs, by a hash of atoms and cell.
    Fraction {
        /// 0 to 0.9.
        fraction: f64,
    },
    /// Exactly so many structures of the inputs; which ones the seed says.
    Count {
        /// Structures.
        frames: u64,
        /// Another seed holds out others.
        #[serde(default)]
        seed: u64,
    },
    /// The structures of these files and folders.
    Files {
        /// Files and folders.
        paths: Vec<PathBuf>,
    },
}

impl Default for StructuresIngest {
    fn default() -> Self {
        plan!(Self {
            test: Vec::new(),
            generate: None,
            format: FormatChoice::Guess,
            keys: LabelKeys::default(),
            units: Units::default(),
            labels: vec![Label::Energy, Label::Forces],
            allow_missing_labels: false,
            atomic_energies: AtomicEnergiesChoice::default(),
            validation: ValidationChoice::Fraction { fraction: 0.05 },
            cutoff: 5.0,
        })
    }
}

/// The formats that may be chosen.
fn formats(_: &mut SchemaGenerator) -> Schema {
    formats::schema(super::WANTED)
}

impl StructuresIngest {
    /// The built-in generator, by name.
    pub(crate) fn generated(&self) -> Option<&'static str> {
        self.generate.as_ref().map(GenerateStructures::name)
    }

    /// Reads `inputs` with every other option at its default.
    pub fn new(inputs: Vec<PathBuf>, output: PathBuf) -> Self {
        Self { inputs, output, ..Self::default() }
    }

    /// Makes its structures itself.
    pub fn of_generated(generate: GenerateStructures, output: PathBuf) -> Self {
        let labels = vec![Label::Energy, Label::Forces, Label::Stress];
        let atomic_energies = AtomicEnergiesChoice::Zero {};
        Self { generate: Some(generate), output, labels, atomic_energies, ..Self::default() }
    }

    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        self.asked().check()?;
        if !(self.cutoff.is_finite() && self.cutoff > 0.0) {
            let found = format!("it is {}", self.cutoff);
            return Err(DataError::invalid("cutoff", found, "choose a length in Å, such as 5.0"));
        }
        match &self.validation {
            ValidationChoice::Fraction { fraction } => {
                check_fraction("validation.fraction", *fraction, 0.9)?;
            }
            ValidationChoice::Files { paths } if paths.is_empty() => {
                let fix = "name files, or hold out a fraction or a count";
                return Err(DataError::invalid("validation.paths", "the list is empty", fix));
            }
            _ => {}
        }
        self.check_energies()
    }

    fn check_energies(&self) -> Result<()> {
        let AtomicEnergiesChoice::Given { values_ev, heads } = &self.atomic_energies else {
            return Ok(());
        };
        let wrong =
            |(name, value): &(&String, &f64)| atomic_number(name).is_none() || !value.is_finite();
        match values_ev.iter().chain(heads.values().flatten()).find(wrong) {
            None => Ok(()),
            Some((name, value)) => Err(DataError::invalid(
                "atomic_energies.values_ev",
                format!("`{name}` = {value} is not the energy of an element"),
                "write symbols such as H and energies in eV",
            )),
        }
    }
}
