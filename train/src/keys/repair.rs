//! Finds every structural problem of a tree: read, note what is wrong, put a stand-in there,
//! read again.
//!
//! serde stops at the first mismatch, and inside tagged enums it does not say where it was. Both
//! are settled by experiment: the place is the one whose change makes the mismatch go away.
//! Stand-ins are never used for anything but reading on; a tree with problems is always refused.
//! What `--set` gave is read once more as what the key takes: `2024` and `2024-11-05` are names where
//! text is wanted, `.5` is a number where one is.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Value;

use super::path::Path;
use super::problem::{ConfigProblem, nearest, suggestion};
use super::structure::{Found, Kind, Mismatch, Node};

/// Upper bound on problems of one file; more than anyone reads.
const MOST_PROBLEMS: usize = 200;

/// Reads `tree` as a `T`. Beside the problems there is a value whenever stand-ins were found, so
/// that checks of meaning can go on; `muted` lists the places that hold stand-ins.
pub(super) struct Reading<T> {
    pub(super) value: Option<T>,
    pub(super) problems: Vec<ConfigProblem>,
    pub(super) muted: Vec<Path>,
}

/// As [`Reading`] says; `texts` are values of `--set` as they were given.
pub(super) fn read<T: DeserializeOwned>(
    tree: &Value,
    texts: &BTreeMap<Path, String>,
) -> Reading<T> {
    let mut bench = Bench { tree: tree.clone(), texts, problems: Vec::new(), muted: Vec::new() };
    for _ in 0..MOST_PROBLEMS {
        match T::deserialize(Node(&bench.tree)) {
            Ok(value) => return bench.reading(Some(value)),
            Err(mismatch) => {
                if !bench.mend::<T>(&mismatch) {
                    break;
                }
            }
        }
    }
    bench.reading(None)
}

struct Bench<'a> {
    tree: Value,
    texts: &'a BTreeMap<Path, String>,
    problems: Vec<ConfigProblem>,
    muted: Vec<Path>,
}

impl Bench<'_> {
    fn reading<T>(self, value: Option<T>) -> Reading<T> {
        Reading { value, problems: self.problems, muted: self.muted }
    }

    /// Notes the problem and changes the tree so that reading gets further. False if it cannot.
    fn mend<T: DeserializeOwned>(&mut self, mismatch: &Mismatch) -> bool {
        match &mismatch.kind {
            Kind::UnknownKey { name, valid } => self.drop_key::<T>(mismatch, name, valid),
            Kind::Missing { name } => self.fill_in::<T>(mismatch, name),
            Kind::UnknownName { name, valid } => self.rename::<T>(mismatch, name, valid),
            Kind::WrongType { found, expected } => self.replace::<T>(mismatch, found, expected),
            Kind::Other(message) => {
                self.note(&mismatch.path(), message.clone());
                false
            }
        }
    }

    fn note(&mut self, path: &Path, message: String) {
        if !self.muted.iter().any(|muted| path.is_within(muted)) {
            self.problems.push(ConfigProblem::at(path.to_string(), message));
        }
    }

    /// What reading says after `change`; `None` if it fits.
    fn after<T: DeserializeOwned>(&self, change: impl FnOnce(&mut Value)) -> Option<Mismatch> {
        let mut tree = self.tree.clone();
        change(&mut tree);
        T::deserialize(Node(&tree)).err()
    }

    fn drop_key<T: DeserializeOwned>(
        &mut self,
        mismatch: &Mismatch,
        name: &str,
        valid: &[String],
    ) -> bool {
        let places: Vec<Path> = mismatch
            .path()
            .descend(&self.tree)
            .into_iter()
            .map(|table| table.key(name))
            .filter(|place| place.find(&self.tree).is_some())
            .collect();
        let cured =
            |place: &&Path| self.after::<T>(|tree| place.remove(tree)).as_ref() != Some(mismatch);
        let Some(place) = places.iter().find(cured).or(places.first()).cloned() else {
            self.note(&mismatch.path(), format!("unknown key `{name}`"));
            return false;
        };
        self.note(&place, format!("unknown key; {}", suggestion(name, valid)));
        place.remove(&mut self.tree);
        true
    }

    fn fill_in<T: DeserializeOwned>(&mut self, mismatch: &Mismatch, name: &str) -> bool {
        let tables = mismatch.path().descend(&self.tree);
        let places = tables
            .into_iter()
            .filter(|table| table.find(&self.tree).is_some_and(Value::is_table))
            .map(|table| table.key(name))
            .filter(|place| place.find(&self.tree).is_none());
        for place in places {
            let Some(stand_in) = self.stand_in::<T>(mismatch, &place) else { continue };
            let valid = match stand_in.names.as_slice() {
                [] => String::new(),
                names => format!("; valid: \"{}\"", names.join("\", \"")),
            };
            self.note(&place, format!("required, but missing{valid}"));
            place.put(&mut self.tree, stand_in.value);
            // Without its kind, nothing can be said of the other keys of a table.
            self.muted.push(if name == "kind" { place.parent() } else { place });
            return true;
        }
        self.note(&mismatch.path().key(name), "required, but missing".to_owned());
        false
    }

    fn rename<T: DeserializeOwned>(
        &mut self,
        mismatch: &Mismatch,
        name: &str,
        valid: &[String],
    ) -> bool {
        let meant = nearest(name, valid).map(str::to_owned);
        let Some(other) = meant.clone().or(valid.first().cloned()) else { return false };
        let is_name = |place: &Path| match place.find(&self.tree) {
            Some(Value::String(text)) => text == name,
            Some(Value::Table(table)) => table.len() == 1 && table.contains_key(name),
            _ => false,
        };
        let places = mismatch.path().descend(&self.tree).into_iter().filter(is_name);
        let cures = |place: &Path| {
            let change = |tree: &mut Value| {
                place.put(tree, Value::String(other.clone()));
            };
            self.after::<T>(change).as_ref() != Some(mismatch)
        };
        let Some(place) = places.into_iter().find(cures) else {
            self.note(&mismatch.path(), format!("unknown name \"{name}\""));
            return false;
        };
        self.note(&place, format!("unknown name \"{name}\"; {}", suggestion(name, valid)));
        place.put(&mut self.tree, Value::String(other));
        // With a guess the rest of the table can be checked; without one it means nothing.
        self.muted.push(if meant.is_some() { place } else { place.parent() });
        true
    }

    fn replace<T: DeserializeOwned>(
        &mut self,
        mismatch: &Mismatch,
        found: &Found,
        expected: &str,
    ) -> bool {
        let same = |place: &Path| place.find(&self.tree).is_some_and(|v| &Found::of(v) == found);
        let places: Vec<Path> =
            mismatch.path().descend(&self.tree).into_iter().filter(same).collect();
        for place in places {
            if let Some(meant) = self.meant::<T>(mismatch, &place) {
                return place.put(&mut self.tree, meant);
            }
            let Some(stand_in) = self.stand_in::<T>(mismatch, &place) else { continue };
            let given = self.texts.contains_key(&place);
            self.note(&place, wrong_type(found, expected, given));
            place.put(&mut self.tree, stand_in.value);
            self.muted.push(place);
            return true;
        }
        self.note(&mismatch.path(), wrong_type(found, expected, false));
        false
    }

    /// The value that `--set` gave for `place`, read as what `mismatch` says is wanted.
    fn meant<T: DeserializeOwned>(&self, mismatch: &Mismatch, place: &Path) -> Option<Value> {
        let text = self.texts.get(place)?;
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let whole = number.and_then(whole).map(Value::Integer);
        let candidates = [Some(Value::String(text.clone())), number.map(Value::Float), whole];
        candidates.into_iter().flatten().find(|candidate| {
            let left = self.after::<T>(|tree| {
                place.put(tree, candidate.clone());
            });
            left.is_none_or(|left| left != *mismatch && !is_about(&left, candidate))
        })
    }

    /// A value that makes `mismatch` go away when put at `place`.
    fn stand_in<T: DeserializeOwned>(&self, mismatch: &Mismatch, place: &Path) -> Option<StandIn> {
        let mut names = Vec::new();
        let mut candidates = vec![
            // Values nobody writes, so that a complaint about them is recognised.
            Value::Integer(7919),
            Value::Float(0.791_9),
            Value::String("\u{1}stand-in".to_owned()),
            Value::Boolean(true),
            Value::Table(toml::Table::new()),
            Value::Array(Vec::new()),
        ];
        let mut at = 0;
        while at < candidates.len() {
            let candidate = candidates[at].clone();
            let result = self.after::<T>(|tree| {
                place.put(tree, candidate.clone());
            });
            match result {
                None => return Some(StandIn { value: candidate, names }),
                Some(new) => match &new.kind {
                    _ if &new == mismatch => {}
                    Kind::Other(_) => {}
                    Kind::WrongType { .. } if is_about(&new, &candidate) => {}
                    Kind::UnknownKey { name, .. } if place.0.last() == place.key(name).0.last() => {
                    }
                    Kind::UnknownName { name, valid } if candidate.as_str() == Some(name) => {
                        candidates.extend(valid.first().cloned().map(Value::String));
                        names.clone_from(valid);
                    }
                    _ => return Some(StandIn { value: candidate, names }),
                },
            }
            at += 1;
        }
        None
    }
}

/// A value to read on with, and the names that would have been valid if it stands for a name.
struct StandIn {
    value: Value,
    names: Vec<String>,
}

/// Whether `mismatch` complains about `candidate`.
fn is_about(mismatch: &Mismatch, candidate: &Value) -> bool {
    match &mismatch.kind {
        Kind::WrongType { found, .. } => *found == Found::of(candidate),
        Kind::UnknownName { name, .. } => candidate.as_str() == Some(name),
        _ => false,
    }
}

/// What was found and what is wanted; `given` by `--set`, where a shell has taken quotes away.
fn wrong_type(found: &Found, expected: &str, given: bool) -> String {
    let got = match found {
        Found::Bool(b) => format!("`{b}`"),
        Found::Integer(i) => format!("`{i}`"),
        Found::Float(x) => format!("`{x:?}`"),
        Found::Text(s) => format!("the text {s:?}"),
        Found::Array => "an array".to_owned(),
        Found::Table => "a table".to_owned(),
        Found::Other(what) => what.clone(),
    };
    let want = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "text in quotes".to_owned(),
        "a sequence" => "an array".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other if other.contains("tagged enum") => "a table with a `kind`".to_owned(),
        other => other.to_owned(),
    };
    let fix = match (found, expected) {
        (Found::Float(x), _) if want.starts_with("a whole") && x.fract().abs() < f64::EPSILON => {
            format!("; write {x:.0}")
        }
        (Found::Text(s), _) if is_beyond(s) && want.starts_with("a whole") => {
            format!(", at most {}", i64::MAX)
        }
        (Found::Text(s), _) if !given && is_number_or_switch(s) => {
            "; leave the quotes out".to_owned()
        }
        (
            Found::Integer(_) | Found::Float(_) | Found::Bool(_) | Found::Other(_),
            "a string" | "path string",
        ) => "; put it in quotes".to_owned(),
        _ => String::new(),
    };
    format!("is {got}, must be {want}{fix}")
}

/// A number without a fraction that f64 holds exactly.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn is_number_or_switch(text: &str) -> bool {
    text.parse::<f64>().is_ok() || text == "true" || text == "false"
}

/// Whether it is a whole number that TOML has no room for.
fn is_beyond(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
        && digits.parse::<i64>().is_err()
}
