//! What an ingest of structures is asked to do. Also the table `[data.source]` of a run on atoms.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Units;
use crate::error::{DataError, Result};
use crate::formats::FormatChoice;
use crate::ingest::DEFAULT_MAX_RECORD_BYTES;
use crate::structures::GenerateStructures;
use genesis_schema::elements::atomic_number;

/// What to read, how, and where the dataset goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StructuresIngest {
    /// Files and folders to learn from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PathBuf>,
    /// Files and folders that are only measured, at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<PathBuf>,
    /// Instead of inputs: structures that the program makes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateStructures>,
    /// Format of the inputs; guessed from each name by default. gzip is recognised in text.
    #[schemars(schema_with = "crate::formats::schema_of_structures")]
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
    /// The dataset folder. A run config leaves it out: it follows from the run folder.
    #[serde(skip_serializing_if = "is_empty")]
    pub output: PathBuf,
    /// Bytes after which a shard ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_shard_bytes: Option<u64>,
    /// A longer record is rejected without being kept in memory.
    pub max_record_bytes: u64,
    /// The ingest fails if a larger fraction of records is rejected.
    pub max_reject_fraction: f64,
    /// Keep structures that equal an earlier one in atoms, cell and labels.
    pub keep_duplicates: bool,
    /// Replace a dataset that is in the output folder.
    pub overwrite: bool,
    /// Threads; all cores by default. The result does not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Short name of the dataset; the first input's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A sentence or more for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Licence of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Handling classification of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
}

/// Under which keys labels stand; one that is not given is searched under its usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelKeys {
    /// Total energy: `REF_energy`, `energy`, `dft_energy`, `total_energy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<String>,
    /// Forces: `REF_forces`, `forces`, `dft_forces`, `force`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forces: Option<String>,
    /// Stress: `REF_stress`, `stress`, `dft_stress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stress: Option<String>,
    /// Virials, used where there is no stress: `REF_virials`, `virials`, `virial`, `dft_virial`.
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
        values_ev: BTreeMap<String, f64>,
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
        Self {
            inputs: Vec::new(),
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
            output: PathBuf::new(),
            max_shard_bytes: None,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
            max_reject_fraction: 0.1,
            keep_duplicates: false,
            overwrite: false,
            threads: None,
            name: None,
            description: String::new(),
            licence: None,
            classification: None,
        }
    }
}

impl StructuresIngest {
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
        let bad = |what: &str, found: String, fix: &str| Err(DataError::invalid(what, found, fix));
        if self.inputs.is_empty() == self.generate.is_none() {
            let found = if self.generate.is_none() { "neither is" } else { "both are" };
            let fix = "name input files, or a built-in generator";
            return bad("inputs, generate", format!("{found} given"), fix);
        }
        if is_empty(&self.output) {
            return bad("output", "it is empty".to_owned(), "name the dataset folder");
        }
        if !(self.cutoff.is_finite() && self.cutoff > 0.0) {
            return bad(
                "cutoff",
                format!("it is {}", self.cutoff),
                "choose a length in Å, such as 5.0",
            );
        }
        if !(0.0..=1.0).contains(&self.max_reject_fraction) {
            let found = format!("it is {}", self.max_reject_fraction);
            return bad("max_reject_fraction", found, "choose a number from 0 to 1");
        }
        if self.threads == Some(0) || self.max_record_bytes == 0 || self.max_shard_bytes == Some(0)
        {
            let what = "threads, max_record_bytes, max_shard_bytes";
            return bad(what, "one of them is 0".to_owned(), "choose 1 or more, or leave it out");
        }
        self.check_validation()?;
        self.check_energies()
    }

    fn check_validation(&self) -> Result<()> {
        match &self.validation {
            ValidationChoice::Fraction { fraction } if !(0.0..=0.9).contains(fraction) => {
                let found = format!("it is {fraction}");
                Err(DataError::invalid(
                    "validation.fraction",
                    found,
                    "choose a number from 0 to 0.9",
                ))
            }
            ValidationChoice::Files { paths } if paths.is_empty() => {
                let fix = "name files, or hold out a fraction or a count";
                Err(DataError::invalid("validation.paths", "the list is empty", fix))
            }
            _ => Ok(()),
        }
    }

    fn check_energies(&self) -> Result<()> {
        let AtomicEnergiesChoice::Given { values_ev } = &self.atomic_energies else {
            return Ok(());
        };
        let wrong =
            |(name, value): &(&String, &f64)| atomic_number(name).is_none() || !value.is_finite();
        match values_ev.iter().find(wrong) {
            None => Ok(()),
            Some((name, value)) => Err(DataError::invalid(
                "atomic_energies.values_ev",
                format!("`{name}` = {value} is not the energy of an element"),
                "write symbols such as H and energies in eV",
            )),
        }
    }

    /// The name given, else that of the first input: the output folder shapes nothing.
    pub(crate) fn shown_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        if let Some(generate) = &self.generate {
            return generate.name().to_owned();
        }
        let first = self.inputs.first().and_then(|path| path.file_name()).unwrap_or_default();
        first.to_string_lossy().split('.').next().unwrap_or_default().to_owned()
    }

    /// The options that shape the dataset; where it lies and how fast it is made do not.
    pub fn recorded_options(&self) -> Result<serde_json::Value> {
        let shaping =
            Self { output: PathBuf::new(), overwrite: false, threads: None, ..self.clone() };
        let mut options = serde_json::to_value(shaping)
            .map_err(|e| DataError::invalid("options", e.to_string(), "use paths in UTF-8"))?;
        if let Some(options) = options.as_object_mut() {
            options.remove("overwrite");
        }
        Ok(options)
    }
}

#[expect(clippy::ptr_arg, reason = "serde passes the field as it is")]
fn is_empty(path: &PathBuf) -> bool {
    path.as_os_str().is_empty()
}
