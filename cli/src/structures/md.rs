//! `genesis md`: molecular dynamics with a trained model.

use std::fmt::Write as _;
use std::path::PathBuf;

use genesis_data::structures::ingest::{Structure, read_each_structure};
use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::structures::md::{
    Drift, Ensemble, MdOptions, MdReport, MdState, Start, run as simulate,
};
use genesis_train::structures::{StructuresError, StructuresModel};

use super::options::ReadingArgs;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::signals::stop_flag;
use crate::threads;

/// Move atoms with the forces of a trained model.
///
/// Starts from one structure of a file: with its velocities (`velocities` in Å/fs, or ASE's `momenta`)
/// where it has them, else with those of Maxwell and Boltzmann; with its `masses`; and atoms that
/// `move_mask` fixes stay where they are. Writes a trajectory as extended XYZ or JSONL, as OUT says
/// (energies eV, forces eV/Å, velocities Å/fs), and prints how far the total energy drifted (nve).
/// `nve` is velocity Verlet, `nvt` Langevin dynamics (BAOAB). The same seed gives the same bits, and
/// so does a simulation that goes on from the last frame of another one (--index -1). Ctrl-C ends it
/// with what was written so far; one that explodes ends with code 7 and the last good frame.
///
/// Examples:
///   genesis md runs/silicon silicon.xyz --out traj.xyz --temperature-k 300 --steps 1000
///   genesis md runs/silicon traj.xyz --index -1 --out more.xyz --steps 1000
///   genesis md runs/acac start.xyz --out traj.xyz --ensemble nvt --friction-per-ps 10
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder (its best checkpoint, else its newest), checkpoint folder or mace-torch folder
    pub(super) model: PathBuf,
    /// File of structures
    structure: PathBuf,
    /// Which structure of the file, from 0, or from -1 backwards; all of the file count, also those that
    /// cannot be used
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true)]
    index: i64,
    /// Trajectory to write, .xyz, .extxyz or .jsonl, each also .gz
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which states are visited
    #[arg(long, value_enum, default_value_t = Kind::Nve)]
    ensemble: Kind,
    /// Time step in femtoseconds
    #[arg(long, value_name = "FS", default_value_t = 1.0)]
    timestep_fs: f64,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = 1000)]
    steps: u64,
    /// Temperature of velocities that are drawn, and of the bath of nvt, in kelvin [default: 300]
    #[arg(long, value_name = "K")]
    temperature_k: Option<f64>,
    /// First velocities [default: those of the file if it has any, else drawn]
    #[arg(long, value_enum)]
    velocities: Option<Velocities>,
    /// Motion of the centre of mass [default: start for velocities that are drawn, else keep]
    #[arg(long, value_enum)]
    drift: Option<DriftChoice>,
    /// Friction of nvt per picosecond
    #[arg(long, value_name = "PER_PS", default_value_t = 10.0)]
    friction_per_ps: f64,
    /// Steps between frames of the trajectory
    #[arg(long, value_name = "N", default_value_t = 10)]
    every: u64,
    /// Root of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Head of the model
    #[arg(long)]
    head: Option<String>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON line at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Where first velocities come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Velocities {
    /// The file
    File,
    /// The distribution of Maxwell and Boltzmann
    Draw,
}

/// What becomes of the motion of the centre of mass.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum DriftChoice {
    /// It stays as it is
    Keep,
    /// It is taken away before the first step
    Start,
    /// It is taken away before the first and after every step
    Never,
}

/// Ensembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Constant energy
    Nve,
    /// Constant temperature
    Nvt,
}

/// Atoms that are about to move.
struct Moving<'a> {
    model: StructuresModel,
    start: Start,
    options: MdOptions,
    args: &'a Args,
}

impl OnDevice for Moving<'_> {
    type Output = anyhow::Result<MdReport>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let Self { model, start, options, args } = self;
        let (model, stop) = (model.on::<B>(device), stop_flag()?);
        let last = start.step + args.steps;
        let show = &mut |state: &MdState| show(state, args, last);
        match simulate(&model, &start, &options, &args.out, &stop, show) {
            Err(error @ StructuresError::Exploded { .. }) => Err(error).or_exit(Code::Exploded),
            other => other.or_exit(Code::Data),
        }
    }
}

const TEMPERATURE_K: f64 = 300.0;

impl Args {
    /// The structure that is meant, as its file has it.
    fn structure(&self, model: &StructuresModel) -> anyhow::Result<Structure> {
        let reading = self.reading.over(&model.reading)?;
        let plan = reading.plan(vec![self.structure.clone()], model.cutoff());
        let mut all = read_each_structure(&plan).or_exit(Code::Data)?;
        let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let at = if self.index < 0 { self.index + count } else { self.index };
        let path = self.structure.display();
        let Some(at) = usize::try_from(at).ok().filter(|&at| at < all.len()) else {
            let message = format!("{path}: --index {} of {count} structures", self.index);
            return Err(Failure::error(Code::Data, message));
        };
        all.swap_remove(at).map_err(|reject| {
            Failure::error(Code::Data, format!("--index {} cannot be used: {reject}", self.index))
        })
    }

    /// Where it starts: with the velocities of the file, or without any.
    fn start(&self, structure: &Structure) -> anyhow::Result<Start> {
        let mut start = Start::of(structure).or_exit(Code::Data)?;
        if let Some(head) = &self.head {
            start.frame.head.clone_from(head);
        }
        let usage = |message: &str| Err(Failure::error(Code::Usage, message));
        match (self.velocities, &start.velocities) {
            (Some(Velocities::File), None) => {
                return usage(
                    "--velocities file: the structure has neither velocities nor momenta",
                );
            }
            (None, Some(_)) if self.ensemble == Kind::Nve && self.temperature_k.is_some() => {
                return usage(
                    "the structure has velocities, and --temperature-k asks for others: say \
                     --velocities draw, or leave --temperature-k out",
                );
            }
            (Some(Velocities::Draw), _) => start.draw(),
            _ => {}
        }
        Ok(start)
    }

    fn options(&self, start: &Start) -> MdOptions {
        let friction_per_ps = self.friction_per_ps;
        let drawn = start.velocities.is_none() && start.num_fixed() == 0;
        MdOptions {
            ensemble: match self.ensemble {
                Kind::Nve => Ensemble::Nve,
                Kind::Nvt => Ensemble::Nvt { friction_per_ps },
            },
            timestep_fs: self.timestep_fs,
            steps: self.steps,
            temperature_k: self.temperature_k.unwrap_or(TEMPERATURE_K),
            drift: match self.drift {
                Some(DriftChoice::Start) => Drift::Start,
                Some(DriftChoice::Never) => Drift::Never,
                None if drawn => Drift::Start,
                Some(DriftChoice::Keep) | None => Drift::Keep,
            },
            every: self.every,
            seed: self.seed,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    threads::inside(|| run_inside(args))
}

fn run_inside(args: &Args) -> anyhow::Result<Code> {
    let model = StructuresModel::open(&args.model).or_exit(Code::Data)?;
    let start = args.start(&args.structure(&model)?)?;
    let options = args.options(&start);
    args.device.require_dtype(model.params.dtype(), "this model")?;
    console::note(format!("note: {}", described(&start, &options)));
    let report = args.device.run(Moving { model, start, options, args })?;
    report.warnings.iter().for_each(|warning| console::note(format!("warning: {warning}")));
    if args.json {
        console::result(serde_json::to_string(&report)?);
    } else {
        show_report(args, &report);
    }
    Ok(if report.stopped { Code::Stopped } else { Code::Done })
}

/// What was decided about the start, in words.
fn described(start: &Start, options: &MdOptions) -> String {
    let mut said = match &start.velocities {
        Some(_) => "velocities of the file".to_owned(),
        None => format!("velocities drawn at {} K", options.temperature_k),
    };
    if start.step > 0 {
        let _ = write!(said, ", going on from step {}", start.step);
    }
    if start.has_own_masses() {
        said.push_str(", masses of the file");
    }
    if start.num_fixed() > 0 {
        let count = console::count(start.num_fixed() as u64);
        let _ = write!(said, ", {count} atoms fixed by move_mask");
    }
    said.push_str(match options.drift {
        Drift::Keep => "; the centre of mass keeps its motion",
        Drift::Start => "; the centre of mass starts at rest",
        Drift::Never => "; the centre of mass stays at rest",
    });
    said
}

fn show_report(args: &Args, report: &MdReport) {
    let conservation = report.conservation.map_or_else(String::new, |it| {
        format!(
            "; drift of the total energy {:.3} meV per atom and ps, largest deviation {:.3} meV per \
             atom",
            it.drift_mev_per_atom_per_ps, it.largest_deviation_mev_per_atom
        )
    });
    console::result(format!(
        "{} steps, {} frames in {}; mean temperature {:.1} K of {} degrees of freedom{conservation}; \
         {:.1} ms a step",
        console::count(report.steps),
        console::count(report.frames),
        args.out.display(),
        report.mean_temperature_k,
        report.freedoms,
        1e3 * report.seconds_per_step,
    ));
}

/// A line about every tenth of the simulation.
fn show(state: &MdState, args: &Args, last: u64) {
    let tenth = (args.steps / 10).max(1);
    if state.step % tenth < args.every.min(tenth) {
        console::note(format!(
            "step {:>7}/{}  potential {:.4} eV  kinetic {:.4} eV  total {:.5} eV  {:.0} K",
            state.step,
            last,
            state.potential,
            state.kinetic,
            state.potential + state.kinetic,
            state.temperature_k,
        ));
    }
}
