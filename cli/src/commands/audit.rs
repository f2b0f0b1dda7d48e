//! `genesis audit`: whether two runs got the same samples.

use std::path::PathBuf;

use genesis_train::report::audit::{Compared, compare_audits, shown};

use crate::console;
use crate::exit::{Code, Failure, OrExit};

/// Compare the samples that two runs got, step by step.
///
/// Both need `report.audit = true` in their run file. The number of ranks does not matter. Exit code 8 when a step
/// differs; it is shown with the samples of both.
///
/// Example: genesis audit runs/straight runs/resumed
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder
    first: PathBuf,
    /// Run folder to compare it with
    second: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Samples of a step that are shown of each run.
const SHOWN: usize = 16;

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let found = compare_audits(&args.first, &args.second).or_exit(Code::Data)?;
    if args.json {
        console::result(serde_json::to_string(&found)?);
    }
    match found {
        Compared::Equal { steps, samples } => {
            if !args.json {
                let (steps, samples) = (console::count(steps), console::count(samples));
                console::result(format!("equal: {steps} steps, {samples} samples"));
            }
            Ok(Code::Done)
        }
        Compared::Differ { step, first, second } => {
            let both = [(&args.first, first), (&args.second, second)];
            for (run, samples) in both.iter().filter(|_| !args.json) {
                console::result(format!("step {step} of {}:", run.display()));
                let lines = if samples.is_empty() {
                    vec!["no samples".to_owned()]
                } else {
                    shown(samples, SHOWN)
                };
                for line in lines {
                    console::result(format!("  {line}"));
                }
            }
            let message = format!(
                "the runs got the same samples up to step {}, not in step {step}",
                step - 1
            );
            Err(Failure::error(Code::Differs, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use genesis_train::report::audit::{AuditFile, Delivered};

    use super::*;
    use crate::exit::code_of;

    #[test]
    fn equal_runs_end_with_zero_other_ones_with_eight_and_none_with_bad_data() {
        let folder = tempfile::tempdir().unwrap();
        let run_of = |name: &str, index: u64| {
            let dir = folder.path().join(name);
            let content = Delivered::content_of(b"tokens");
            let sample =
                Delivered { position: 0, source: "a".to_owned(), epoch: 0, index, content };
            AuditFile::open(&dir, 0).unwrap().append(1, vec![sample]).unwrap();
            dir
        };
        let (a, b, c) = (run_of("a", 1), run_of("b", 1), run_of("c", 2));
        let compared = |first: &PathBuf, second: &PathBuf| {
            run(&Args { first: first.clone(), second: second.clone(), json: true })
        };
        assert_eq!(compared(&a, &b).unwrap(), Code::Done);
        assert_eq!(code_of(&compared(&a, &c).unwrap_err()), Code::Differs);
        let none = folder.path().join("none");
        assert_eq!(code_of(&compared(&a, &none).unwrap_err()), Code::Data);
    }
}
