//! Units in which a file states its numbers, and their one conversion.
//!
//! Constants: CODATA 2018 (Tiesinga et al., Rev. Mod. Phys. 93, 025010, 2021); the electron volt,
//! Avogadro's number and the calorie (4.184 J) are exact.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Hartree in eV.
const HARTREE: f64 = 27.211_386_245_988;
/// One kJ/mol in eV: 1000 over Avogadro's number times the elementary charge.
const KJ_PER_MOL: f64 = 1000.0 / 96_485.332_123_310_02;
/// Bohr radius in Å.
const BOHR: f64 = 0.529_177_210_903;
/// One eV/Å^3 in gigapascals.
const GPA_PER_EV_PER_A3: f64 = 160.217_663_4;

/// Unit of energy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnergyUnit {
    /// Electron volt.
    #[default]
    Ev,
    /// Hartree.
    Hartree,
    /// Rydberg, half a hartree.
    Rydberg,
    /// Kilocalorie per mole.
    KcalPerMol,
    /// Kilojoule per mole.
    KjPerMol,
}

impl EnergyUnit {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ev, Self::Hartree, Self::Rydberg, Self::KcalPerMol, Self::KjPerMol];

    /// One of it in eV.
    pub fn in_ev(self) -> f64 {
        match self {
            Self::Ev => 1.0,
            Self::Hartree => HARTREE,
            Self::Rydberg => HARTREE / 2.0,
            Self::KcalPerMol => 4.184 * KJ_PER_MOL,
            Self::KjPerMol => KJ_PER_MOL,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ev => "eV",
            Self::Hartree => "hartree",
            Self::Rydberg => "rydberg",
            Self::KcalPerMol => "kcal/mol",
            Self::KjPerMol => "kJ/mol",
        }
    }
}

/// Unit of length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Ångström.
    #[default]
    Angstrom,
    /// Bohr radius.
    Bohr,
}

impl LengthUnit {
    /// One of it in Å.
    pub fn in_angstrom(self) -> f64 {
        match self {
            Self::Angstrom => 1.0,
            Self::Bohr => BOHR,
        }
    }
}

/// Unit of stress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StressUnit {
    /// eV/Å^3.
    #[default]
    EvPerAngstrom3,
    /// Gigapascal.
    Gpa,
    /// Kilobar, a tenth of a gigapascal.
    Kbar,
}

impl StressUnit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EvPerAngstrom3, Self::Gpa, Self::Kbar];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::EvPerAngstrom3 => "eV/Å^3",
            Self::Gpa => "GPa",
            Self::Kbar => "kbar",
        }
    }

    /// One of it in eV/Å^3.
    pub fn in_ev_per_angstrom3(self) -> f64 {
        match self {
            Self::EvPerAngstrom3 => 1.0,
            Self::Gpa => GPA_PER_EV_PER_A3.recip(),
            Self::Kbar => 0.1 / GPA_PER_EV_PER_A3,
        }
    }
}

/// Sign of stress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StressSign {
    /// `dE/dε / volume`: positive when the structure wants to shrink (ASE, MACE).
    #[default]
    TensionPositive,
    /// The opposite (VASP).
    PressurePositive,
}

/// What is made of units that a file states itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatedUnits {
    /// Believed where nothing else is declared; one that contradicts what is declared is refused.
    #[default]
    Believe,
    /// Passed over.
    Ignore,
}

/// The unit that people write as `word`, such as `kcal/mol` or `Å`.
pub fn named<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(spelled(word))).ok()
}

/// The name of a unit in a run file, from how people write it.
pub fn spelled(word: &str) -> String {
    match word.to_lowercase().as_str() {
        "ha" | "eh" | "hartrees" | "a.u." | "au" => "hartree".to_owned(),
        "ry" | "rydbergs" => "rydberg".to_owned(),
        "a" | "å" | "ang" | "angstroms" | "ångström" | "ångstrom" => "angstrom".to_owned(),
        "a0" | "bohrs" => "bohr".to_owned(),
        "ev/a^3" | "ev/å^3" | "ev/a3" | "ev/ang^3" | "ev/angstrom^3" => {
            "ev_per_angstrom3".to_owned()
        }
        other => other.replace('/', "_per_"),
    }
}

/// Units of the inputs; everything is converted once, at ingest, to Å, eV, eV/Å, eV/Å^3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Units {
    /// Of energies and virials.
    pub energy: EnergyUnit,
    /// Of positions and cells.
    pub length: LengthUnit,
    /// The energy in the unit of forces; that of energies unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_energy: Option<EnergyUnit>,
    /// The length in the unit of forces; that of positions unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_length: Option<LengthUnit>,
    /// Of stress.
    pub stress: StressUnit,
    /// Sign of stress.
    pub stress_sign: StressSign,
    /// Whether units that a file states itself are believed.
    #[serde(skip_serializing_if = "is_believe")]
    pub stated: StatedUnits,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_believe(stated: &StatedUnits) -> bool {
    *stated == StatedUnits::Believe
}

impl Units {
    /// The unit of forces in eV/Å.
    pub fn force_in_ev_per_angstrom(&self) -> f64 {
        let energy = self.force_energy.unwrap_or(self.energy).in_ev();
        energy / self.force_length.unwrap_or(self.length).in_angstrom()
    }

    /// The unit of stress in eV/Å^3, with the sign of `dE/dε / volume`.
    pub fn stress_in_ev_per_angstrom3(&self) -> f64 {
        let size = self.stress.in_ev_per_angstrom3();
        match self.stress_sign {
            StressSign::TensionPositive => size,
            StressSign::PressurePositive => -size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_tables() {
        // 23.0605 kcal/mol and 96.485 kJ/mol an eV; 51.422 eV/Å a hartree/bohr (CODATA).
        assert!((EnergyUnit::KcalPerMol.in_ev().recip() - 23.060_548).abs() < 1e-6);
        assert!((EnergyUnit::KjPerMol.in_ev().recip() - 96.485_332).abs() < 1e-6);
        let atomic =
            Units { energy: EnergyUnit::Hartree, length: LengthUnit::Bohr, ..Units::default() };
        assert!((atomic.force_in_ev_per_angstrom() - 51.422_067).abs() < 1e-6);
        let vasp = Units {
            stress: StressUnit::Kbar,
            stress_sign: StressSign::PressurePositive,
            ..Units::default()
        };
        assert!((vasp.stress_in_ev_per_angstrom3() * 1_602.176_634 + 1.0).abs() < 1e-15);
    }
}
