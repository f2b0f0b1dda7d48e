//! Where a run starts, as the command line says it.

use std::path::{Path, PathBuf};

use genesis_train::checkpoint::naming;
use genesis_train::keys::{RunTable, remembered_start};
use genesis_train::trainer::{CHECKPOINTS_FOLDER, Resume, is_of_run};

use crate::exit::{Code, Failure};

/// Where a run is to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// At the beginning, which the run file may name.
    Beginning,
    /// Where it ended.
    End,
    /// After so many steps of its own.
    Step(u64),
    /// At a checkpoint.
    Checkpoint { path: PathBuf, weights_only: bool },
}

impl From {
    /// What `--from` means: a number is a step of the run, anything else a folder.
    pub(crate) fn named(path: &Path, weights_only: bool) -> Self {
        match path.to_str().and_then(|text| text.parse().ok()) {
            Some(step) if !weights_only => Self::Step(step),
            _ => Self::Checkpoint { path: path.to_path_buf(), weights_only },
        }
    }
}

/// Says in the table of the run where it begins, and whether it goes on.
pub(super) fn settle(run: &mut RunTable, from: &From) -> anyhow::Result<Resume> {
    Ok(match from {
        From::Beginning => Resume::No,
        From::End => {
            if run.from.is_none()
                && let Some((path, weights_only)) = remembered_start(&run.dir)?
            {
                (run.from, run.weights_only) = (Some(path), weights_only);
            }
            Resume::Auto
        }
        From::Step(step) => Resume::Path(of_step(&run.dir, *step)?),
        From::Checkpoint { path, weights_only } if !weights_only && is_of_run(path, &run.dir) => {
            Resume::Path(path.clone())
        }
        From::Checkpoint { path, weights_only } => {
            // As seen from anywhere: the plan is read from other places too.
            run.from = Some(path.canonicalize().unwrap_or_else(|_| path.clone()));
            run.weights_only = *weights_only;
            Resume::No
        }
    })
}

/// The checkpoint of a step of the run.
fn of_step(run_dir: &Path, step: u64) -> anyhow::Result<PathBuf> {
    let checkpoints = run_dir.join(CHECKPOINTS_FOLDER);
    let steps = naming::committed_steps(&checkpoints);
    if steps.contains(&step) {
        return Ok(naming::final_path(&checkpoints, step));
    }
    let there = match steps.as_slice() {
        [] => "there is none".to_owned(),
        steps => {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            format!("there are checkpoints of {}", steps.join(", "))
        }
    };
    let message = format!(
        "{}: no checkpoint of step {step}; {there} (a folder called {step} is written ./{step})",
        checkpoints.display()
    );
    Err(Failure::error(Code::Usage, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_step_and_anything_else_a_folder() {
        assert_eq!(From::named(Path::new("500"), false), From::Step(500));
        for (path, weights_only) in [("./500", false), ("500", true), ("runs/a", false)] {
            let folder = From::Checkpoint { path: PathBuf::from(path), weights_only };
            assert_eq!(From::named(Path::new(path), weights_only), folder);
        }
    }

    #[test]
    fn a_step_without_a_checkpoint_is_refused_with_those_that_have_one() {
        let run = tempfile::tempdir().unwrap();
        for step in [20, 300] {
            let folder = naming::final_path(&run.path().join(CHECKPOINTS_FOLDER), step);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("COMMITTED"), "").unwrap();
        }
        assert!(of_step(run.path(), 20).unwrap().ends_with("step-00000020"));
        let error = of_step(run.path(), 7).unwrap_err().to_string();
        assert!(error.contains("step 7") && error.contains("20, 300"), "{error}");
    }
}
