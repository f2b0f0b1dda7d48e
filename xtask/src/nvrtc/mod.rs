//! Every CUDA kernel of the project through NVIDIA's compiler, without a GPU: each `.cu` file of `kernels/src`,
//! with every set of defines that its header allows, for `sm_80` and `sm_90a` (`*_sm90.cu` for the latter alone).
//!
//! What the compiler says of registers, spills and shared memory is compared with `budgets.txt` beside the kernels.
//! NVRTC is found by `--library PATH`, else by the variable `GENESIS_NVRTC`, else by its usual names; without
//! it the check is skipped, and says so. `--write` writes the tables anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::tree::{Tree, has_extension};

mod budget;
mod library;
mod report;
#[path = "../../../kernels/src/machine/cuda/signature.rs"]
mod signature;

use budget::Budgets;
use library::Nvrtc;
use report::Usage;
use signature::Defines;

const KERNELS: &str = "kernels/src/";
const PRELUDE: &str = "kernels/src/machine/cuda/prelude.cuh";
/// What the kernels of its folder may use.
const TABLE: &str = "budgets.txt";
/// Kernels for the tests of the emulator, which no device runs.
const TEST_ONLY: &str = "kernels/src/machine/cuda/emulator/";
const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90a"];

/// A launch passes 4096 bytes of parameters at most, each of eight or less. Source: CUDA C++ Programming Guide,
/// "`__global__` Function Parameters".
const MOST_PARAMETERS: usize = 512;

/// One call of the compiler.
struct Case<'a> {
    file: &'a str,
    text: &'a str,
    defines: Defines,
    architecture: &'static str,
}

/// `cargo xtask nvrtc`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let mut library = None;
    let mut writes = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--write" => writes = true,
            "--library" => {
                library = Some(PathBuf::from(rest.next().context("--library wants a path")?));
            }
            other => bail!("`{other}`: nvrtc takes --library PATH and --write"),
        }
    }
    check(root, library, writes, &mut Vec::new())
}

/// The check; what did not run is added to `skipped`.
pub(crate) fn check(
    root: &Path,
    library: Option<PathBuf>,
    writes: bool,
    skipped: &mut Vec<String>,
) -> Result<()> {
    let named = library.or_else(|| std::env::var_os("GENESIS_NVRTC").map(PathBuf::from));
    let Some(nvrtc) = Nvrtc::find(named.as_deref())? else {
        let line = "SKIPPED: NVRTC is not found; name its library with GENESIS_NVRTC".to_owned();
        println!("{line}");
        skipped.push(line);
        return Ok(());
    };
    let tree = Tree::read(root)?;
    let text = |path: &str| tree.files.get(path).and_then(|entry| entry.text.as_deref());
    let prelude = text(PRELUDE).with_context(|| format!("{PRELUDE} is missing"))?;
    let cases = cases(&tree)?;
    let used = compile(&nvrtc, prelude, &cases)?;
    println!("{} kernels, {} calls of nvrtc {}", used.len(), cases.len(), nvrtc.version());
    let used = by_folder(used);
    if writes {
        return write(root, &nvrtc.version(), &used);
    }
    let wrong = compare(&tree, &nvrtc.version(), &used)?;
    if wrong.is_empty() {
        println!("nvrtc: every kernel within its budget");
        return Ok(());
    }
    bail!(
        "{}\nif this is meant: `cargo xtask nvrtc --write`, and say why in the commit",
        wrong.join("\n")
    )
}

/// What the kernels of each folder of `kernels/src/` use.
fn by_folder(used: report::Table) -> BTreeMap<String, report::Table> {
    let mut folders = BTreeMap::<String, report::Table>::new();
    for ((file, entry), usage) in used {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        folders.entry(folder).or_default().insert((file, entry), usage);
    }
    folders
}

fn write(root: &Path, version: &str, used: &BTreeMap<String, report::Table>) -> Result<()> {
    for (folder, table) in used {
        let path = format!("{KERNELS}{folder}/{TABLE}");
        std::fs::write(root.join(&path), Budgets::of(version, table).to_string())
            .with_context(|| format!("cannot write {path}"))?;
    }
    println!("{TABLE} of {} folders are written", used.len());
    Ok(())
}

/// The folder that a table is for.
fn folder_of_table(path: &str) -> Option<&str> {
    path.strip_prefix(KERNELS)?.strip_suffix(TABLE)?.strip_suffix('/')
}

/// What stands against the tables of all folders: of those with kernels, and of those with a table.
fn compare(
    tree: &Tree,
    version: &str,
    used: &BTreeMap<String, report::Table>,
) -> Result<Vec<String>> {
    let tables = tree.texts(|path| folder_of_table(path).is_some());
    let tables: BTreeMap<&str, &str> =
        tables.filter_map(|(path, text)| Some((folder_of_table(path)?, text))).collect();
    let (none, mut wrong) = (report::Table::new(), Vec::new());
    let without = used.keys().filter(|folder| !tables.contains_key(folder.as_str()));
    wrong.extend(without.map(|folder| format!("{KERNELS}{folder}/{TABLE} is missing")));
    for (folder, text) in tables {
        let table = Budgets::read(text).with_context(|| format!("{folder}/{TABLE}"))?;
        wrong.extend(table.compare(version, used.get(folder).unwrap_or(&none)));
    }
    Ok(wrong)
}

/// Every file under every variant for every architecture.
fn cases(tree: &Tree) -> Result<Vec<Case<'_>>> {
    let is_kernel = |path: &str| {
        path.starts_with(KERNELS) && !path.starts_with(TEST_ONLY) && has_extension(path, "cu")
    };
    let mut cases = Vec::new();
    for (path, text) in tree.texts(is_kernel) {
        let variants = signature::variants(text).with_context(|| path.to_owned())?;
        let is_hopper = path.ends_with("_sm90.cu");
        for architecture in ARCHITECTURES.into_iter().skip(usize::from(is_hopper)) {
            let file = &path[KERNELS.len()..];
            let case =
                |defines: &Defines| Case { file, text, defines: defines.clone(), architecture };
            cases.extend(variants.iter().map(case));
        }
    }
    Ok(cases)
}

/// What each kernel uses at most, by file and entry. Two threads: the compiler allows it, and many CI machines
/// have no more.
fn compile(nvrtc: &Nvrtc, prelude: &str, cases: &[Case<'_>]) -> Result<report::Table> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((report::Table::new(), None));
    let worker = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = compile_one(nvrtc, prelude, case);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(used) => report::merge(&mut found.0, case.file, &used),
                // The first failure ends both threads.
                Err(error) => {
                    next.store(cases.len(), Ordering::Relaxed);
                    found.1.get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
    let (used, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(used), Err)
}

fn compile_one(nvrtc: &Nvrtc, prelude: &str, case: &Case<'_>) -> Result<Vec<(String, Usage)>> {
    let Case { file, text, defines, architecture } = case;
    let mut options = vec![
        format!("--gpu-architecture={architecture}"),
        "--std=c++17".to_owned(),
        "--ptxas-options=-v".to_owned(),
    ];
    options.extend(defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    let what = || format!("{file} with {defines:?} for {architecture}");
    let log = nvrtc.compile(file, text, prelude, &options).with_context(what)?;
    if log.contains("warning") {
        bail!("{} has warnings:\n{log}", what());
    }
    let used = report::read(&log);
    let entries = signature::entries(text, defines).with_context(what)?;
    for entry in &entries {
        if entry.parameters.len() > MOST_PARAMETERS {
            bail!("{}: `{}` has more than {MOST_PARAMETERS} parameters", what(), entry.name);
        }
        if !used.iter().any(|(name, _)| *name == entry.name) {
            bail!("{}: the compiler says nothing of `{}`:\n{log}", what(), entry.name);
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_compiled_for_both_architectures_and_hopper_files_for_one() {
        let tree = Tree::of(&[
            ("kernels/src/families/a/a.cu", "// variants Real = float | double; TILE = 1 | 2\n"),
            ("kernels/src/families/a/a_sm90.cu", ""),
            ("kernels/src/machine/cuda/emulator/wrong.cu", ""),
            ("elsewhere/b.cu", ""),
        ]);
        let cases = cases(&tree).unwrap();
        let of = |file| cases.iter().filter(|case| case.file == file).count();
        assert_eq!((cases.len(), of("families/a/a.cu"), of("families/a/a_sm90.cu")), (9, 8, 1));
    }

    #[test]
    fn a_folder_with_kernels_has_a_table_and_a_table_has_kernels() {
        let table = "nvrtc 13.2\nfamilies/b/b.cu sum 8 0 0\n";
        let tree = Tree::of(&[("kernels/src/families/b/budgets.txt", table)]);
        let usage = Usage { registers: 9, ..Usage::default() };
        let used = |file: &str| by_folder([((file.to_owned(), "sum".to_owned()), usage)].into());
        let wrong = compare(&tree, "13.2", &used("families/a/a.cu")).unwrap();
        assert_eq!(wrong[0], "kernels/src/families/a/budgets.txt is missing");
        assert_eq!(wrong[1], "families/b/b.cu sum: a budget without a kernel");
        let wrong = compare(&tree, "13.2", &used("families/b/b.cu")).unwrap();
        assert!(wrong[0].starts_with("families/b/b.cu sum: uses 9 registers"), "{wrong:?}");
    }

    #[test]
    fn variants_that_are_not_understood_are_named_with_their_file() {
        let tree = Tree::of(&[("kernels/src/families/a/a.cu", "// variants Real\n")]);
        let error = cases(&tree).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(
            error.starts_with("kernels/src/families/a/a.cu: `Real` is not understood"),
            "{error}"
        );
    }
}
