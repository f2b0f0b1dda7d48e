//! `genesis md`: molecular dynamics with a trained model.

use std::path::PathBuf;

use genesis_data::structures::{StructuresIngest, read_structures};
use genesis_kernels::Kernels;
use genesis_schema::Frame;
use genesis_train::device::OnDevice;
use genesis_train::structures::StructuresModel;
use genesis_train::structures::md::{Ensemble, MdOptions, MdReport, MdState, run as simulate};

use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::signals::stop_flag;
use crate::threads;

/// Move atoms with the forces of a trained model.
///
/// Starts from one structure of a file with velocities of Maxwell and Boltzmann, writes a
/// trajectory as extended XYZ (energies eV, forces eV/Å, velocities Å/fs), and prints how far the
/// total energy drifted (nve). `nve` is velocity Verlet, `nvt` Langevin dynamics (BAOAB). The same seed
/// gives the same bits. Ctrl-C ends it with what was written so far.
///
/// Examples:
///   genesis md runs/silicon silicon.xyz --out traj.xyz --temperature-k 300 --steps 1000
///   genesis md runs/acac start.xyz --out traj.xyz --ensemble nvt --friction-per-ps 10
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder (its best checkpoint, else its newest), checkpoint folder or mace-torch folder
    pub(super) model: PathBuf,
    /// File of structures
    structure: PathBuf,
    /// Which structure of the file, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    index: usize,
    /// Trajectory to write
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
    /// Temperature of the first velocities, and of the bath of nvt, in kelvin
    #[arg(long, value_name = "K", default_value_t = 300.0)]
    temperature_k: f64,
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
    /// Print one JSON line at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Atoms that are about to move.
struct Moving<'a> {
    model: StructuresModel,
    frame: Frame,
    args: &'a Args,
}

impl OnDevice for Moving<'_> {
    type Output = anyhow::Result<MdReport>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let Self { model, frame, args } = self;
        let (model, stop) = (model.on::<B>(device), stop_flag()?);
        let show = &mut |state: &MdState| show(state, args);
        simulate(&model, &frame, &args.options(), &args.out, &stop, show).or_exit(Code::Data)
    }
}

/// Ensembles.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Constant energy
    Nve,
    /// Constant temperature
    Nvt,
}

impl Args {
    fn options(&self) -> MdOptions {
        let friction_per_ps = self.friction_per_ps;
        MdOptions {
            ensemble: match self.ensemble {
                Kind::Nve => Ensemble::Nve,
                Kind::Nvt => Ensemble::Nvt { friction_per_ps },
            },
            timestep_fs: self.timestep_fs,
            steps: self.steps,
            temperature_k: self.temperature_k,
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
    let plan = StructuresIngest {
        labels: Vec::new(),
        allow_missing_labels: true,
        ..StructuresIngest::new(vec![args.structure.clone()], PathBuf::new())
    };
    let (structures, rejects) = read_structures(&plan).or_exit(Code::Data)?;
    let Some(structure) = structures.get(args.index) else {
        let (path, count) = (args.structure.display(), structures.len());
        let refused = rejects.first().map_or_else(String::new, |reject| format!("; {reject}"));
        let message = format!("{path}: --index {} of {count} structures{refused}", args.index);
        return Err(Failure::error(Code::Data, message));
    };
    let mut frame = structure.frame.clone();
    if let Some(head) = &args.head {
        frame.head.clone_from(head);
    }
    args.device.require_dtype(model.params.dtype(), "this model")?;
    let report = args.device.run(Moving { model, frame, args })?;
    if args.json {
        console::result(serde_json::to_string(&report)?);
    } else {
        let conservation = report.conservation.map_or_else(String::new, |it| {
            format!(
                "; drift of the total energy {:.3} meV per atom and ps, largest deviation {:.3} \
                 meV per atom",
                it.drift_mev_per_atom_per_ps, it.largest_deviation_mev_per_atom
            )
        });
        console::result(format!(
            "{} steps, {} frames in {}; mean temperature {:.1} K{conservation}; {:.1} ms a step",
            console::count(report.steps),
            console::count(report.frames),
            args.out.display(),
            report.mean_temperature_k,
            1e3 * report.seconds_per_step,
        ));
    }
    Ok(if report.stopped { Code::Stopped } else { Code::Done })
}

/// A line about every tenth of the simulation.
fn show(state: &MdState, args: &Args) {
    let tenth = (args.steps / 10).max(1);
    if state.step % tenth < args.every.min(tenth) {
        console::note(format!(
            "step {:>7}/{}  potential {:.4} eV  kinetic {:.4} eV  total {:.5} eV  {:.0} K",
            state.step,
            args.steps,
            state.potential,
            state.kinetic,
            state.potential + state.kinetic,
            state.temperature_k,
        ));
    }
}
