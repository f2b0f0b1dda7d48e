//! A row of the comparison, and its JSON.

use serde_json::{Map, Value, json};

use super::duel::{Better, Measure};

/// What came of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Both sides ran.
    Measured(Box<Figures>),
    /// A program failed, with what it said.
    Failed(String),
    /// It cannot run here, and why.
    Skipped(String),
}

/// Medians over the rounds and what was seen besides.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "pairs whose names say it; spreads are relative to the median")]
pub struct Figures {
    pub ours: f64,
    pub peer: f64,
    pub ours_variant: String,
    pub peer_variant: String,
    pub ours_spread: Option<f64>,
    pub peer_spread: Option<f64>,
    /// MiB, the largest of any round.
    pub ours_peak_mb: Option<f64>,
    /// MiB, the largest of any round.
    pub peer_peak_mb: Option<f64>,
    pub ours_loss: Option<f64>,
    pub peer_loss: Option<f64>,
    /// Parameters of the network, where there is one.
    pub params: Option<f64>,
    pub rounds: usize,
}

/// A named comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name, such as `transformer_f32_w384_t256_causal`.
    pub name: String,
    /// Unit of both figures.
    pub unit: &'static str,
    /// Which way is faster.
    pub better: Better,
    /// What came of it.
    pub outcome: Outcome,
}

impl Row {
    /// The row of `measure`.
    pub fn new(measure: &Measure, outcome: Outcome) -> Self {
        Self { name: measure.name.clone(), unit: measure.unit, better: measure.better, outcome }
    }

    /// How many times faster ours is; `None` unless measured.
    pub fn ratio(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(figures) => Some(self.better.ratio(figures.ours, figures.peer)),
            _ => None,
        }
    }

    /// The row as an object: `ours`, `peer` and `ratio` are null unless it was measured.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("name", json!(self.name));
        let (status, figures, reason) = match &self.outcome {
            Outcome::Measured(figures) => ("measured", Some(figures), None),
            Outcome::Failed(reason) => ("failed", None, Some(reason)),
            Outcome::Skipped(reason) => ("skipped", None, Some(reason)),
        };
        put("ours", json!(figures.map(|it| it.ours)));
        put("peer", json!(figures.map(|it| it.peer)));
        put("ratio", json!(self.ratio()));
        put("unit", json!(self.unit));
        put("better", json!(if self.better == Better::Higher { "higher" } else { "lower" }));
        put("status", json!(status));
        if let Some(figures) = figures {
            put("ours_variant", json!(figures.ours_variant));
            put("peer_variant", json!(figures.peer_variant));
            put("rounds", json!(figures.rounds));
            put("ours_spread", json!(figures.ours_spread));
            put("peer_spread", json!(figures.peer_spread));
            put("ours_peak_mb", json!(figures.ours_peak_mb));
            put("peer_peak_mb", json!(figures.peer_peak_mb));
            put("ours_loss", json!(figures.ours_loss));
            put("peer_loss", json!(figures.peer_loss));
            put("params", json!(figures.params));
        }
        if let Some(reason) = reason {
            put("reason", json!(reason));
        }
        Value::Object(object)
    }
}

/// All rows as one object without line breaks.
pub fn to_json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    json!({ "rows": rows }).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn measured(name: &str, better: Better, ours: f64, peer: f64) -> Row {
        let figures = Figures {
            ours,
            peer,
            ours_variant: "genesis".into(),
            peer_variant: "eager".into(),
            ours_spread: Some(0.02),
            peer_spread: None,
            ours_peak_mb: Some(300.0),
            peer_peak_mb: Some(700.0),
            ours_loss: Some(4.2),
            peer_loss: Some(4.3),
            params: Some(820_608.0),
            rounds: 3,
        };
        let unit = if better == Better::Higher { "tokens/s" } else { "ms" };
        Row { name: name.into(), unit, better, outcome: Outcome::Measured(Box::new(figures)) }
    }

    #[test]
    fn rows_are_one_line_of_json_with_name_ours_peer_and_ratio() {
        let failed = Row {
            outcome: Outcome::Failed("line 1\nline 2".into()),
            ..measured("mace_train_f32_32x0e", Better::Lower, 1.0, 1.0)
        };
        let rows = [measured("transformer_f32", Better::Higher, 3000.0, 2000.0), failed];
        let text = to_json(&rows);
        assert_eq!(text.lines().count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        let (first, second) = (&value["rows"][0], &value["rows"][1]);
        assert_eq!(first["name"], "transformer_f32");
        assert_eq!((&first["ours"], &first["peer"]), (&json!(3000.0), &json!(2000.0)));
        assert_eq!((&first["ratio"], &first["status"]), (&json!(1.5), &json!("measured")));
        assert_eq!((&first["unit"], &first["peer_peak_mb"]), (&json!("tokens/s"), &json!(700.0)));
        assert_eq!((&second["ratio"], &second["status"]), (&Value::Null, &json!("failed")));
        assert_eq!(second["reason"], "line 1\nline 2");
    }
}
