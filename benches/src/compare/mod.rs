//! Our programs against peers: the same work, alternately, in one run, medians over rounds.
//!
//! Reading order: [`duel`] (who runs against whom, and which rows come of it), `list` (all of
//! them), [`program`] (one process and the JSON it prints), [`rounds`] (the alternation), [`row`]
//! (ratio and JSON), [`table`]. Not here: the work itself, which is [`crate::case`], and the
//! programs of the peers, which are Python files in `benches/peers`.

pub mod duel;
mod list;
pub mod peers;
pub mod program;
pub mod rounds;
pub mod row;
pub mod table;

pub use duel::{Duel, Measure, Side};
pub use list::{Settings, duels};
pub use program::{Program, ProgramError};
pub use row::{Outcome, Row, to_json};

/// Everything in `duels` whose rows contain one of `patterns`; all of it when there is none.
pub fn select(duels: Vec<Duel>, patterns: &[String]) -> Vec<Duel> {
    let wanted = |name: &str| patterns.iter().any(|pattern| name.contains(pattern.as_str()));
    if patterns.is_empty() {
        return duels;
    }
    let kept = duels.into_iter().map(|mut duel| {
        duel.measures.retain(|measure| wanted(&measure.name));
        duel
    });
    kept.filter(|duel| !duel.measures.is_empty()).collect()
}
