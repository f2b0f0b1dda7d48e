//! Structures from the arrays of an npz file: which array means what, and its values of one structure.

use genesis_schema::atoms::Matrix;

use super::Arrays;
use super::npy::Array;
use crate::formats::Refusal;
use crate::formats::named_lists::{ATOM_COLUMNS, element, vectors};
use crate::formats::raw_frame::{Column, RawFrame, Value, Values, repeating};

const NUMBERS: [&str; 5] = ["nuclear_charges", "z", "Z", "atomic_numbers", "numbers"];
const POSITIONS: [&str; 4] = ["coords", "R", "positions", "pos"];
const CELL: [&str; 2] = ["cell", "lattice"];
const PBC: [&str; 2] = ["pbc", "periodic"];
/// Names that mean a label in this format alone.
const LABELS: [(&str, &str); 3] = [("energies", "energy"), ("E", "energy"), ("F", "forces")];

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    /// Values of every structure.
    Frames,
    /// Values of every atom of every structure.
    Atoms,
    /// Values of every atom, the same in all structures.
    AtomsOfAll,
    /// Values that are the same in all structures.
    All,
}

#[derive(Debug)]
struct Named {
    key: String,
    of: Of,
    /// Values of one structure, or of one atom.
    width: usize,
    values: Values,
}

/// The structures of a file.
#[derive(Debug)]
pub(super) struct Frames {
    count: usize,
    atoms: usize,
    /// `[n]` or `[F, n]`; 0 is padding.
    numbers: Vec<i64>,
    positions: Vec<f64>,
    cell: Option<Named>,
    periodic: Option<Named>,
    named: Vec<Named>,
    /// Arrays of atoms, where the file lists them; else shapes tell.
    listed: Option<Vec<String>>,
}

type Found<T> = std::result::Result<T, String>;

impl Frames {
    pub(super) fn new(mut arrays: Arrays) -> Found<Self> {
        let (_, numbers) =
            take(&mut arrays, &NUMBERS)?.ok_or("it has no array `nuclear_charges`")?;
        let (_, positions) = take(&mut arrays, &POSITIONS)?.ok_or("it has no array `coords`")?;
        let (frames, atoms) = match positions.shape[..] {
            [frames, atoms, 3] => (frames, atoms),
            [atoms, 3] => (1, atoms),
            _ => {
                return Err(format!("positions have shape {:?}, not [F, n, 3]", positions.shape));
            }
        };
        // Else arrays without a byte could stand for any number of structures.
        if atoms == 0 {
            return Err("structures of no atoms: positions have shape [.., 0, 3]".to_owned());
        }
        if numbers.shape != [atoms] && numbers.shape != [frames, atoms] {
            return Err(format!(
                "atomic numbers have shape {:?}, positions {atoms} atoms",
                numbers.shape
            ));
        }
        let mut all = Self {
            count: frames,
            atoms,
            numbers: whole(&numbers.values)?,
            positions: positions.values.numbers().ok_or("positions are no numbers")?,
            cell: None,
            periodic: None,
            named: Vec::new(),
            listed: listed(&mut arrays),
        };
        all.cell = all.of_cell(&mut arrays, &CELL, 9)?;
        all.periodic = all.of_cell(&mut arrays, &PBC, 3)?;
        for (name, array) in arrays {
            all.name(&name, array)?;
        }
        Ok(all)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The cell or its periodic directions, of each structure or of all.
    fn of_cell(&self, arrays: &mut Arrays, names: &[&str], count: usize) -> Found<Option<Named>> {
        let known = |key: &&String| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        let Some(key) = arrays.keys().find(known).cloned() else { return Ok(None) };
        let Some((key, array)) = take(arrays, &[&key])? else { return Ok(None) };
        let fits = |shape: &[usize]| match shape {
            [] => count == 3,
            [side] => *side == count,
            [3, 3] => count == 9,
            _ => false,
        };
        let of = match &array.shape[..] {
            [first, rest @ ..] if *first == self.count && fits(rest) => Of::Frames,
            shape if fits(shape) => Of::All,
            shape => return Err(format!("`{key}` has shape {shape:?}, not [F, {count}]")),
        };
        let rows = if of == Of::Frames { self.count } else { 1 };
        let width = array.values.len() / rows.max(1);
        Ok(Some(Named { key, of, width, values: array.values }))
    }

    /// Takes in another array under its name, or as the label that it is.
    fn name(&mut self, name: &str, array: Found<Array>) -> Found<()> {
        let label = LABELS.iter().find(|(known, _)| *known == name);
        let key = label.map_or(name, |(_, key)| key).to_owned();
        let is_label = ["energy", "forces", "stress", "virial"].iter().any(|it| key.contains(it));
        let array = match array {
            Ok(array) => array,
            Err(problem) if is_label => return Err(format!("array `{name}`: {problem}")),
            // What cannot be read is nothing that is asked for.
            Err(_) => return Ok(()),
        };
        let (frames, atoms) = (self.count, self.atoms);
        let of_atoms = self.listed.as_ref().is_none_or(|listed| listed.iter().any(|it| it == name));
        let product = |sides: &[usize]| sides.iter().product();
        let (of, width) = match &array.shape[..] {
            [first, second, rest @ ..] if *first == frames && *second == atoms && of_atoms => {
                (Of::Atoms, product(rest))
            }
            [first, rest @ ..] if *first == frames => (Of::Frames, product(rest)),
            [first, rest @ ..] if *first == atoms && of_atoms => (Of::AtomsOfAll, product(rest)),
            [] | [1] => (Of::All, 1),
            shape if is_label => {
                return Err(format!("`{name}` has shape {shape:?}, not [{frames}, ..]"));
            }
            _ => return Ok(()),
        };
        if label.is_some_and(|(_, key)| *key == "forces") && (of, width) != (Of::Atoms, 3) {
            let shape = &array.shape;
            return Err(format!("`{name}` has shape {shape:?}, not [{frames}, {atoms}, 3]"));
        }
        if let Some(known) = self.named.iter().find(|known| known.key == key) {
            if known.values == array.values {
                return Ok(());
            }
            return Err(format!("two arrays say {key}, one of them `{name}`, and they differ"));
        }
        self.named.push(Named { key, of, width, values: array.values });
        Ok(())
    }

    /// Structure `at`.
    pub(super) fn frame(&self, at: usize) -> std::result::Result<RawFrame, Refusal> {
        let shared = self.numbers.len() == self.atoms;
        let start = if shared { 0 } else { at * self.atoms };
        let row = &self.numbers[start..start + self.atoms];
        let atoms = row.iter().rposition(|&z| z != 0).map_or(0, |last| last + 1);
        if atoms == 0 {
            return Err(Refusal::new("no_atoms", "the structure has no atoms"));
        }
        let unknown = |z: &i64| {
            Refusal::new("unknown_element", format!("the atomic number {z} is not 1 to 118"))
        };
        let one = |z: &i64| element(*z as f64).ok_or_else(|| unknown(z));
        let positions = &self.positions[3 * self.atoms * at..][..3 * atoms];
        let mut frame = RawFrame {
            atomic_numbers: row[..atoms].iter().map(one).collect::<std::result::Result<_, _>>()?,
            positions: vectors(positions, atoms).unwrap_or_default(),
            ..RawFrame::default()
        };
        let cell = self.cell.as_ref().map(|it| it.of_frame(at));
        if let Some(numbers) = cell.and_then(|values| values.numbers()) {
            let row = |k: usize| [numbers[3 * k], numbers[3 * k + 1], numbers[3 * k + 2]];
            frame.cell = [0, 1, 2].map(row);
        }
        frame.periodic = self.periodic(at, &frame.cell)?;
        for named in &self.named {
            named.enter(&mut frame, at, (self.atoms, atoms));
        }
        Ok(frame)
    }

    fn periodic(&self, at: usize, cell: &Matrix) -> std::result::Result<[bool; 3], Refusal> {
        let Some(named) = &self.periodic else { return Ok(repeating(cell)) };
        let numbers = named.of_frame(at).numbers().unwrap_or_default();
        if !numbers.iter().all(|x| [0.0, 1.0].contains(x)) {
            return Err(Refusal::new("bad_pbc", format!("`{}` is not made of truths", named.key)));
        }
        let on = |k: usize| numbers.get(k.min(numbers.len() - 1)).is_some_and(|&x| x > 0.0);
        Ok([0, 1, 2].map(on))
    }
}

impl Named {
    /// The values of structure `at` of a cell or of its periodic directions.
    fn of_frame(&self, at: usize) -> Values {
        let start = if self.of == Of::Frames { at * self.width } else { 0 };
        slice(&self.values, start, self.width)
    }

    /// Puts its values of structure `at` into `frame`, which has the first `atoms` of `rows` atoms.
    fn enter(&self, frame: &mut RawFrame, at: usize, (rows, atoms): (usize, usize)) {
        let whole = rows * self.width;
        let values = match self.of {
            Of::Frames => slice(&self.values, at * self.width, self.width),
            Of::All => self.values.clone(),
            Of::Atoms => slice(&self.values, at * whole, atoms * self.width),
            Of::AtomsOfAll => slice(&self.values, 0, atoms * self.width),
        };
        let absent = match &values {
            Values::Real(all) => !all.is_empty() && all.iter().all(|x| x.is_nan()),
            Values::Text(all) => all.iter().all(String::is_empty),
            Values::Integer(_) | Values::Truth(_) => false,
        };
        if absent {
            return;
        }
        let key = self.key.clone();
        if matches!(self.of, Of::Frames | Of::All) {
            frame.info.insert(key, of_structure(values));
            return;
        }
        match (self.width, values.numbers()) {
            (3, Some(numbers)) if matches!(values, Values::Real(_)) => {
                // Three atoms with three components could be a tensor too: both names look.
                if atoms == 3 {
                    frame.info.insert(key.clone(), Value::Numbers(numbers.clone()));
                }
                frame.vectors.insert(key, vectors(&numbers, atoms).unwrap_or_default());
            }
            _ => {
                frame.columns.insert(key, Column { width: self.width, values });
            }
        }
    }
}

fn of_structure(values: Values) -> Value {
    match values {
        Values::Truth(truths) => Value::Truths(truths),
        Values::Text(texts) => Value::Text(texts.join(" ")),
        numbers => Value::Numbers(numbers.numbers().unwrap_or_default()),
    }
}

fn slice(values: &Values, start: usize, count: usize) -> Values {
    fn of<T: Clone>(all: &[T], start: usize, count: usize) -> Vec<T> {
        all.get(start..start + count).unwrap_or_default().to_vec()
    }
    match values {
        Values::Real(all) => Values::Real(of(all, start, count)),
        Values::Integer(all) => Values::Integer(of(all, start, count)),
        Values::Truth(all) => Values::Truth(of(all, start, count)),
        Values::Text(all) => Values::Text(of(all, start, count)),
    }
}

/// The names that the array [`ATOM_COLUMNS`] lists.
fn listed(arrays: &mut Arrays) -> Option<Vec<String>> {
    match arrays.remove(ATOM_COLUMNS)?.ok()?.values {
        Values::Text(names) => Some(names),
        _ => None,
    }
}

/// The first of `names` that is there.
fn take(arrays: &mut Arrays, names: &[&str]) -> Found<Option<(String, Array)>> {
    for name in names {
        if let Some(array) = arrays.remove(*name) {
            let array = array.map_err(|problem| format!("array `{name}`: {problem}"))?;
            return Ok(Some(((*name).to_owned(), array)));
        }
    }
    Ok(None)
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
fn whole(values: &Values) -> Found<Vec<i64>> {
    let numbers = values.numbers().ok_or("atomic numbers are no numbers")?;
    let one = |&z: &f64| {
        let whole = (0.0..=118.0).contains(&z) && z.fract() == 0.0;
        whole.then_some(z as i64).ok_or_else(|| format!("the atomic number {z} is not 1 to 118"))
    };
    numbers.iter().map(one).collect()
}
