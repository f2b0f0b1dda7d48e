//! Where a simulation starts: what the file says of masses, velocities, fixed atoms and time.
//!
//! | of each atom                                  | means                                          |
//! |-----------------------------------------------|------------------------------------------------|
//! | `masses` or `mass`                            | u; else standard atomic weights                |
//! | `velocities`, `velo` or `vel`                 | Å/fs                                           |
//! | `momenta`                                     | those of ASE, sqrt(eV u)                       |
//! | `move_mask`, one or three truths or 0 and 1   | which components move; else all of them        |
//!
//! A trajectory of this program also says `step`, `time_fs` and `degrees_of_freedom`, from which it goes
//! on.

use genesis_data::formats::raw_frame::{RawFrame, Value};
use genesis_data::structures::ingest::{Structure, UNITS, UNITS_KEY};
use genesis_schema::Frame;
use genesis_schema::atoms::Vector;
use genesis_schema::elements::mass;

use super::system::ACCELERATION;
use crate::structures::error::StructuresError;

const MASSES: [&str; 2] = ["masses", "mass"];
const VELOCITIES: [&str; 3] = ["velocities", "velo", "vel"];
const MOMENTA: [&str; 1] = ["momenta"];
const MOVES: [&str; 1] = ["move_mask"];
/// Key of the degrees of freedom in a trajectory.
pub(super) const FREEDOMS: &str = "degrees_of_freedom";
/// Velocities and momenta of one file may differ by this much of the largest velocity.
const AGREEMENT: f64 = 1e-6;

/// A structure about to move.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The structure.
    pub frame: Frame,
    /// What its file says of it.
    pub raw: RawFrame,
    /// `[n]` u.
    pub masses: Vec<f64>,
    /// `[n]` Å/fs, where the file has them.
    pub velocities: Option<Vec<Vector>>,
    /// `[n]` components that move.
    pub moves: Vec<[bool; 3]>,
    /// Steps that led here, and their time, fs.
    pub step: u64,
    /// Time that led here, fs.
    pub time_fs: f64,
    /// Degrees of freedom of the simulation that led here.
    pub freedoms: Option<f64>,
}

impl Start {
    /// Of a structure of a file.
    ///
    /// # Errors
    /// [`StructuresError::Motion`] naming file, line and what cannot be used.
    pub fn of(structure: &Structure) -> Result<Self, StructuresError> {
        let raw = &structure.raw;
        let problem = |problem: String| StructuresError::Motion {
            place: format!("{}:{}", structure.file.display(), structure.line),
            problem,
        };
        let masses = masses(raw, &structure.frame).map_err(problem)?;
        let velocities = velocities(raw, &masses).map_err(problem)?;
        let ours = matches!(raw.info.get(UNITS_KEY), Some(Value::Text(units)) if units == UNITS);
        let number = |key: &str| {
            let found = raw.info.get(key).filter(|_| ours && velocities.is_some());
            found.and_then(Value::numbers).and_then(|numbers| numbers.first().copied())
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let step = number("step").map_or(0, |step| step as u64);
        Ok(Self {
            moves: moves(raw).map_err(problem)?,
            step,
            time_fs: number("time_fs").unwrap_or(0.0),
            freedoms: number(FREEDOMS),
            frame: structure.frame.clone(),
            raw: raw.clone(),
            masses,
            velocities,
        })
    }

    /// Of a structure of which nothing else is known.
    pub fn at_rest(frame: Frame) -> Self {
        let masses = frame.atomic_numbers.iter().map(|&number| mass(number)).collect();
        let moves = vec![[true; 3]; frame.atomic_numbers.len()];
        let (raw, velocities) = (RawFrame::default(), None);
        Self { frame, raw, masses, velocities, moves, step: 0, time_fs: 0.0, freedoms: None }
    }

    /// Forgets the velocities of the file and the steps that led to them.
    pub fn draw(&mut self) {
        (self.velocities, self.step, self.time_fs, self.freedoms) = (None, 0, 0.0, None);
    }

    /// Whether the file says the masses.
    pub fn has_own_masses(&self) -> bool {
        MASSES.iter().any(|key| self.raw.has(key))
    }

    /// Atoms that do not move in some direction.
    pub fn num_fixed(&self) -> usize {
        self.moves.iter().filter(|moves| **moves != [true; 3]).count()
    }

    /// Keys of the file that the first step makes untrue: labels, velocities, the clock.
    pub(super) fn outdated(&self) -> Vec<&str> {
        let RawFrame { info, vectors, columns, .. } = &self.raw;
        let keys = info.keys().chain(vectors.keys()).chain(columns.keys());
        keys.map(String::as_str).filter(|key| changes(key)).collect()
    }
}

fn changes(key: &str) -> bool {
    const PARTS: [&str; 6] = ["energy", "force", "stress", "virial", "veloc", "momenta"];
    let lower = key.to_ascii_lowercase();
    let clock = ["velo", "vel", "step", "time_fs", "temperature"].contains(&lower.as_str());
    clock || (!lower.ends_with("weight") && PARTS.iter().any(|part| lower.contains(part)))
}

fn masses(raw: &RawFrame, frame: &Frame) -> Result<Vec<f64>, String> {
    let Some((key, masses)) = raw.of_atoms(&MASSES, 1) else {
        if let Some(key) = MASSES.iter().find(|key| raw.has(key)) {
            return Err(format!("`{key}` is not one number for each atom"));
        }
        return Ok(frame.atomic_numbers.iter().map(|&number| mass(number)).collect());
    };
    match masses.iter().position(|mass| !(mass.is_finite() && *mass > 0.0)) {
        None => Ok(masses),
        Some(atom) => Err(format!(
            "`{key}` of atom {atom} (counted from 0) is {}; a mass is above 0, in u",
            masses[atom]
        )),
    }
}

/// Velocities of the file; where it has momenta too, both must say the same.
fn velocities(raw: &RawFrame, masses: &[f64]) -> Result<Option<Vec<Vector>>, String> {
    let rows = |numbers: Vec<f64>| numbers.as_chunks::<3>().0.to_vec();
    let given = raw.of_atoms(&VELOCITIES, 3).map(|(key, numbers)| (key, rows(numbers)));
    let momenta = raw.of_atoms(&MOMENTA, 3).map(|(key, numbers)| {
        let of = |(row, mass): (Vector, &f64)| row.map(|p| p / mass * ACCELERATION.sqrt());
        (key, rows(numbers).into_iter().zip(masses).map(of).collect::<Vec<_>>())
    });
    let found = [&given, &momenta].into_iter().flatten();
    for (key, rows) in found {
        if let Some(atom) = rows.iter().position(|row| !row.iter().all(|x| x.is_finite())) {
            return Err(format!("`{key}` of atom {atom} (counted from 0) is not finite"));
        }
    }
    if let (Some((key, a)), Some((_, b))) = (&given, &momenta) {
        let largest = a.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
        let differs = |(x, y): (&f64, &f64)| (x - y).abs() > AGREEMENT * largest;
        if let Some(at) = a.iter().flatten().zip(b.iter().flatten()).position(differs) {
            let (x, y) = (a[at / 3][at % 3], b[at / 3][at % 3]);
            return Err(format!(
                "`{key}` (Å/fs) and `momenta` (of ASE, sqrt(eV u)) of atom {} disagree: {x} and {y} \
                 Å/fs; remove one of them, or start with --velocities draw",
                at / 3
            ));
        }
    }
    Ok(given.or(momenta).map(|(_, rows)| rows))
}

fn moves(raw: &RawFrame) -> Result<Vec<[bool; 3]>, String> {
    let atoms = raw.atomic_numbers.len();
    let one = raw.of_atoms(&MOVES, 1).map(|(_, mask)| mask.iter().map(|&it| [it; 3]).collect());
    let three = || raw.of_atoms(&MOVES, 3).map(|(_, mask)| mask.as_chunks::<3>().0.to_vec());
    let Some(mask): Option<Vec<[f64; 3]>> = one.or_else(three) else {
        if MOVES.iter().any(|key| raw.has(key)) {
            return Err("`move_mask` is neither one nor three truths for each atom".to_owned());
        }
        return Ok(vec![[true; 3]; atoms]);
    };
    match mask.iter().flatten().find(|it| ![0.0, 1.0].contains(it)) {
        None => Ok(mask.into_iter().map(|row| row.map(|it| it > 0.5)).collect()),
        Some(other) => Err(format!("`move_mask` holds {other}; T or 1 moves, F or 0 stays")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use genesis_data::formats::raw_frame::{Column, Values};

    use super::*;

    fn raw(name: &str, width: usize, values: Values) -> RawFrame {
        RawFrame {
            atomic_numbers: vec![14, 14],
            columns: BTreeMap::from([(name.to_owned(), Column { width, values })]),
            ..RawFrame::default()
        }
    }

    #[test]
    fn masks_may_be_truths_or_numbers_of_atoms_or_of_components() {
        let moved = |width, values| moves(&raw("move_mask", width, values)).unwrap();
        let one = [[true; 3], [false; 3]];
        assert_eq!(moved(1, Values::Truth(vec![true, false])), one);
        assert_eq!(moved(1, Values::Integer(vec![1, 0])), one);
        let three = vec![true, true, true, true, false, true];
        assert_eq!(moved(3, Values::Truth(three)), [[true; 3], [true, false, true]]);
        assert!(moves(&raw("move_mask", 1, Values::Integer(vec![1, 2]))).is_err());
        let words = Values::Text(vec!["yes".into(), "no".into()]);
        assert!(moves(&raw("move_mask", 1, words)).is_err(), "never ignored");
    }

    #[test]
    fn momenta_are_those_of_ase_and_must_agree_with_velocities() {
        // 1 eV of kinetic energy in one atom of 2 u: p^2 / 2m = 1.
        let momenta = vec![[2.0, 0.0, 0.0], [0.0; 3]];
        let mut raw = RawFrame { atomic_numbers: vec![1, 1], ..RawFrame::default() };
        raw.vectors.insert("momenta".to_owned(), momenta);
        let found = velocities(&raw, &[2.0, 2.0]).unwrap().unwrap();
        let kinetic = 0.5 * 2.0 * found[0][0] * found[0][0] / ACCELERATION;
        assert!((kinetic - 1.0).abs() < 1e-12, "{kinetic}");
        raw.vectors.insert("velocities".to_owned(), found.clone());
        assert_eq!(velocities(&raw, &[2.0, 2.0]).unwrap().unwrap(), found);
        raw.vectors.insert("velocities".to_owned(), vec![[0.0; 3], [0.1; 3]]);
        assert!(velocities(&raw, &[2.0, 2.0]).unwrap_err().contains("disagree"));
    }
}
