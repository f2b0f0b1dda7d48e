//! Where rank 0 is found: what a launcher says, or what follows from the job.

use super::super::error::ClusterError;
use super::super::host_list::hosts;
use super::super::launch::{Launch, Lookup};

/// Ports that follow from the number of a job: above those of services, below those that systems give out.
const PORTS: std::ops::Range<u64> = 15_000..25_000;

/// Where rank 0 listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether all ranks are on one host.
    pub is_one_host: bool,
    /// Where this comes from, such as `MASTER_ADDR`.
    pub from: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = &self.host;
        if host.contains(':') {
            return write!(f, "[{host}]:{}", self.port);
        }
        write!(f, "{host}:{}", self.port)
    }
}

impl Place {
    /// What the environment of `launch` says: `MASTER_ADDR` and `MASTER_PORT`, or the first host of a step of
    /// Slurm and a port of its job.
    ///
    /// # Errors
    /// Neither is there, or it makes no sense: a host list that cannot be read, `localhost` for several hosts.
    pub fn of(launch: &Launch, lookup: Lookup<'_>) -> Result<Self, ClusterError> {
        let is_one_host = is_one_host(launch, lookup);
        let port = port(lookup)?;
        // Inside of a step, `mpirun` starts ranks elsewhere than where its daemons are.
        let is_of_slurm = ["Slurm", "PMI"].contains(&launch.launcher)
            && lookup("SLURM_PROCID").is_some_and(|it| it.trim() == launch.rank.to_string());
        let of_step = |name: &str| lookup(name).filter(|_| is_of_slurm);
        let step = ["SLURM_STEP_NODELIST", "SLURM_STEP_ID", "SLURM_JOB_ID"].map(of_step);
        let (host, port, from) = match (lookup("MASTER_ADDR"), port, step) {
            (Some(host), Some(port), _) => (host, port, "MASTER_ADDR and MASTER_PORT"),
            (Some(host), None, [_, step, Some(job)]) => {
                let step = step.unwrap_or_default();
                (host, port_of_job(&job, &step), "MASTER_ADDR and the number of the job")
            }
            (None, port, [Some(list), step, Some(job)]) => {
                let host = first_host(&list, lookup)?;
                let port = port.unwrap_or_else(|| port_of_job(&job, &step.unwrap_or_default()));
                (host, port, "SLURM_STEP_NODELIST and the number of the job")
            }
            (None, Some(port), _) if is_one_host => {
                ("127.0.0.1".to_owned(), port, "MASTER_PORT; all ranks are on one host")
            }
            _ => {
                return Err(launch_error(
                    format!("{} does not say where rank 0 is", launch.launcher),
                    "set MASTER_ADDR to its host and MASTER_PORT to a free port there, for all ranks",
                ));
            }
        };
        let place = Self { host: host.trim().to_owned(), port, is_one_host, from: from.to_owned() };
        place.checked(launch)
    }

    /// Refuses the loopback as the place of several hosts: each would wait for itself.
    fn checked(self, launch: &Launch) -> Result<Self, ClusterError> {
        let is_elsewhere = launch.local_world.is_some_and(|here| here < launch.world);
        if self.is_loopback() && is_elsewhere {
            return Err(launch_error(
                format!(
                    "rank 0 is said to be at {self} ({}), but {} of the {} ranks are on this host",
                    self.from,
                    launch.local_world.unwrap_or(0),
                    launch.world
                ),
                "set MASTER_ADDR to the name of its host as the others know it",
            ));
        }
        Ok(self)
    }

    /// Whether only processes of one host reach it.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host == "::1" || self.host.starts_with("127.")
    }
}

fn launch_error(problem: String, fix: &str) -> ClusterError {
    ClusterError::Launch { problem, fix: fix.to_owned() }
}

fn is_one_host(launch: &Launch, lookup: Lookup<'_>) -> bool {
    let nodes = lookup("SLURM_STEP_NUM_NODES").or_else(|| lookup("GROUP_WORLD_SIZE"));
    launch.local_world == Some(launch.world) || nodes.is_some_and(|nodes| nodes.trim() == "1")
}

/// `MASTER_PORT`; the next one where an agent of torchrun listens there itself.
fn port(lookup: Lookup<'_>) -> Result<Option<u16>, ClusterError> {
    let Some(text) = lookup("MASTER_PORT") else { return Ok(None) };
    let is_taken = lookup("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|it| it == "True");
    let port = text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let port = port.and_then(|port| port.checked_add(u16::from(is_taken)));
    port.map(Some).ok_or_else(|| {
        launch_error(
            format!("MASTER_PORT={text:?} is no port"),
            "set it to a number from 1 to 65534",
        )
    })
}

/// Steps of one job, and jobs in a row, have ports of their own.
fn port_of_job(job: &str, step: &str) -> u16 {
    let number = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap_or(0)
    };
    let mixed = number(job).wrapping_add(number(step).wrapping_mul(127));
    let port = PORTS.start + mixed % (PORTS.end - PORTS.start);
    u16::try_from(port).unwrap_or(u16::MAX)
}

/// The host of rank 0 in a step.
fn first_host(list: &str, lookup: Lookup<'_>) -> Result<String, ClusterError> {
    let fix = "set MASTER_ADDR to the host of rank 0 and MASTER_PORT to a free port there";
    let all = hosts(list).map_err(|it| launch_error(format!("SLURM_STEP_NODELIST: {it}"), fix))?;
    let said = lookup("SLURM_STEP_NUM_NODES").and_then(|it| it.trim().parse::<usize>().ok());
    if let Some(said) = said.filter(|said| *said != all.len()) {
        let problem = format!(
            "SLURM_STEP_NODELIST={list} has {} hosts, but SLURM_STEP_NUM_NODES={said}",
            all.len()
        );
        return Err(launch_error(problem, fix));
    }
    if lookup("SLURM_DISTRIBUTION").is_some_and(|it| it.starts_with("arbitrary")) {
        return Err(launch_error("tasks of this step lie on hosts in any order".to_owned(), fix));
    }
    let none = || launch_error(format!("SLURM_STEP_NODELIST={list} has no host"), fix);
    all.into_iter().next().ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Place, String> {
        let lookup = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let launch = Launch::of(&lookup).map_err(|error| error.to_string())?.expect("launched");
        Place::of(&launch, &lookup).map_err(|error| error.to_string())
    }

    const TORCHRUN: [(&str, &str); 2] = [("RANK", "1"), ("WORLD_SIZE", "4")];
    const OPEN_MPI: [(&str, &str); 2] =
        [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4")];
    const STEP: [(&str, &str); 5] = [
        ("SLURM_PROCID", "1"),
        ("SLURM_STEP_NUM_TASKS", "4"),
        ("SLURM_STEP_NODELIST", "gpu[08-09,11]"),
        ("SLURM_STEP_ID", "2"),
        ("SLURM_JOB_ID", "1234567"),
    ];

    #[test]
    fn the_names_of_torchrun_come_first_and_a_step_of_slurm_needs_none() {
        let named = [("MASTER_ADDR", "n1"), ("MASTER_PORT", "29500")];
        let place = of(&[&TORCHRUN[..], &named].concat()).unwrap();
        assert_eq!((place.to_string(), place.is_one_host), ("n1:29500".to_owned(), false));
        let agent = [("TORCHELASTIC_USE_AGENT_STORE", "True")];
        let beside = of(&[&TORCHRUN[..], &named, &agent].concat()).unwrap();
        assert_eq!(beside.port, 29501, "the agent of torchrun listens at its own");
        let place = of(&STEP).unwrap();
        assert_eq!((place.host.as_str(), place.port), ("gpu08", 19_821));
        assert!(PORTS.contains(&u64::from(place.port)));
        let both = of(&[&STEP[..], &named].concat()).unwrap();
        assert_eq!(both.to_string(), "n1:29500");
        let address = of(&[&STEP[..], &named[..1]].concat()).unwrap();
        assert_eq!(address.to_string(), "n1:19821");
        let v6 = [("MASTER_ADDR", "fe80::1"), ("MASTER_PORT", "29500")];
        assert_eq!(of(&[&TORCHRUN[..], &v6].concat()).unwrap().to_string(), "[fe80::1]:29500");
    }

    #[test]
    fn no_rank_of_several_hosts_waits_for_itself() {
        for host in ["localhost", "127.0.0.1", "::1"] {
            let set = [("MASTER_ADDR", host), ("MASTER_PORT", "29500")];
            let two = [("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "2")];
            let error = of(&[&TORCHRUN[..], &set, &two].concat()).unwrap_err();
            assert!(error.contains(host) && error.contains("2 of the 4 ranks"), "{error}");
            let all = [("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "4")];
            assert!(of(&[&TORCHRUN[..], &set, &all].concat()).unwrap().is_one_host);
        }
    }

    #[test]
    fn what_does_not_say_where_rank_0_is_is_an_error_with_the_way_out() {
        let node_count = [("SLURM_STEP_NUM_NODES", "2")];
        let arbitrary = [("SLURM_DISTRIBUTION", "arbitrary")];
        for (set, part) in [
            (TORCHRUN.to_vec(), "set MASTER_ADDR"),
            ([&TORCHRUN[..], &[("MASTER_ADDR", "n1")]].concat(), "set MASTER_ADDR"),
            ([&TORCHRUN[..], &[("MASTER_PORT", "0")]].concat(), "MASTER_PORT=\"0\""),
            ([&STEP[..], &node_count].concat(), "has 3 hosts, but SLURM_STEP_NUM_NODES=2"),
            ([&STEP[..], &arbitrary].concat(), "any order"),
            ([&STEP[..], &OPEN_MPI].concat(), "set MASTER_ADDR"),
        ] {
            let error = of(&set).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
