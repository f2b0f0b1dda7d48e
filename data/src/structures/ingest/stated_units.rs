//! Units that a file states of itself, such as `e_unit = kcal/mol` of sGDML's npz files.
//!
//! They are believed where the plan says nothing else, and the user is told; where the plan declares
//! another unit the structure is refused with both. A unit that is not known is refused too: numbers
//! that are said to be in it cannot be taken for eV. `units.stated = "ignore"` passes over all of it.

use serde_json::Value as Json;

use super::units::{EnergyUnit, LengthUnit, StatedUnits, StressUnit, Units, named};
use crate::formats::Refusal;
use crate::formats::raw_frame::{RawFrame, Value};

/// Key under which files that this program writes state [`UNITS`].
pub const UNITS_KEY: &str = "units";
/// Units of every file of structures that this program writes. A structure that states them is read
/// in them, whatever the options say.
pub const UNITS: &str = "energy eV, length Angstrom, forces eV/Angstrom, stress eV/Angstrom^3, \
                         velocities Angstrom/fs";

/// What units are of.
const ENERGIES: [&str; 4] = ["e", "energy", "energies", "virials"];
const LENGTHS: [&str; 9] = [
    "r",
    "length",
    "lengths",
    "position",
    "positions",
    "coords",
    "coordinates",
    "distance",
    "distances",
];
const FORCES: [&str; 3] = ["f", "force", "forces"];
const STRESSES: [&str; 2] = ["stress", "stresses"];

/// The units of a structure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnitsOf {
    pub(crate) units: Units,
    /// What the file says where the plan says nothing, for people.
    pub(crate) told: Option<String>,
}

/// The units of `raw`, given those of the plan.
pub(super) fn units_of(raw: &RawFrame, declared: Units) -> Result<UnitsOf, Refusal> {
    let mut of = UnitsOf { units: declared, told: None };
    if declared.stated == StatedUnits::Ignore {
        return Ok(of);
    }
    if raw.info.get(UNITS_KEY).is_some_and(|units| units.shown_whole() == UNITS) {
        of.units = Units::default();
        return Ok(of);
    }
    let mut told = Vec::new();
    for (key, what, word) in stated(raw) {
        let unit = Stated::read(&what, &word).ok_or_else(|| {
            refused(format!("`{key}` says {what} in `{word}`, a unit that is not known"))
        })?;
        let Some(unit) = unit else { continue };
        if unit.enter(&mut of.units, declared).map_err(|declared| {
            refused(format!("`{key}` says {what} in {word}, the options say {declared}"))
        })? {
            told.push(format!("{what} in {word} (`{key}`)"));
        }
    }
    of.told = (!told.is_empty()).then(|| told.join(", "));
    Ok(of)
}

fn refused(problem: String) -> Refusal {
    let fix = "; set units to what is true, or units.stated = \"ignore\"";
    Refusal::new("bad_units", problem + fix)
}

/// Every unit that is stated: its key, what it is of, and the word.
fn stated(raw: &RawFrame) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (key, value) in &raw.info {
        let Value::Text(text) = value else { continue };
        let lower = key.to_ascii_lowercase();
        if lower == "units" || lower == "unit" {
            all.extend(pairs(text).into_iter().map(|(what, word)| (key.clone(), what, word)));
            continue;
        }
        let what = ["_units", "_unit"].iter().find_map(|end| lower.strip_suffix(end));
        let what = what.or_else(|| lower.strip_prefix("unit_"));
        let what = what.or_else(|| lower.strip_prefix("units_"));
        if let Some(what) = what {
            all.push((key.clone(), what.to_owned(), text.trim().to_owned()));
        }
    }
    all
}

/// `energy eV, length Å`, `energy=eV length=Å`, `{"energy": "eV"}`; one word alone is of what it measures.
fn pairs(text: &str) -> Vec<(String, String)> {
    if let Ok(Json::Object(object)) = serde_json::from_str(text.trim_start_matches("_JSON").trim())
    {
        let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        return object.iter().map(|(key, it)| (key.to_lowercase(), text(it))).collect();
    }
    let mut all = Vec::new();
    for part in text.split([',', ';']) {
        let mut words = part.split([' ', '=', ':']).filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some(what), Some(word), None) => all.push((what.to_lowercase(), word.to_owned())),
            (Some(word), None, None) => {
                let what = if named::<EnergyUnit>(word).is_some() { "energy" } else { "length" };
                all.push((what.to_owned(), word.to_owned()));
            }
            _ => {}
        }
    }
    all
}

/// A unit that a file states.
enum Stated {
    Energy(EnergyUnit),
    Length(LengthUnit),
    Forces(EnergyUnit, LengthUnit),
    Stress(StressUnit),
}

impl Stated {
    /// `None`: no known unit. `Some(None)`: of something that is not a label, such as time.
    #[expect(clippy::option_option, reason = "unknown and not ours are two answers")]
    fn read(what: &str, word: &str) -> Option<Option<Self>> {
        let stated = if ENERGIES.contains(&what) {
            Self::Energy(named(word)?)
        } else if LENGTHS.contains(&what) {
            Self::Length(named(word)?)
        } else if FORCES.contains(&what) {
            let (energy, length) = word.rsplit_once('/')?;
            Self::Forces(named(energy)?, named(length)?)
        } else if STRESSES.contains(&what) {
            Self::Stress(named(word)?)
        } else {
            return Some(None);
        };
        Some(Some(stated))
    }

    /// Writes it into `units`, whether it changed anything; else what `declared` says instead.
    fn enter(self, units: &mut Units, declared: Units) -> Result<bool, String> {
        fn one<T: PartialEq + Default + Copy + std::fmt::Debug>(
            place: &mut T,
            declared: T,
            stated: T,
        ) -> Result<bool, String> {
            if declared != T::default() && declared != stated {
                return Err(format!("{declared:?}"));
            }
            let changes = *place != stated;
            *place = stated;
            Ok(changes)
        }
        match self {
            Self::Energy(unit) => one(&mut units.energy, declared.energy, unit),
            Self::Length(unit) => one(&mut units.length, declared.length, unit),
            Self::Stress(unit) => one(&mut units.stress, declared.stress, unit),
            Self::Forces(energy, length) => {
                let energies = declared.force_energy.unwrap_or(energy);
                let lengths = declared.force_length.unwrap_or(length);
                if (energies, lengths) != (energy, length) {
                    return Err(format!("{energies:?}/{lengths:?}"));
                }
                let usual = (units.energy, units.length) == (energy, length);
                (units.force_energy, units.force_length) = (Some(energy), Some(length));
                Ok(!usual)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)], declared: Units) -> Result<UnitsOf, Refusal> {
        let info = pairs.iter().map(|&(key, text)| (key.to_owned(), Value::Text(text.to_owned())));
        units_of(&RawFrame { info: info.collect(), ..RawFrame::default() }, declared)
    }

    #[test]
    fn what_a_file_states_is_believed_and_told() {
        let sgdml = of(&[("e_unit", "kcal/mol"), ("r_unit", "Ang")], Units::default()).unwrap();
        assert_eq!(sgdml.units.energy, EnergyUnit::KcalPerMol);
        assert!(sgdml.told.unwrap().contains("kcal/mol (`e_unit`)"));
        let json = of(&[("units", r#"{"energy": "Ha", "positions": "bohr"}"#)], Units::default());
        assert_eq!(json.unwrap().units.length, LengthUnit::Bohr);
        let forces = [("Energy_Units", "eV"), ("forces_unit", "hartree/bohr")];
        let forces = of(&forces, Units::default()).unwrap();
        assert!((forces.units.force_in_ev_per_angstrom() - 51.422).abs() < 1e-3);
        let same = of(&[("energy_unit", "eV"), ("time_unit", "fs")], Units::default()).unwrap();
        assert_eq!(same.told, None);
        let own = of(&[("units", UNITS)], sgdml.units).unwrap();
        assert_eq!(own.units, Units::default());
    }

    #[test]
    fn what_contradicts_the_options_or_is_no_unit_is_refused_with_the_way_out() {
        let hartree = Units { energy: EnergyUnit::Hartree, ..Units::default() };
        for (pairs, declared, part) in [
            (("e_unit", "kcal/mol"), hartree, "Hartree"),
            (("energy_unit", "cm-1"), Units::default(), "not known"),
            (("units", "energy eV, forces eV/nm"), Units::default(), "eV/nm"),
        ] {
            let refusal = of(&[pairs], declared).unwrap_err();
            assert!(refusal.detail.contains(part), "{}", refusal.detail);
            assert!(refusal.detail.contains("units.stated"), "{}", refusal.detail);
            let ignored = Units { stated: StatedUnits::Ignore, ..declared };
            assert_eq!(of(&[pairs], ignored).unwrap().units, ignored);
        }
    }
}
