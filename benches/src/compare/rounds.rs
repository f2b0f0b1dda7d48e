//! Ours, peer, ours, peer: both sides see the same machine, whatever else runs on it.
//!
//! Where a peer has variants, all of them run in the first round; later rounds leave out those that
//! were slower than the fastest by more than a tenth, which cannot win any more.

use super::duel::{Duel, Measure, Side};
use super::program::{Program, ProgramError};
use super::row::{Figures, Outcome, Row};
use crate::case::Fields;
use crate::statistics::{median, spread};

/// A variant this much slower than the fastest in the first round is not run again.
const HOPELESS: f64 = 0.9;

/// Results of one side, round by round.
struct Samples<'a> {
    side: &'a Side,
    results: Vec<Fields>,
}

impl<'a> Samples<'a> {
    fn of(side: &'a Side) -> Self {
        Self { side, results: Vec::new() }
    }

    /// One figure of every round.
    fn figures(&self, measure: &Measure) -> Result<Vec<f64>, ProgramError> {
        let one = |fields: &Fields| measure.of(fields, &self.side.program);
        self.results.iter().map(one).collect()
    }

    fn median(&self, measure: &Measure) -> Result<f64, ProgramError> {
        Ok(median(&self.figures(measure)?).unwrap_or(f64::NAN))
    }

    /// Largest of a field over the rounds.
    fn largest(&self, field: &str) -> Option<f64> {
        let values = self.results.iter().filter_map(|fields| fields.get(field)?.as_f64());
        values.reduce(f64::max)
    }

    fn last(&self, field: &str) -> Option<f64> {
        self.results.last()?.get(field)?.as_f64()
    }
}

/// Runs `duel` for `rounds` rounds, starting programs through `run`. A failure fails its rows and
/// nothing else.
pub fn fight(
    duel: &Duel,
    rounds: usize,
    run: &mut dyn FnMut(&Program) -> Result<Fields, ProgramError>,
) -> Vec<Row> {
    let all = |outcome: Outcome| duel.measures.iter().map(move |it| Row::new(it, outcome.clone()));
    if let Some(reason) = &duel.skip {
        return all(Outcome::Skipped(reason.clone())).collect();
    }
    match alternate(duel, rounds, run) {
        Ok(rows) => rows,
        Err(reason) => all(Outcome::Failed(reason)).collect(),
    }
}

fn alternate(
    duel: &Duel,
    rounds: usize,
    run: &mut dyn FnMut(&Program) -> Result<Fields, ProgramError>,
) -> Result<Vec<Row>, String> {
    let mut ours = Samples::of(&duel.ours);
    let mut peers: Vec<Samples<'_>> = duel.peers.iter().map(Samples::of).collect();
    for round in 0..rounds.max(1) {
        let again = still_in(&peers, duel, round).map_err(|error| error.to_string())?;
        ours.results.push(run(&ours.side.program).map_err(|error| error.to_string())?);
        for peer in again {
            let found = run(&peers[peer].side.program).map_err(|error| error.to_string())?;
            peers[peer].results.push(found);
        }
        if round == 0 {
            same_work(duel, &ours, &peers)?;
        }
    }
    let rows = duel.measures.iter().map(|measure| row(measure, &ours, &peers));
    rows.collect::<Result<_, _>>().map_err(|error: ProgramError| error.to_string())
}

/// Numbers of the variants that run in `round`.
fn still_in(peers: &[Samples<'_>], duel: &Duel, round: usize) -> Result<Vec<usize>, ProgramError> {
    let all = 0..peers.len();
    let Some(measure) = duel.measures.first().filter(|_| round > 0) else {
        return Ok(all.collect());
    };
    let first =
        |peer: &Samples<'_>| Ok(peer.figures(measure)?.first().copied().unwrap_or(f64::NAN));
    let figures: Vec<f64> = peers.iter().map(first).collect::<Result<_, ProgramError>>()?;
    let best = best_of(measure, &figures).unwrap_or(0);
    let close = |&peer: &usize| measure.better.ratio(figures[peer], figures[best]) >= HOPELESS;
    Ok(all.filter(close).collect())
}

fn best_of(measure: &Measure, figures: &[f64]) -> Option<usize> {
    (0..figures.len()).reduce(
        |a, b| {
            if measure.better.at_least(figures[a], figures[b]) { a } else { b }
        },
    )
}

/// Refuses a comparison of different work.
fn same_work(duel: &Duel, ours: &Samples<'_>, peers: &[Samples<'_>]) -> Result<(), String> {
    for field in duel.same {
        for peer in peers {
            let (a, b) = (ours.last(field), peer.last(field));
            let equal = matches!((a, b), (Some(a), Some(b)) if (a - b).abs() < 0.5);
            if !equal {
                let name = &peer.side.name;
                return Err(format!("not the same work: `{field}` is {a:?} here, {b:?} of {name}"));
            }
        }
    }
    Ok(())
}

fn row(measure: &Measure, ours: &Samples<'_>, peers: &[Samples<'_>]) -> Result<Row, ProgramError> {
    let medians: Vec<f64> =
        peers.iter().map(|peer| peer.median(measure)).collect::<Result<_, _>>()?;
    let best = best_of(measure, &medians).unwrap_or(0);
    let (peer, our_figures) = (&peers[best], ours.figures(measure)?);
    let figures = Figures {
        ours: ours.median(measure)?,
        peer: medians[best],
        peer_variant: peer.side.name.clone(),
        ours_variant: ours.side.name.clone(),
        ours_spread: spread(&our_figures),
        peer_spread: spread(&peer.figures(measure)?),
        ours_peak_mb: ours.largest("peak_rss_mb"),
        peer_peak_mb: peer.largest("peak_rss_mb"),
        ours_loss: ours.last("loss"),
        peer_loss: peer.last("loss"),
        params: ours.last("params"),
        rounds: our_figures.len(),
    };
    Ok(Row::new(measure, Outcome::Measured(Box::new(figures))))
}

#[cfg(test)]
mod tests {
    use super::super::duel::Better;
    use super::*;

    fn side(name: &str) -> Side {
        Side { name: name.into(), program: Program { path: name.into(), ..Program::default() } }
    }

    fn duel(same: &'static [&'static str]) -> Duel {
        let measure =
            Measure { name: "row".into(), field: "rate", unit: "tokens/s", better: Better::Higher };
        Duel {
            measures: vec![measure],
            ours: side("ours"),
            peers: vec![side("eager"), side("compiled"), side("close")],
            same,
            skip: None,
        }
    }

    fn rate(value: f64) -> Fields {
        serde_json::from_value(serde_json::json!({
            "rate": value, "peak_rss_mb": value, "params": 7
        }))
        .unwrap()
    }

    #[test]
    fn sides_alternate_and_a_hopeless_variant_runs_once() {
        let mut order = Vec::new();
        let rows = fight(&duel(&["params"]), 3, &mut |program: &Program| {
            let name = program.path.display().to_string();
            let earlier = order.iter().filter(|it| **it == name).count() as f64;
            let value = match name.as_str() {
                "ours" => 30.0 + earlier,
                "eager" => 10.0,
                "compiled" => 20.0,
                // Slower in the first round, faster in the others.
                _ => 19.0 + 10.0 * earlier.min(1.0),
            };
            order.push(name);
            Ok(rate(value))
        });
        let want = "ours eager compiled close ours compiled close ours compiled close";
        assert_eq!(order.join(" "), want);
        let Outcome::Measured(figures) = &rows[0].outcome else { panic!("{rows:?}") };
        assert_eq!((figures.peer_variant.as_str(), figures.rounds), ("close", 3));
        assert!((figures.ours - 31.0).abs() < 1e-12 && (figures.peer - 29.0).abs() < 1e-12);
        assert!((rows[0].ratio().unwrap() - 31.0 / 29.0).abs() < 1e-12);
        assert_eq!(figures.ours_peak_mb, Some(32.0));
    }

    #[test]
    fn a_failing_peer_fails_its_rows_with_its_message() {
        let rows = fight(&duel(&[]), 2, &mut |program: &Program| {
            if program.path.ends_with("compiled") {
                let command = program.command_line();
                return Err(ProgramError::NoResult { command, said: "no compiler".into() });
            }
            Ok(rate(1.0))
        });
        let Outcome::Failed(reason) = &rows[0].outcome else { panic!("{rows:?}") };
        assert!(reason.contains("`compiled`") && reason.contains("no compiler"), "{reason}");
    }

    #[test]
    fn different_work_is_refused() {
        let rows = fight(&duel(&["edges"]), 1, &mut |_: &Program| Ok(rate(1.0)));
        let Outcome::Failed(reason) = &rows[0].outcome else { panic!("{rows:?}") };
        assert!(reason.contains("not the same work: `edges`"), "{reason}");
    }

    #[test]
    fn a_skipped_duel_starts_nothing_and_says_why() {
        let duel = Duel { skip: Some("no data".into()), ..duel(&[]) };
        let rows = fight(&duel, 1, &mut |_: &Program| panic!("nothing may start"));
        assert_eq!(rows[0].outcome, Outcome::Skipped("no data".into()));
    }
}
