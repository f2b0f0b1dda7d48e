//! `genesis bench kernels`: each kernel against what this machine can do.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use genesis_benches::ceiling::Ceilings;
use genesis_benches::kernels::{
    FAMILIES, Measured, Report, ShapeSet, cases, heading, line, measure, remarks, svg,
};
use genesis_train::inference::table::write_file;

use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::threads;

/// Time every kernel against what this machine can do.
///
/// First measures the machine: multiply-adds in registers, and bandwidth of caches and memory. Then
/// runs each operation on shapes of our models and prints its median time, the rates it reaches, the
/// time that the ceilings allow for its arithmetic and traffic, and the share of that bound. Below
/// the table stands why a share is less than half, where that is understood. A share above 100 %
/// says that a count is wrong.
///
/// Examples:
///   genesis bench kernels
///   genesis bench kernels --family attention --family linear --shapes large
///   genesis bench kernels --json kernels.json --svg roofline.svg
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only kernels of this family; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(FAMILIES))]
    family: Vec<String>,
    /// Where they run: this build has cpu
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
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
    if args.device != "cpu" {
        let message = format!(
            "--device {}: this build has no such device, only cpu; leave --device out",
            args.device
        );
        return Err(Failure::error(Code::Usage, message));
    }
    let set: ShapeSet = args.shapes.parse().map_err(|e| Failure::error(Code::Usage, e))?;
    let all = cases(set, &args.family);
    if args.list {
        for case in &all {
            console::result(format!("{} {} {}", case.family, case.operation, case.shape));
        }
        return Ok(Code::Done);
    }
    let report = threads::inside(|| {
        let ceilings = Ceilings::measure();
        console::result(heading(&ceilings));
        let each = |case| {
            let measured = measure(case, &ceilings);
            console::result(line(&measured));
            measured
        };
        let kernels: Vec<Measured> = all.iter().map(each).collect();
        Report { version: env!("CARGO_PKG_VERSION").to_owned(), ceilings, kernels }
    });
    let remarks = remarks(&report.kernels);
    if !remarks.is_empty() {
        console::result(format!("\n{remarks}"));
    }
    write(args.json.as_deref(), || serde_json::to_string_pretty(&report).unwrap_or_default())?;
    write(args.svg.as_deref(), || svg(&report))?;
    Ok(Code::Done)
}

fn write(path: Option<&Path>, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    write_file(path, text().as_bytes()).or_exit(Code::Data)?;
    console::note(format!("wrote {}", path.display()));
    Ok(())
}
