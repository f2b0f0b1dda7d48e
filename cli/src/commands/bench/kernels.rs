//! `genesis bench kernels`: each kernel against what this machine can do.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::builder::PossibleValuesParser;
use genesis_benches::ceiling::Ceilings;
use genesis_benches::kernels::{
    Report, ShapeSet, cases, families, heading, judge, line, remarks, svg, time,
};
use genesis_kernels::{Cpu, Kernels};
use genesis_train::device::{KernelChoice, OnDevice, on_device};
use genesis_train::sequences::inference::table::write_file;
use genesis_train::trainer::gate::{is_the_reference, kernels_of};

use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::threads;

/// Time every kernel against what this machine can do.
///
/// Measures the machine: multiply-adds in registers, and bandwidth of caches and memory; of a GPU, its
/// largest products and copies. Before, between and after the kernels, since what was reached once
/// counts. Runs each operation on shapes of our models and prints its median time, the rates it
/// reaches, the time that the ceilings allow for its arithmetic and traffic, and the share of that
/// bound. Below the table stands why a share is less than half, where that is understood. A share
/// above 100 % says that a count is wrong.
///
/// Examples:
///   genesis bench kernels
///   genesis bench kernels --family attention --family linear --shapes large
///   genesis bench kernels --json kernels.json --svg roofline.svg
///   genesis bench kernels --device cuda:0 --shapes large
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only kernels of this family; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(families()))]
    family: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Whose kernels: those of the device, or the references composed of Burn operations (cuda)
    #[arg(long, value_enum, default_value_t = Whose::Own)]
    kernels: Whose,
    /// Sizes: a step of a small or a large model, or tiny ones
    #[arg(long, value_name = "SET", default_value = "model", value_parser = PossibleValuesParser::new(ShapeSet::NAMES))]
    shapes: String,
    /// Write ceilings, samples and bounds to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the roofline to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print families, operations and shapes, and measure nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let set: ShapeSet = args.shapes.parse().map_err(|e| Failure::error(Code::Usage, e))?;
    if args.list {
        for case in cases::<Cpu>(&Device::<Cpu>::default(), set, &args.family) {
            console::result(format!("{} {} {}", case.family, case.operation, case.shape));
        }
        return Ok(Code::Done);
    }
    let work = Measuring { args, set };
    let work = || on_device(args.device.device, args.kernels.into(), work).or_exit(Code::Usage);
    let report = threads::inside(work)?;
    let remarks = remarks(&report.kernels);
    if !remarks.is_empty() {
        console::result(format!("\n{remarks}"));
    }
    write(args.json.as_deref(), || serde_json::to_string_pretty(&report).unwrap_or_default())?;
    write(args.svg.as_deref(), || svg(&report))?;
    Ok(Code::Done)
}

/// Kernels that are timed until the machine itself is measured again.
const CASES_BETWEEN_CEILINGS: usize = 16;

/// Kernels that are about to be measured.
struct Measuring<'a> {
    args: &'a Args,
    set: ShapeSet,
}

impl OnDevice for Measuring<'_> {
    type Output = Report;

    fn run<B: Kernels>(self, device: &B::Device) -> Report {
        if !is_the_reference::<B>() {
            console::note(kernels_of::<B>(device));
        }
        let ceilings = || {
            if is_the_reference::<B>() {
                Ceilings::measure()
            } else {
                Ceilings::of_device::<B>(device, self.args.device.name())
            }
        };
        let (mut highest, mut timed) = (ceilings(), Vec::new());
        let all = cases::<B>(device, self.set, &self.args.family);
        let count = all.len();
        for (number, case) in (1..).zip(all) {
            let (family, operation, shape) = (case.family, case.operation, &case.shape);
            console::note(format!("[{number}/{count}] {family} {operation} {shape}"));
            timed.push(time(case));
            if number == count || number % CASES_BETWEEN_CEILINGS == 0 {
                highest = highest.or_higher(&ceilings());
            }
        }
        let (ceilings, timed) = (highest, timed.into_iter());
        let kernels: Vec<_> = timed.map(|timed| judge(timed, &ceilings)).collect();
        console::result(heading(&ceilings));
        for measured in &kernels {
            console::result(line(measured));
        }
        Report { version: env!("CARGO_PKG_VERSION").to_owned(), ceilings, kernels }
    }
}

/// Whose kernels a bench runs.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Whose {
    /// Those of the device, and references for the rest
    Own,
    /// References alone
    Reference,
}

impl From<Whose> for KernelChoice {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Own => Self::Own,
            Whose::Reference => Self::Reference,
        }
    }
}

fn write(path: Option<&Path>, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    write_file(path, text().as_bytes()).or_exit(Code::Data)?;
    console::note(format!("wrote {}", path.display()));
    Ok(())
}
