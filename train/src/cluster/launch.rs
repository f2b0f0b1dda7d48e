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
    /// Which of those on its host it is, from 0, where the launcher says.
    pub local_rank: Option<usize>,
    /// How many there are on its host, where the launcher says.
    pub local_world: Option<usize>,
}

/// Names that a launcher sets.
struct Names {
    launcher: &'static str,
    rank: &'static str,
    world: &'static str,
    /// Names of the rank and of the number of ranks on a host; several, as programs of one kind differ.
    local: &'static [(&'static str, &'static str)],
}

const fn names(
    launcher: &'static str,
    rank: &'static str,
    world: &'static str,
    local: &'static [(&'static str, &'static str)],
) -> Names {
    Names { launcher, rank, world, local }
}

/// Launchers that start ranks themselves.
const LAUNCHERS: [Names; 5] = [
    names(
        "Open MPI",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        &[("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE")],
    ),
    names(
        "PMI",
        "PMI_RANK",
        "PMI_SIZE",
        &[
            ("MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
            ("PMI_LOCAL_RANK", "PMI_LOCAL_SIZE"),
            ("MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),
        ],
    ),
    names(
        "PALS",
        "PALS_RANKID",
        "PALS_SIZE",
        &[("PALS_LOCAL_RANKID", "PALS_LOCAL_SIZE"), ("PMI_LOCAL_RANK", "PMI_LOCAL_SIZE")],
    ),
    names(
        "Flux",
        "FLUX_TASK_RANK",
        "FLUX_JOB_SIZE",
        &[("FLUX_TASK_LOCAL_ID", "FLUX_TASK_LOCAL_SIZE")],
    ),
    names("torchrun", "RANK", "WORLD_SIZE", &[("LOCAL_RANK", "LOCAL_WORLD_SIZE")]),
];

/// The scheduler; a batch script has its variables but no step.
const SLURM: Names =
    names("Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", &[("SLURM_LOCALID", "")]);
/// Tasks of each node of a step, such as `2(x3),1`, and which node this is.
const SLURM_TASKS: (&str, &str) = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_NODEID");

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
        let slurm = SLURM.read(lookup)?;
        let Some(launch) = found.map(|(launch, _)| launch).or_else(|| slurm.clone()) else {
            return Ok(None);
        };
        let is_of_slurm =
            slurm.is_some_and(|it| (it.rank, it.world) == (launch.rank, launch.world));
        Ok(Some(launch.placed(lookup, is_of_slurm)?))
    }

    /// Every variable that says to a process that it is a rank.
    pub fn variables() -> impl Iterator<Item = &'static str> {
        let of_each = LAUNCHERS.iter().chain([&SLURM]).flat_map(|names| {
            let local = names.local.iter().flat_map(|(rank, world)| [*rank, *world]);
            [names.rank, names.world].into_iter().chain(local)
        });
        of_each.chain(["TORCHELASTIC_USE_AGENT_STORE"]).filter(|name| !name.is_empty())
    }

    /// With what the environment says of its host. The words of Slurm count where nobody else says anything:
    /// inside of its steps they may be those of the daemons of `mpirun`.
    fn placed(mut self, lookup: Lookup<'_>, is_of_slurm: bool) -> Result<Self, ClusterError> {
        let pairs: Vec<_> = LAUNCHERS.iter().flat_map(|names| names.local).collect();
        self.local_rank = agreed(lookup, pairs.iter().map(|(rank, _)| *rank))?;
        self.local_world = agreed(lookup, pairs.iter().map(|(_, world)| *world))?;
        if self.local_rank.is_none() && is_of_slurm {
            self.local_rank = agreed(lookup, SLURM.local.iter().map(|(rank, _)| *rank))?;
            self.local_world = tasks_of_this_node(lookup)?;
        }
        match (self.local_rank, self.local_world) {
            (Some(rank), Some(world)) if rank >= world || world > self.world => {
                Err(ClusterError::Launch {
                    problem: format!(
                        "local rank {rank} of {world} on this host, of {} ranks in all",
                        self.world
                    ),
                    fix: "start the program with its launcher, or unset the variables of another"
                        .to_owned(),
                })
            }
            _ => Ok(self),
        }
    }
}

/// Which of `count` GPUs a process takes. Where launchers show each process its own alone, that is the one.
pub fn gpu_of_rank(count: usize, local_rank: Option<usize>) -> Result<usize, String> {
    match (count, local_rank) {
        (0, _) => Err("no GPU is visible to this process; each rank needs one".to_owned()),
        (1, _) => Ok(0),
        (count, Some(local)) if local < count => Ok(local),
        (count, Some(local)) => Err(format!(
            "this is rank {local} of its host, counted from 0, but only {count} GPUs are visible; start as many \
             ranks on a host as it has GPUs"
        )),
        (count, None) => Err(format!(
            "{count} GPUs are visible and the launcher does not say which rank of its host this is; set LOCAL_RANK, \
             or show each process one GPU with CUDA_VISIBLE_DEVICES"
        )),
    }
}

/// The number that all variables of these `names` that are set have.
fn agreed<'a>(
    lookup: Lookup<'_>,
    names: impl Iterator<Item = &'a str>,
) -> Result<Option<usize>, ClusterError> {
    let mut found: Option<(&str, usize)> = None;
    for name in names {
        let Some(text) = lookup(name) else { continue };
        let value = number(name, &text)?;
        match found {
            Some((before, other)) if other != value => {
                return Err(ClusterError::Launch {
                    problem: format!(
                        "launchers disagree about the ranks of this host: {before}={other} and {name}={value}"
                    ),
                    fix: "start ranks with one launcher, and unset the variables of the other"
                        .to_owned(),
                });
            }
            Some(_) => {}
            None => found = Some((name, value)),
        }
    }
    Ok(found.map(|(_, value)| value))
}

/// The number of tasks of this node in a step of Slurm.
fn tasks_of_this_node(lookup: Lookup<'_>) -> Result<Option<usize>, ClusterError> {
    let (tasks, node) = SLURM_TASKS;
    let (Some(text), Some(number_of_node)) = (lookup(tasks), lookup(node)) else { return Ok(None) };
    let mut left = number(node, &number_of_node)?;
    for part in text.split(',') {
        let (count, times) = match part.split_once("(x") {
            Some((count, times)) => (count, number(tasks, times.trim_end_matches(')'))?),
            None => (part, 1),
        };
        if left < times {
            return number(tasks, count).map(Some);
        }
        left -= times;
    }
    Err(ClusterError::Launch {
        problem: format!("{tasks}={text} has no node {number_of_node} ({node})"),
        fix: "start the program with `srun`".to_owned(),
    })
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
        let launcher = self.launcher;
        Ok(Some(Launch { launcher, rank, world, local_rank: None, local_world: None }))
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
    fn a_rank_takes_the_gpu_of_its_number_or_the_only_one_that_it_sees() {
        assert_eq!(gpu_of_rank(4, Some(3)), Ok(3));
        assert_eq!(gpu_of_rank(1, Some(3)), Ok(0), "CUDA_VISIBLE_DEVICES shows each its own");
        assert_eq!(gpu_of_rank(1, None), Ok(0));
        for (count, local, part) in
            [(0, Some(0), "no GPU"), (2, Some(2), "only 2 GPUs"), (2, None, "set LOCAL_RANK")]
        {
            assert!(gpu_of_rank(count, local).unwrap_err().contains(part));
        }
    }

    fn local(set: &[(&str, &str)]) -> Result<(Option<usize>, Option<usize>), String> {
        let lookup = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let found = Launch::of(&lookup).map_err(|error| error.to_string())?.expect("launched");
        Ok((found.local_rank, found.local_world))
    }

    #[test]
    fn every_launcher_says_which_rank_of_its_host_this_is() {
        let open_mpi = [("OMPI_COMM_WORLD_RANK", "5"), ("OMPI_COMM_WORLD_SIZE", "8")];
        let pmi = [("PMI_RANK", "5"), ("PMI_SIZE", "8")];
        let slurm = [("SLURM_PROCID", "5"), ("SLURM_STEP_NUM_TASKS", "8")];
        let torchrun = [("RANK", "5"), ("WORLD_SIZE", "8")];
        let flux = [("FLUX_TASK_RANK", "5"), ("FLUX_JOB_SIZE", "8")];
        let pals = [("PALS_RANKID", "5"), ("PALS_SIZE", "8")];
        for (set, more, want) in [
            (open_mpi, vec![("OMPI_COMM_WORLD_LOCAL_RANK", "1")], (Some(1), None)),
            (pmi, vec![("MPI_LOCALRANKID", "1"), ("MPI_LOCALNRANKS", "4")], (Some(1), Some(4))),
            (pmi, vec![("PMI_LOCAL_RANK", "1"), ("PMI_LOCAL_SIZE", "4")], (Some(1), Some(4))),
            (torchrun, vec![("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "4")], (Some(1), Some(4))),
            (flux, vec![("FLUX_TASK_LOCAL_ID", "1")], (Some(1), None)),
            (pals, vec![("PALS_LOCAL_RANKID", "1"), ("PMI_LOCAL_RANK", "1")], (Some(1), None)),
            (slurm, vec![("SLURM_LOCALID", "1")], (Some(1), None)),
            (torchrun, vec![], (None, None)),
        ] {
            assert_eq!(local(&[&set[..], &more].concat()), Ok(want), "{set:?} {more:?}");
        }
        let nodes = ("SLURM_STEP_TASKS_PER_NODE", "2(x3),4");
        let tasks = |node| [("SLURM_LOCALID", "1"), nodes, ("SLURM_NODEID", node)];
        for (node, want) in [("0", 2), ("2", 2), ("3", 4)] {
            let set = [&slurm[..], &tasks(node)].concat();
            assert_eq!(local(&set), Ok((Some(1), Some(want))));
        }
        assert!(local(&[&slurm[..], &tasks("4")].concat()).unwrap_err().contains("no node 4"));
        // The step of `srun` is that of the daemons of `mpirun`, by chance as large.
        let daemon = [("SLURM_LOCALID", "0"), ("OMPI_COMM_WORLD_LOCAL_RANK", "3")];
        assert_eq!(local(&[&slurm[..], &open_mpi, &daemon].concat()), Ok((Some(3), None)));
    }

    #[test]
    fn local_ranks_that_disagree_are_named_with_both_values() {
        let set = [
            ("OMPI_COMM_WORLD_RANK", "1"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
        ];
        let error = local(&[&set[..], &[("LOCAL_RANK", "0")]].concat()).unwrap_err();
        let parts = ["OMPI_COMM_WORLD_LOCAL_RANK=1", "LOCAL_RANK=0", "unset"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        let error = local(&[&set[..], &[("LOCAL_WORLD_SIZE", "1")]].concat()).unwrap_err();
        assert!(error.contains("local rank 1 of 1"), "{error}");
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
