//! Figures: the numbers that a family of models states, measures and has shown.
//!
//! A family describes each of its figures once as a [`Figure`]. Events, TensorBoard, console and
//! page show whatever is described, each figure by its [`Role`], and know no family.

use std::borrow::Cow;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::number::grouped;
use super::section::Section;

/// A number of a run, described once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Its name in `events.jsonl`.
    pub key: &'static str,
    /// What people call it; of rates and counts, what is counted.
    pub label: &'static str,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it tells.
    pub role: Role,
    /// How it reads in a line of the console. A figure without stands in the events, and in
    /// TensorBoard, but not on the page.
    pub brief: Option<Brief>,
}

/// What a figure tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Items of a step over its wall time; more is better. The first of a family is its throughput.
    Rate,
    /// Items since step 0.
    Seen,
    /// How good the model is.
    Quality(Better),
    /// Items that an evaluation measured on.
    MeasuredOn,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Errors, losses.
    Lower,
    /// Scores.
    Higher,
}

/// A figure in a line of the console: `name number unit`, empty parts left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// Short name.
    pub name: &'static str,
    /// How the number is written.
    pub digits: Digits,
    /// Short unit.
    pub unit: &'static str,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// Its whole part, with separators.
    Whole,
    /// So many decimals.
    Decimals(usize),
}

/// What a family of models declares to the report.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// What training lowers.
    pub loss: Figure,
    /// Its figures in the order in which the page shows them.
    pub figures: &'static [&'static Figure],
    /// What a split of a dataset card counts: its key, and what people call it.
    pub counts: &'static [(&'static str, &'static str)],
    /// What the folder of a run has to show beside its events.
    pub sections: fn(&Path) -> Vec<Section>,
}

impl Better {
    /// The best of `items` by `value`; of equal ones the first.
    pub fn best<T>(
        self,
        items: impl IntoIterator<Item = T>,
        value: impl Fn(&T) -> f64,
    ) -> Option<T> {
        items.into_iter().min_by(|a, b| {
            let rising = value(a).total_cmp(&value(b));
            if self == Self::Lower { rising } else { rising.reverse() }
        })
    }
}

impl Figure {
    /// Label and unit: `energy RMSE, meV/atom`.
    pub fn heading(&self) -> String {
        if self.unit.is_empty() {
            self.label.to_owned()
        } else {
            format!("{}, {}", self.label, self.unit)
        }
    }

    /// Its tag in TensorBoard, which does not show counts.
    fn tag(&self) -> Option<Cow<'static, str>> {
        let key = self.key;
        match self.role {
            Role::Rate => Some(format!("throughput/{key}").into()),
            Role::Quality(_) => {
                Some(format!("validation/{}", key.strip_prefix("val_").unwrap_or(key)).into())
            }
            Role::Seen | Role::MeasuredOn => None,
        }
    }
}

impl Brief {
    /// The number alone.
    pub fn number(&self, value: f64) -> String {
        match self.digits {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates"
            )]
            Digits::Whole => grouped(value as u64),
            Digits::Decimals(decimals) => format!("{value:.decimals$}"),
        }
    }

    /// Name, number and unit.
    pub fn text(&self, value: f64) -> String {
        format!("{} {} {}", self.name, self.number(value), self.unit).trim().to_owned()
    }
}

impl Declaration {
    /// The rate that stands for the speed of a run.
    pub fn throughput(&self) -> Option<&'static Figure> {
        self.figures.iter().find(|figure| figure.role == Role::Rate).copied()
    }
}

/// The value of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Amount {
    /// A count, exact.
    Count(u64),
    /// A measured number.
    Real(f64),
}

impl Amount {
    /// As a number for charts.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Real(value) => value,
        }
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for Amount {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// Figures with their values, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures(Vec<(&'static Figure, Amount)>);

impl Figures {
    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, figure: &'static Figure, value: impl Into<Amount>) -> Self {
        self.0.push((figure, value.into()));
        self
    }

    /// Adds a figure where it is known.
    #[must_use]
    pub fn with_known(self, figure: &'static Figure, value: Option<impl Into<Amount>>) -> Self {
        match value {
            Some(value) => self.with(figure, value),
            None => self,
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Figure, Amount)> {
        self.0.iter().copied()
    }

    /// The value of one.
    pub fn get(&self, figure: &Figure) -> Option<f64> {
        self.iter().find(|(it, _)| it.key == figure.key).map(|(_, amount)| amount.as_f64())
    }

    /// What TensorBoard shows: tags and values.
    pub(super) fn scalars(&self) -> impl Iterator<Item = (Cow<'static, str>, f64)> {
        self.iter().filter_map(|(figure, amount)| Some((figure.tag()?, amount.as_f64())))
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(figure, amount)| (figure.key, amount)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_lowest_error_and_the_highest_score() {
        let values = [2.0, 1.0, 3.0, f64::NAN];
        assert_eq!(Better::Lower.best(values, |value| *value), Some(1.0));
        assert_eq!(Better::Higher.best([2.0, 3.0, 1.0], |value| *value), Some(3.0));
    }

    #[test]
    fn empty_parts_of_a_brief_leave_no_gaps() {
        let brief = |name, digits, unit| Brief { name, digits, unit };
        assert_eq!(brief("E", Digits::Decimals(2), "meV").text(1.239), "E 1.24 meV");
        assert_eq!(brief("", Digits::Decimals(3), "bits/byte").text(2.0), "2.000 bits/byte");
        assert_eq!(brief("perplexity", Digits::Decimals(1), "").text(2.0), "perplexity 2.0");
        assert_eq!(brief("", Digits::Whole, "tok/s").text(12_345.9), "12,345 tok/s");
    }
}
