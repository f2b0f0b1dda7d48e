//! One structure: its comment line and the columns of its atoms.

use std::collections::BTreeSet;

use genesis_schema::atoms::Vector;
use genesis_schema::elements::spelled;

use super::comment;
use super::head::Head;
use super::scan::FrameText;
use crate::formats::Refusal;
use crate::formats::not_utf8;
use crate::formats::raw_frame::{Column, RawFrame, Value, Values};

/// What an xyz file without `Properties` holds; what follows on a line is not read.
const PLAIN: &str = "species:S:1:pos:R:3";
/// Names of the columns of elements, of their numbers and of positions, in any case.
const SPECIES: [&str; 5] = ["species", "element", "elements", "symbol", "symbols"];
const NUMBERS: [&str; 3] = ["Z", "numbers", "atomic_numbers"];
const POSITIONS: [&str; 2] = ["pos", "positions"];

/// Understands the lines of a structure whose count stands on line `line`.
pub(super) fn parse(text: &FrameText, line: u64) -> Result<RawFrame, Refusal> {
    let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|e| not_utf8(&e));
    let head = Head::read(utf8(&text.comment)?, utf8(&text.vectors)?)?;
    let body = utf8(&text.body)?;
    let layout = Layout::new(head.properties.as_deref())?;
    let mut frame = RawFrame {
        cell: head.cell,
        periodic: head.periodic,
        info: head.info.into_iter().map(|(key, value)| (key, Value::Text(value))).collect(),
        vectors: layout.kept.iter().map(|(_, name)| (name.clone(), Vec::new())).collect(),
        columns: layout.others.iter().map(Other::column).collect(),
        ..RawFrame::default()
    };
    let mut isotopes = Vec::new();
    for (place, row) in body.lines().enumerate() {
        layout.atom(row, &mut frame, &mut isotopes).map_err(|refusal| {
            let detail = format!("line {}: {}", line + 2 + place as u64, refusal.detail);
            Refusal::new(refusal.reason, detail)
        })?;
    }
    if layout.has_symbols() {
        refuse_types(body, layout.species_at(), &frame)?;
    }
    frame.weigh(&isotopes);
    Ok(frame)
}

/// Numbers in place of symbols are atomic numbers, unless they count types from 1, as LAMMPS and OVITO
/// do: there is no matter of hydrogen and helium, and of ones alone nobody knows.
fn refuse_types(body: &str, at: usize, frame: &RawFrame) -> Result<(), Refusal> {
    let numbered = body.lines().next().and_then(|row| row.split_ascii_whitespace().nth(at));
    let numbered = numbered.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let has = |z: u8| frame.atomic_numbers.contains(&z);
    let ones = frame.atomic_numbers.iter().all(|&z| z == 1);
    if numbered && (ones || has(1) && has(2)) {
        let problem = "elements are numbered from 1, as types of atoms are; as atomic numbers they \
                       would be hydrogen, or hydrogen and helium; write symbols";
        return Err(Refusal::new("unknown_element", problem));
    }
    Ok(())
}

/// Which words of a line mean what.
struct Layout {
    columns: Vec<(Kind, usize)>,
    words: usize,
    /// Lines may have more words, which are not read.
    open: bool,
    /// First word and name of each column of three numbers that is not the position.
    kept: Vec<(usize, String)>,
    /// What else each atom has.
    others: Vec<Other>,
    species: Species,
    /// Atomic numbers beside symbols, which must agree.
    checked: Option<usize>,
    position: usize,
}

/// A column that is neither the element nor three numbers.
struct Other {
    at: usize,
    name: String,
    kind: Kind,
    count: usize,
}

impl Other {
    /// Its name, and the column before the first atom.
    fn column(&self) -> (String, Column) {
        let values = match self.kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Truth => Values::Truth(Vec::new()),
        };
        (self.name.clone(), Column { width: self.count, values })
    }

    /// Appends what an atom has.
    fn push(&self, words: &[&str], values: &mut Values) -> Result<(), Refusal> {
        for word in &words[self.at..self.at + self.count] {
            let bad = || Refusal::new("bad_value", format!("`{word}` is not {}", self.kind.name()));
            match values {
                Values::Text(all) => all.push((*word).to_owned()),
                Values::Real(all) => all.push(comment::number(word).ok_or_else(bad)?),
                Values::Integer(all) => all.push(word.parse().map_err(|_| bad())?),
                Values::Truth(all) => {
                    let truths = comment::truths(word).unwrap_or_default();
                    all.push(*truths.first().ok_or_else(bad)?);
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Species {
    Symbol(usize),
    Number(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Real,
    Integer,
    Truth,
}

impl Layout {
    fn new(properties: Option<&str>) -> Result<Self, Refusal> {
        let open = properties.is_none();
        let properties = properties.unwrap_or(PLAIN);
        let bad = |problem: &str| {
            Refusal::new("bad_properties", format!("Properties=`{properties}`: {problem}"))
        };
        let parts: Vec<&str> = properties.split(':').collect();
        let (triples, rest) = parts.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(bad("it is not a list of name:type:columns"));
        }
        let mut layout = Self {
            columns: Vec::new(),
            words: 0,
            open,
            kept: Vec::new(),
            others: Vec::new(),
            species: Species::Symbol(usize::MAX),
            checked: None,
            position: usize::MAX,
        };
        let mut seen = BTreeSet::new();
        for &[name, kind, count] in triples {
            let count = count.parse().ok().filter(|count| (1..=10_000).contains(count));
            let count: usize = count.ok_or_else(|| bad("a number of columns is not 1 to 10000"))?;
            let kind = Kind::new(kind).ok_or_else(|| bad("a type is none of S, R, I, L"))?;
            if !seen.insert(name) {
                return Err(bad("a name occurs twice"));
            }
            layout.add(name, kind, count);
        }
        if layout.species_at() == usize::MAX || layout.position == usize::MAX {
            return Err(bad("it needs species:S:1 (or Z:I:1) and pos:R:3"));
        }
        Ok(layout)
    }

    fn add(&mut self, name: &str, kind: Kind, count: usize) {
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        match (kind, count) {
            // OVITO writes types that have no names as whole numbers.
            (Kind::Text | Kind::Integer, 1) if is(&SPECIES) && !self.has_symbols() => {
                if let Species::Number(at) = self.species {
                    self.checked = Some(at);
                }
                self.species = Species::Symbol(self.words);
            }
            (Kind::Integer, 1) if is(&NUMBERS) => match self.species {
                Species::Symbol(at) if at != usize::MAX => self.checked = Some(self.words),
                _ => self.species = Species::Number(self.words),
            },
            (Kind::Real, 3) if is(&POSITIONS) && self.position == usize::MAX => {
                self.position = self.words;
            }
            (Kind::Real, 3) => self.kept.push((self.words, name.to_owned())),
            _ => self.others.push(Other { at: self.words, name: name.to_owned(), kind, count }),
        }
        self.columns.push((kind, count));
        self.words += count;
    }

    fn has_symbols(&self) -> bool {
        matches!(self.species, Species::Symbol(at) if at != usize::MAX)
    }

    fn species_at(&self) -> usize {
        match self.species {
            Species::Symbol(at) | Species::Number(at) => at,
        }
    }

    /// Appends the atom of a line; an isotope with its place and mass.
    fn atom(
        &self,
        row: &str,
        frame: &mut RawFrame,
        isotopes: &mut Vec<(usize, f64)>,
    ) -> Result<(), Refusal> {
        let words: Vec<&str> = row.split_ascii_whitespace().collect();
        if words.len() != self.words && !(self.open && words.len() > self.words) {
            let problem = format!("{} columns, Properties says {}", words.len(), self.words);
            return Err(Refusal::new("wrong_columns", problem));
        }
        self.check(&words)?;
        let (element, isotope) = self.element(&words)?;
        isotopes.extend(isotope.map(|mass| (frame.atomic_numbers.len(), mass)));
        frame.atomic_numbers.push(element);
        frame.positions.push(vector(&words, self.position)?);
        for (at, name) in &self.kept {
            let vector = vector(&words, *at)?;
            frame.vectors.get_mut(name).expect("every kept column has a list").push(vector);
        }
        for other in &self.others {
            let column = frame.columns.get_mut(&other.name).expect("every column has a list");
            other.push(&words, &mut column.values)?;
        }
        Ok(())
    }

    /// Every column must be what its type says, also those that are not used.
    fn check(&self, words: &[&str]) -> Result<(), Refusal> {
        let mut at = 0;
        for &(kind, count) in &self.columns {
            if let Some(word) = words[at..at + count].iter().find(|word| !kind.accepts(word)) {
                return Err(Refusal::new("bad_value", format!("`{word}` is not {}", kind.name())));
            }
            at += count;
        }
        Ok(())
    }

    fn element(&self, words: &[&str]) -> Result<(u8, Option<f64>), Refusal> {
        let at = self.species_at();
        let word = words[at];
        let number = || word.parse().ok().filter(|z| (1..=118).contains(z)).map(|z| (z, None));
        let found = match self.species {
            Species::Symbol(_) => spelled(word).or_else(number),
            Species::Number(_) => number(),
        };
        let unknown = || format!("`{word}` is not an element");
        let found = found.ok_or_else(|| Refusal::new("unknown_element", unknown()))?;
        match self.checked.map(|at| words[at]) {
            Some(other) if other.parse() != Ok(found.0) => {
                let problem = format!("the symbol is {word}, the atomic number {other}");
                Err(Refusal::new("unknown_element", problem))
            }
            _ => Ok(found),
        }
    }
}

fn vector(words: &[&str], at: usize) -> Result<Vector, Refusal> {
    let number = |k: usize| {
        let word = words[at + k];
        let bad = || Refusal::new("bad_value", format!("`{word}` is not a number"));
        comment::number(word).ok_or_else(bad)
    };
    Ok([number(0)?, number(1)?, number(2)?])
}

impl Kind {
    fn new(letter: &str) -> Option<Self> {
        match letter.to_ascii_uppercase().as_str() {
            "S" => Some(Self::Text),
            "R" => Some(Self::Real),
            "I" => Some(Self::Integer),
            "L" => Some(Self::Truth),
            _ => None,
        }
    }

    fn accepts(self, word: &str) -> bool {
        match self {
            // Numbers that are used are parsed where they are used.
            Self::Text => true,
            Self::Real => comment::number(word).is_some(),
            Self::Integer => word.parse::<i64>().is_ok(),
            Self::Truth => comment::truths(word).is_some_and(|truths| truths.len() == 1),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Real => "a number",
            Self::Integer => "a whole number",
            Self::Truth => "T or F",
        }
    }
}
