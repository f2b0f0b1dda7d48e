//! Steps that could not be trusted, as the page of a run shows them.

use std::fs;
use std::path::Path;

use super::log::FAULTS_FILE;
use super::number::grouped;
use super::record::FaultRecord;
use super::section::Section;

/// Steps that are shown; a run with more of them has `faults.jsonl` for the rest.
const SHOWN: usize = 50;

/// The table of `run_dir`, where there was one.
pub(super) fn section(run_dir: &Path) -> Option<Section> {
    let text = fs::read_to_string(run_dir.join(FAULTS_FILE)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let all: Vec<FaultRecord> = lines.collect();
    if all.is_empty() {
        return None;
    }
    let first = all.len().saturating_sub(SHOWN);
    let left_out = if first == 0 { String::new() } else { format!(", {first} earlier ones too") };
    Some(Section::Table {
        title: "Steps that could not be trusted".to_owned(),
        columns: ["step", "why", "once more", "then the run", "where"].map(str::to_owned).to_vec(),
        rows: all[first..].iter().map(row).collect(),
        note: format!("{FAULTS_FILE} has their samples and gradients{left_out}."),
    })
}

fn row(fault: &FaultRecord) -> Vec<String> {
    let FaultRecord { step, cause, loss, grad_norm, again_loss, again_grad_norm, .. } = fault;
    let why = if cause == "not finite" {
        format!("loss {loss}, gradient norm {grad_norm}")
    } else {
        cause.clone()
    };
    let again = format!("loss {again_loss}, gradient norm {again_grad_norm}");
    let kept = fault.capsule.as_ref().map(|it| format!("; genesis replay {}", it.display()));
    let decision = format!("{}{}", fault.decision, kept.unwrap_or_default());
    let ranks = if fault.ranks.is_empty() { "all ranks".into() } else { fault.ranks.join(", ") };
    vec![grouped(*step), why, again, decision, ranks]
}

#[cfg(test)]
mod tests {
    use super::super::events::JsonLines;
    use super::*;

    #[test]
    fn a_run_without_faults_shows_none_and_of_many_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(section(dir.path()), None);
        let mut file = JsonLines::open(&dir.path().join(FAULTS_FILE)).unwrap();
        for step in 1..=60 {
            let fault = FaultRecord {
                step,
                cause: "not finite".to_owned(),
                loss: "NaN".to_owned(),
                grad_norm: "inf".to_owned(),
                again_loss: "2.5".to_owned(),
                again_grad_norm: "1".to_owned(),
                gradients: Vec::new(),
                ranks: vec!["rank 3 on n2".to_owned()],
                samples: vec![7],
                decision: "went on: it did not come again".to_owned(),
                capsule: Some("runs/a/faults/step-00000000".into()),
            };
            file.append(&fault).unwrap();
        }
        let Some(Section::Table { rows, note, .. }) = section(dir.path()) else { unreachable!() };
        assert_eq!((rows.len(), rows[0][0].as_str()), (SHOWN, "11"));
        assert_eq!(rows[49][4], "rank 3 on n2");
        assert!(rows[49][3].ends_with("genesis replay runs/a/faults/step-00000000"), "{rows:?}");
        assert!(note.contains("10 earlier"), "{note}");
    }
}
