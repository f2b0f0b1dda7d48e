//! What a launcher says in the environment: how many processes it started, and which one this is.
//!
//! Every launcher has names of its own. The innermost one counts: inside of a job of Slurm, `mpirun` starts the
//! ranks, and the variables of Slurm are those of its daemons. Two that started ranks and disagree are an error.

use super::error::ClusterError;

/// A variable of the environment by its name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which of how many processes this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Who started it, such as `Open MPI`.
    pub launcher: &'static str,
    /// This process, from 0.
    pub rank: usize,
    /// How many there are.
    pub world: usize,
}

/// Names of rank and world that a launcher sets.
struct Names {
    launcher: &'static str,
    rank: &'static str,
    world: &'static str,
}

const fn names(launcher: &'static str, rank: &'static str, world: &'static str) -> Names {
    Names { launcher, rank, world }
}

/// Launchers that start ranks themselves.
const LAUNCHERS: [Names; 5] = [
    names("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    names("PMI", "PMI_RANK", "PMI_SIZE"),
    names("PALS", "PALS_RANKID", "PALS_SIZE"),
    names("Flux", "FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    names("torchrun", "RANK", "WORLD_SIZE"),
];

/// The scheduler; a batch script has its variables but no step.
const SLURM: Names = names("Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");

impl Launch {
    /// What the environment says; `None` for a process that nobody launched as a rank.
    ///
    /// # Errors
    /// A number that is none, a rank beyond its world, launchers that disagree.
    pub fn of(lookup: Lookup<'_>) -> Result<Option<Self>, ClusterError> {
        let mut found: Option<(Self, &Names)> = None;
        for names in &LAUNCHERS {
            let Some(launch) = names.read(lookup)? else { continue };
            match &found {
                Some((before, by))
                    if (before.rank, before.world) != (launch.rank, launch.world) =>
                {
                    return Err(disagree((before, by), (&launch, names)));
                }
                Some(_) => {}
                None => found = Some((launch, names)),
            }
        }
        match found {
            Some((launch, _)) => Ok(Some(launch)),
            None => SLURM.read(lookup),
        }
    }
}

impl Names {
    fn read(&self, lookup: Lookup<'_>) -> Result<Option<Launch>, ClusterError> {
        let (Some(rank), Some(world)) = (lookup(self.rank), lookup(self.world)) else {
            return Ok(None);
        };
        let (rank, world) = (number(self.rank, &rank)?, number(self.world, &world)?);
        if rank >= world {
            return Err(ClusterError::Launch {
                problem: format!(
                    "{}={rank} of {}={world}: ranks count from 0 to {}",
                    self.rank,
                    self.world,
                    world.saturating_sub(1)
                ),
                fix: "start the program with its launcher, or unset both".to_owned(),
            });
        }
        Ok(Some(Launch { launcher: self.launcher, rank, world }))
    }
}

fn number(name: &str, text: &str) -> Result<usize, ClusterError> {
    text.trim().parse().map_err(|_| ClusterError::Launch {
        problem: format!("{name}={text:?} is no number"),
        fix: format!("unset {name}, or start the program with its launcher"),
    })
}

fn disagree(a: (&Launch, &Names), b: (&Launch, &Names)) -> ClusterError {
    let said = |(launch, names): (&Launch, &Names)| {
        format!(
            "{} ({}={}, {}={})",
            names.launcher, names.rank, launch.rank, names.world, launch.world
        )
    };
    ClusterError::Launch {
        problem: format!("launchers disagree about this process: {} and {}", said(a), said(b)),
        fix: "start ranks with one launcher, and unset the variables of the other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Option<(&'static str, usize, usize)>, String> {
        let lookup = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = Launch::of(&lookup).map_err(|error| error.to_string())?;
        Ok(found.map(|it| (it.launcher, it.rank, it.world)))
    }

    #[test]
    fn every_launcher_is_known_by_its_names() {
        for (set, want) in [
            ([("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4")], "Open MPI"),
            ([("PMI_RANK", "1"), ("PMI_SIZE", "4")], "PMI"),
            ([("PALS_RANKID", "1"), ("PALS_SIZE", "4")], "PALS"),
            ([("FLUX_TASK_RANK", "1"), ("FLUX_JOB_SIZE", "4")], "Flux"),
            ([("RANK", "1"), ("WORLD_SIZE", "4")], "torchrun"),
            ([("SLURM_PROCID", "1"), ("SLURM_STEP_NUM_TASKS", "4")], "Slurm"),
        ] {
            assert_eq!(of(&set), Ok(Some((want, 1, 4))));
        }
        assert_eq!(of(&[]), Ok(None));
    }

    #[test]
    fn a_batch_script_of_slurm_is_one_process_whatever_its_job_holds() {
        assert_eq!(of(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "8")]), Ok(None));
    }

    #[test]
    fn ranks_of_mpirun_inside_of_slurm_are_those_of_mpirun() {
        let set = [
            ("SLURM_PROCID", "1"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("OMPI_COMM_WORLD_RANK", "5"),
            ("OMPI_COMM_WORLD_SIZE", "8"),
        ];
        assert_eq!(of(&set), Ok(Some(("Open MPI", 5, 8))));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_with_the_values_and_the_way_out() {
        for (set, parts) in [
            (vec![("RANK", "4"), ("WORLD_SIZE", "4")], ["RANK=4", "from 0 to 3"]),
            (vec![("RANK", "one"), ("WORLD_SIZE", "4")], ["RANK=\"one\"", "unset RANK"]),
            (vec![("PMI_RANK", "0"), ("PMI_SIZE", "0")], ["PMI_SIZE=0", "unset both"]),
            (
                vec![
                    ("RANK", "0"),
                    ("WORLD_SIZE", "8"),
                    ("OMPI_COMM_WORLD_RANK", "0"),
                    ("OMPI_COMM_WORLD_SIZE", "4"),
                ],
                ["OMPI_COMM_WORLD_SIZE=4", "WORLD_SIZE=8"],
            ),
        ] {
            let error = of(&set).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        let agreeing = [
            ("RANK", "0"),
            ("WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_RANK", "0"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
        ];
        assert_eq!(of(&agreeing), Ok(Some(("Open MPI", 0, 4))));
    }
}
