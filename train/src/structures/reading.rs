//! How files of structures are read for a model: as the data of its run were, unless told otherwise.
//!
//! A checkpoint records its run file, which says how raw files were read, or names a dataset whose card
//! says it. Files that this program wrote state their units and are read in those.

use std::path::{Path, PathBuf};

use genesis_data::formats::{FORMATS, FormatChoice};
use genesis_data::structures::ingest::units::{named, spelled};
use genesis_data::structures::ingest::{EnergyUnit, LengthUnit, StressSign, StressUnit, Units};
use genesis_data::structures::{StructuresCard, StructuresIngest};
use serde::Serialize;
use serde_json::Value;

use super::settings::StructuresData;

/// How files of structures are read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Keys, units, format and the longest record; the rest does not matter.
    pub options: StructuresIngest,
    /// Whose options these are, in words; empty for those of the program.
    pub from: String,
    /// The run does not tell how its data were read.
    pub is_unknown: bool,
    /// The format is one that was asked for, not that of the run.
    pub format_is_asked: bool,
}

impl Reading {
    /// As the data of a run with this `config` were read.
    pub fn of_run(config: &Value) -> Self {
        let data = config.get("data").cloned().unwrap_or_default();
        let Ok(data) = serde_json::from_value::<StructuresData>(data) else {
            return Self::default();
        };
        match (data.source, data.dataset) {
            (Some(options), _) => Self { options, from: "its run".to_owned(), ..Self::default() },
            (None, Some(folder)) => Self::of_dataset(&folder),
            (None, None) => match data.mixture.values().next() {
                Some(first) => Self::of_dataset(&first.dataset),
                None => Self::default(),
            },
        }
    }

    fn of_dataset(folder: &Path) -> Self {
        let options = StructuresCard::load(folder)
            .ok()
            .and_then(|(card, _)| serde_json::from_value::<StructuresIngest>(card.options).ok());
        let folder = folder.display();
        match options {
            Some(options) => {
                Self { options, from: format!("its dataset {folder}"), ..Self::default() }
            }
            None => Self {
                is_unknown: true,
                from: format!(
                    "this program, as the dataset of its run cannot be asked (nothing readable at \
                     {folder}); --units says others"
                ),
                ..Self::default()
            },
        }
    }

    /// What `inputs` are read with. Names that tell their format need none; for others it is that of
    /// the run.
    pub fn plan(&self, inputs: Vec<PathBuf>, cutoff: f64) -> StructuresIngest {
        let told = inputs.iter().all(|path| path.is_dir() || tells_its_format(path));
        StructuresIngest {
            format: if told && !self.format_is_asked {
                FormatChoice::Guess
            } else {
                self.options.format
            },
            keys: self.options.keys.clone(),
            units: self.options.units,
            max_record_bytes: self.options.max_record_bytes,
            labels: Vec::new(),
            allow_missing_labels: true,
            cutoff,
            ..StructuresIngest::new(inputs, PathBuf::new())
        }
    }

    /// What is worth saying of it; `None` where everything is as the program has it.
    pub fn told(&self) -> Option<String> {
        let usual = StructuresIngest::default();
        let (keys, units) = (&self.options.keys, &self.options.units);
        if *keys == usual.keys && *units == usual.units && !self.is_unknown {
            return None;
        }
        let whose = if self.from.is_empty() { "the command line" } else { &self.from };
        let keys = Some(in_words(keys)).filter(|keys| !keys.is_empty());
        let keys = keys.map_or_else(String::new, |keys| format!("; labels under {keys}"));
        Some(format!("structures are read as {whose} says: {}{keys}", in_words(units)))
    }
}

/// Options in words.
fn in_words(options: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(options) else { return String::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = fields.iter().map(|(key, value)| format!("{key} {}", text(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn tells_its_format(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = Path::new(name).extension().unwrap_or_default().to_string_lossy();
    FORMATS.iter().any(|it| it.holds_structures() && it.extensions.contains(&&*extension))
}

/// Units named one after the other, such as `kcal/mol` or `hartree,bohr` or
/// `energy=eV,force_energy=hartree`; what is not named is eV and Å.
///
/// # Errors
/// A word that is no unit, or one thing said twice, in words.
pub fn parse_units(text: &str) -> Result<Units, String> {
    let mut table = serde_json::Map::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let (key, value) = if let Some((key, value)) = word.split_once('=') {
            (key.to_owned(), spelled(value))
        } else {
            let value = spelled(word);
            (key_of(&value).ok_or_else(|| unknown(word))?.to_owned(), value)
        };
        if table.insert(key.clone(), Value::String(value)).is_some() {
            return Err(format!("`{word}`: the unit of {key} is said twice"));
        }
    }
    serde_json::from_value(Value::Object(table)).map_err(|error| error.to_string())
}

fn unknown(word: &str) -> String {
    format!(
        "`{word}` is no unit; energies: eV, hartree, rydberg, kcal/mol, kJ/mol; lengths: angstrom, \
         bohr; stress: eV/A^3, GPa, kbar, and tension_positive or pressure_positive"
    )
}

/// Which unit a name stands for.
fn key_of(name: &str) -> Option<&'static str> {
    if named::<EnergyUnit>(name).is_some() {
        Some("energy")
    } else if named::<LengthUnit>(name).is_some() {
        Some("length")
    } else if named::<StressUnit>(name).is_some() {
        Some("stress")
    } else {
        named::<StressSign>(name).map(|_| "stress_sign")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_are_read_as_people_write_them_and_nothing_is_guessed() {
        let value = |text: &str| serde_json::to_value(parse_units(text).unwrap()).unwrap();
        assert_eq!(value("kcal/mol")["energy"], "kcal_per_mol");
        assert_eq!(value("Hartree,bohr")["length"], "bohr");
        assert_eq!(value("eV kbar pressure_positive")["stress_sign"], "pressure_positive");
        assert_eq!(value("energy=eV,force_energy=Ha")["force_energy"], "hartree");
        assert_eq!(parse_units("").unwrap(), Units::default());
        for (text, problem) in [
            ("furlong", "no unit"),
            ("eV,Ry", "said twice"),
            ("mass=u", "unknown field"),
            ("energy=bohr", "unknown variant"),
        ] {
            let error = parse_units(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn a_model_reads_as_its_run_did_and_names_tell_formats_first() {
        let source = json!({ "format": "extxyz", "units": { "energy": "kcal_per_mol" },
            "keys": { "energy": "E_dft" } });
        let reading = Reading::of_run(&json!({ "data": { "source": source } }));
        let plan = |name: &str| reading.plan(vec![PathBuf::from(name)], 5.0);
        assert_eq!(plan("a.npz").format, FormatChoice::Guess);
        assert_eq!(plan("a.dat").format, FormatChoice::named("extxyz").unwrap());
        assert_eq!(plan("a.xyz").keys.energy.as_deref(), Some("E_dft"));
        let told = reading.told().unwrap();
        assert!(told.contains("kcal_per_mol") && told.contains("energy E_dft"), "{told}");
        assert_eq!(Reading::of_run(&json!({ "data": { "generate": 1 } })).told(), None);
        let gone = Reading::of_run(&json!({ "data": { "dataset": "/nowhere/at/all" } }));
        assert!(gone.told().unwrap().contains("/nowhere/at/all"));
    }
}
