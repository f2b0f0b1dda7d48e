//! `genesis verify`: proves that a dataset, a checkpoint or a run is what was written.

use std::path::{Path, PathBuf};

use genesis_data::dataset::card::CARD_FILE;
use genesis_data::kinds::kind_of;
use genesis_data::verify::{bytes_to_verify, verify};
use genesis_train::checkpoint::format::MANIFEST_FILE;
use genesis_train::checkpoint::naming::{self, FolderName};
use serde::Serialize;

use crate::console::{self, Meter, Unit};
use crate::exit::{Code, Failure, OrExit};

/// Verify a dataset folder, a checkpoint or all checkpoints of a run, offline.
///
/// Every file is read in full and compared with its digests; damage is listed with its place.
/// Exit code 6 when something is damaged.
///
/// Example: genesis verify data/proteins
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Dataset folder, checkpoint folder or run folder
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let findings = if args.path.join(CARD_FILE).is_file() {
        verify_dataset(&args.path)?
    } else {
        verify_checkpoints(&args.path)?
    };
    if args.json {
        console::result(serde_json::to_string(&findings)?);
    } else {
        findings.checked.iter().for_each(|line| console::result(format!("ok: {line}")));
    }
    if findings.problems.is_empty() {
        return Ok(Code::Done);
    }
    let count = findings.problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    let list = findings.problems.join("\n  ");
    let message = format!("{}: {count} {noun} found\n  {list}", args.path.display());
    Err(Failure::error(Code::Damaged, message))
}

/// What was found whole, and what was not.
#[derive(Debug, Default, Serialize)]
struct Findings {
    checked: Vec<String>,
    problems: Vec<String>,
}

fn verify_dataset(root: &Path) -> anyhow::Result<Findings> {
    let meter = Meter::start("verify", bytes_to_verify(root), Unit::Bytes);
    let report = verify(root, &mut |bytes| meter.advance(bytes)).or_exit(Code::Data)?;
    let mut findings = Findings { problems: report.problems.clone(), ..Findings::default() };
    if report.is_whole() {
        let [records, parts] = kind_of(root).or_exit(Code::Data)?.nouns;
        findings.checked.push(format!(
            "{}: {} files, {}, {} {records}, {} {parts}, dataset {}",
            root.display(),
            report.files,
            console::bytes(report.bytes),
            console::count(report.samples),
            console::count(report.units),
            report.digest
        ));
    }
    let unlisted = report.unlisted.iter();
    unlisted.for_each(|file| console::note(format!("note: {file} is not part of the dataset")));
    Ok(findings)
}

fn verify_checkpoints(path: &Path) -> anyhow::Result<Findings> {
    let folders = checkpoint_folders(path)?;
    let mut findings = Findings::default();
    for folder in folders {
        match genesis_train::checkpoint::open(&folder) {
            Ok(checkpoint) => findings.checked.push(format!(
                "{}: step {}, {}",
                folder.display(),
                checkpoint.manifest.description.step,
                console::bytes(checkpoint.manifest.num_bytes())
            )),
            Err(error) => findings.problems.push(error.to_string()),
        }
    }
    Ok(findings)
}

/// The checkpoint itself, or all checkpoints of a run.
fn checkpoint_folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.join(MANIFEST_FILE).is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let listed = naming::list(&path.join("checkpoints")).unwrap_or_default();
    let finished = |name: &FolderName| matches!(name, FolderName::Final(_));
    let folders: Vec<PathBuf> =
        listed.into_iter().filter(|(name, _)| finished(name)).map(|(_, path)| path).collect();
    if folders.is_empty() {
        let message = format!(
            "{}: neither a dataset folder (no {CARD_FILE}), nor a checkpoint, nor a run with \
             checkpoints",
            path.display()
        );
        return Err(Failure::error(Code::Data, message));
    }
    Ok(folders)
}
