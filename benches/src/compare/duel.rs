//! Who runs against whom, what is read from the results, and which way is better.

use super::program::{Program, ProgramError};
use crate::case::Fields;

/// Which way of a figure is faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    Higher,
    /// Times.
    Lower,
}

impl Better {
    /// How many times faster ours is: above 1 means ours is faster.
    pub fn ratio(self, ours: f64, peer: f64) -> f64 {
        match self {
            Self::Higher => ours / peer,
            Self::Lower => peer / ours,
        }
    }

    /// Whether `a` is faster than `b`, or as fast.
    pub fn at_least(self, a: f64, b: f64) -> bool {
        self.ratio(a, b) >= 1.0
    }
}

/// One row: a figure that both sides print under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Name of the row.
    pub name: String,
    /// Name of the figure in the results.
    pub field: &'static str,
    /// Unit of the figure.
    pub unit: &'static str,
    /// Which way is faster.
    pub better: Better,
}

impl Measure {
    /// The figure in `fields`.
    ///
    /// # Errors
    /// [`ProgramError::NoField`] naming the program that does not print it.
    pub fn of(&self, fields: &Fields, program: &Program) -> Result<f64, ProgramError> {
        let number = fields.get(self.field).and_then(serde_json::Value::as_f64);
        number.filter(|value| *value > 0.0).ok_or_else(|| ProgramError::NoField {
            command: program.command_line(),
            field: self.field.to_owned(),
        })
    }
}

/// A program and what it is called in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Such as `eager` or `matscipy`.
    pub name: String,
    /// What is started.
    pub program: Program,
}

/// Programs that do the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duel {
    /// Rows that come of one pair of runs.
    pub measures: Vec<Measure>,
    /// Ours.
    pub ours: Side,
    /// Variants of the peer; the fastest counts.
    pub peers: Vec<Side>,
    /// Figures that must be equal on both sides, or the work was not the same.
    pub same: &'static [&'static str],
    /// Why it cannot run here, such as data that are absent.
    pub skip: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_means_ours_is_faster_for_rates_and_for_times() {
        assert!((Better::Higher.ratio(300.0, 200.0) - 1.5).abs() < 1e-15);
        assert!((Better::Lower.ratio(20.0, 30.0) - 1.5).abs() < 1e-15);
        assert!(Better::Lower.at_least(1.0, 2.0) && !Better::Higher.at_least(1.0, 2.0));
    }

    #[test]
    fn a_missing_or_impossible_figure_is_an_error_that_names_it() {
        let measure =
            Measure { name: "row".into(), field: "step_ms", unit: "ms", better: Better::Lower };
        let fields = |text: &str| serde_json::from_str::<Fields>(text).unwrap();
        let program = Program::default();
        assert_eq!(measure.of(&fields("{\"step_ms\": 2.5}"), &program), Ok(2.5));
        for bad in ["{}", "{\"step_ms\": null}", "{\"step_ms\": 0}", "{\"step_ms\": \"2\"}"] {
            let error = measure.of(&fields(bad), &program).unwrap_err();
            assert!(error.to_string().contains("step_ms"), "{error}");
        }
    }
}
