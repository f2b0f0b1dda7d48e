//! One structure: its comment line and the columns of its atoms.

use std::collections::BTreeSet;

use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::elements::atomic_number;

use super::comment;
use super::scan::FrameText;
use crate::formats::Refusal;
use crate::formats::not_utf8;
use crate::formats::raw_frame::{Column, RawFrame, Value, Values};

/// What an xyz file without `Properties` holds.
const PLAIN: &str = "species:S:1:pos:R:3";
/// Names of the column of elements.
const SPECIES: [&str; 3] = ["species", "element", "elements"];

/// Understands the lines of a structure whose count stands on line `line`.
pub(super) fn parse(text: &FrameText, line: u64) -> Result<RawFrame, Refusal> {
    let head = std::str::from_utf8(&text.comment).map_err(|e| not_utf8(&e))?;
    let body = std::str::from_utf8(&text.body).map_err(|e| not_utf8(&e))?;
    let mut pairs = comment::pairs(head)?;
    let layout = Layout::new(&pairs.remove("Properties").unwrap_or_else(|| PLAIN.to_owned()))?;
    let (cell, has_cell) = lattice(pairs.remove("Lattice"))?;
    let mut frame = RawFrame {
        cell,
        periodic: periodic(pairs.remove("pbc"))?.unwrap_or([has_cell; 3]),
        info: pairs.into_iter().map(|(key, value)| (key, Value::Text(value))).collect(),
        vectors: layout.kept.iter().map(|(_, name)| (name.clone(), Vec::new())).collect(),
        columns: layout.others.iter().map(Other::column).collect(),
        ..RawFrame::default()
    };
    for (place, row) in body.lines().enumerate() {
        layout.atom(row, &mut frame).map_err(|refusal| {
            let detail = format!("line {}: {}", line + 2 + place as u64, refusal.detail);
            Refusal::new(refusal.reason, detail)
        })?;
    }
    Ok(frame)
}

fn lattice(value: Option<String>) -> Result<(Matrix, bool), Refusal> {
    let Some(value) = value else { return Ok(([[0.0; 3]; 3], false)) };
    let rows: Option<[f64; 9]> = comment::numbers(&value).and_then(|n| n.try_into().ok());
    let Some(n) = rows else {
        let problem = format!("Lattice is `{value}`, not nine numbers");
        return Err(Refusal::new("bad_lattice", problem));
    };
    Ok(([[n[0], n[1], n[2]], [n[3], n[4], n[5]], [n[6], n[7], n[8]]], true))
}

fn periodic(value: Option<String>) -> Result<Option<[bool; 3]>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    match comment::truths(&value).as_deref() {
        Some(&[all]) => Ok(Some([all; 3])),
        Some(&[a, b, c]) => Ok(Some([a, b, c])),
        _ => Err(Refusal::new("bad_pbc", format!("pbc is `{value}`, not three of T and F"))),
    }
}

/// Which words of a line mean what.
struct Layout {
    columns: Vec<(Kind, usize)>,
    words: usize,
    /// First word and name of each column of three numbers that is not the position.
    kept: Vec<(usize, String)>,
    /// What else each atom has.
    others: Vec<Other>,
    species: Species,
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
                Values::Real(all) => all.push(word.parse().map_err(|_| bad())?),
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
    fn new(properties: &str) -> Result<Self, Refusal> {
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
            kept: Vec::new(),
            others: Vec::new(),
            species: Species::Symbol(usize::MAX),
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
        let species = match layout.species {
            Species::Symbol(at) | Species::Number(at) => at,
        };
        if species == usize::MAX || layout.position == usize::MAX {
            return Err(bad("it needs species:S:1 (or Z:I:1) and pos:R:3"));
        }
        Ok(layout)
    }

    fn add(&mut self, name: &str, kind: Kind, count: usize) {
        match (kind, count) {
            (Kind::Text, 1) if SPECIES.contains(&name) => {
                self.species = Species::Symbol(self.words);
            }
            (Kind::Integer, 1) if name == "Z" && !self.has_symbols() => {
                self.species = Species::Number(self.words);
            }
            (Kind::Real, 3) if name == "pos" => self.position = self.words,
            (Kind::Real, 3) => self.kept.push((self.words, name.to_owned())),
            _ => self.others.push(Other { at: self.words, name: name.to_owned(), kind, count }),
        }
        self.columns.push((kind, count));
        self.words += count;
    }

    fn has_symbols(&self) -> bool {
        matches!(self.species, Species::Symbol(at) if at != usize::MAX)
    }

    fn atom(&self, row: &str, frame: &mut RawFrame) -> Result<(), Refusal> {
        let words: Vec<&str> = row.split_ascii_whitespace().collect();
        if words.len() != self.words {
            let problem = format!("{} columns, Properties says {}", words.len(), self.words);
            return Err(Refusal::new("wrong_columns", problem));
        }
        self.check(&words)?;
        frame.atomic_numbers.push(self.element(&words)?);
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

    fn element(&self, words: &[&str]) -> Result<u8, Refusal> {
        let (word, found) = match self.species {
            Species::Symbol(at) => (words[at], atomic_number(words[at])),
            Species::Number(at) => (words[at], words[at].parse().ok()),
        };
        found
            .filter(|z| (1..=118).contains(z))
            .ok_or_else(|| Refusal::new("unknown_element", format!("`{word}` is not an element")))
    }
}

fn vector(words: &[&str], at: usize) -> Result<Vector, Refusal> {
    let number = |k: usize| {
        let word = words[at + k];
        word.parse().map_err(|_| Refusal::new("bad_value", format!("`{word}` is not a number")))
    };
    Ok([number(0)?, number(1)?, number(2)?])
}

impl Kind {
    fn new(letter: &str) -> Option<Self> {
        match letter {
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
            Self::Real => word.parse::<f64>().is_ok(),
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
