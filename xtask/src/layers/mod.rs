//! Which crate may use which, which room of a crate may name which, and what each may never use.
//!
//! Five rules, each checked: the manifests name only allowed crates of ours (from a table below);
//! inside a crate arrows point down (`rooms`); `data` and `schema` reach no tensor or GPU library,
//! however indirectly (from `cargo tree`); sources of `schema`, `kernels` and `model` mention no file,
//! network or environment call; a reference of `kernels`, which tests compare with, is not computed with.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::finding::{Finding, is_test_file, report};
use crate::rust_text::{is_word, line_of, mask, test_ranges};
use crate::stage::cargo;
use crate::tree::Tree;

mod modules;
mod paths;
mod rooms;
mod table;

/// What one crate is called and may use.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Folder at the top of the workspace.
    pub(crate) folder: &'static str,
    /// Name in its manifest.
    pub(crate) package: &'static str,
    /// Packages of ours it may depend on.
    may_use: &'static [&'static str],
    /// May reach burn, cubecl, cudarc and wgpu.
    may_use_devices: bool,
    /// May call the file system, the network and the environment.
    may_do_io: bool,
}

const SCHEMA: &str = "genesis-schema";
const BACKENDS: &str = "genesis-backends";
const KERNELS: &str = "genesis-kernels";
const MODEL: &str = "genesis-model";
const DATA: &str = "genesis-data";
const TRAIN: &str = "genesis-train";
const BENCHES: &str = "genesis-benches";
const FUZZ_DATA: &str = "genesis-fuzz-data";
const ALL: &[&str] = &[SCHEMA, KERNELS, MODEL, DATA, TRAIN];
const CLI_USES: &[&str] = &[SCHEMA, KERNELS, MODEL, DATA, TRAIN, BENCHES];

const RULES: [Rule; 12] = [
    rule("schema", SCHEMA, &[], false, false),
    rule("kernels/backends", BACKENDS, &[], true, false),
    rule("kernels", KERNELS, &[BACKENDS], true, false),
    rule("model", MODEL, &[SCHEMA, KERNELS], true, false),
    rule("data", DATA, &[SCHEMA], false, true),
    rule("train", TRAIN, &[SCHEMA, KERNELS, MODEL, DATA], true, true),
    rule("cli", "genesis", CLI_USES, true, true),
    rule("benches", BENCHES, ALL, true, true),
    rule("xtask", "xtask", &[], false, true),
    // Tests alone, outside the workspace: `cargo tree` does not know them.
    rule("testing/softcuda", "softcuda", &[], true, true),
    rule("testing/fuzz/data", FUZZ_DATA, &[DATA], true, true),
    rule("testing/fuzz/train", "genesis-fuzz-train", &[TRAIN, FUZZ_DATA], true, true),
];

/// Tensor and GPU libraries.
const DEVICES: [&str; 4] = ["burn", "cubecl", "cudarc", "wgpu"];
/// Every random number comes from the named streams of `schema`.
const RANDOM: [&str; 4] = ["rand", "fastrand", "oorandom", "getrandom"];
/// Folders that are compiled for tests alone: the emulator of CUDA starts a C++ compiler.
const TEST_ONLY: [&str; 1] = ["kernels/src/machine/cuda/emulator/"];
/// Calls that read or write anything outside the process.
const IO: [&str; 5] = ["std::fs", "std::net", "std::env", "std::process", "File::"];

const fn rule(
    folder: &'static str,
    package: &'static str,
    may_use: &'static [&'static str],
    may_use_devices: bool,
    may_do_io: bool,
) -> Rule {
    Rule { folder, package, may_use, may_use_devices, may_do_io }
}

/// The rule of the crate in `folder`, when there is one.
pub(crate) fn rule_of(folder: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.folder == folder)
}

/// Checks the five rules.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut found = manifests(&tree);
    found.extend(sources(&tree));
    found.extend(oracles(&tree));
    found.extend(rooms::findings(&tree, table::HOUSES));
    for rule in RULES.iter().filter(|rule| !rule.may_use_devices && rule.folder != "xtask") {
        found.extend(reached(rule, &cargo_tree(root, rule)?));
    }
    report("layers", &found)
}

fn manifests(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let manifests = tree.texts(|path| path.ends_with("/Cargo.toml"));
    let is_crate = |text: &str| !text.contains("[workspace]") || text.contains("[package]");
    for (path, text) in manifests.filter(|(_, text)| is_crate(text)) {
        let folder = path.trim_end_matches("/Cargo.toml");
        let Some(rule) = rule_of(folder) else {
            let message = "no rule for this crate: add it to RULES in xtask/src/layers.rs";
            found.push(Finding::error(path, None, message.into()));
            continue;
        };
        for (line, name) in dependencies(text) {
            if let Some(message) = objection(rule, name) {
                found.push(Finding::error(path, Some(line), message));
            }
        }
    }
    found
}

fn objection(rule: &Rule, name: &str) -> Option<String> {
    let package = rule.package;
    if (name == "genesis" || name.starts_with("genesis-")) && !rule.may_use.contains(&name) {
        return Some(format!("{package} may not use {name}; it may use {:?}", rule.may_use));
    }
    if is_device(name) && !rule.may_use_devices {
        return Some(format!("{package} may not use {name}: it has no tensors and no GPU"));
    }
    RANDOM.contains(&name).then(|| {
        format!("{package} may not use {name}: random numbers come from genesis_schema::Seeds")
    })
}

fn is_device(name: &str) -> bool {
    DEVICES.iter().any(|device| name == *device || name.starts_with(&format!("{device}-")))
}

/// `(line, name)` of every dependency in a manifest, whatever its table.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let one = table.rsplit_once("dependencies.").map(|(_, name)| name);
            found.extend(one.map(|name| (index + 1, name)));
            inside = table.ends_with("dependencies");
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            found.push((index + 1, line[..end].trim_matches('"')));
        }
    }
    found
}

fn sources(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| !rule.may_do_io) {
        let prefix = format!("{}/src/", rule.folder);
        for (path, text) in tree.rust().filter(|(path, _)| path.starts_with(&prefix)) {
            let is_test =
                is_test_file(path) || TEST_ONLY.iter().any(|prefix| path.starts_with(prefix));
            if !is_test {
                found.extend(io_calls(rule, path, text));
            }
        }
    }
    found
}

fn io_calls(rule: &Rule, path: &str, text: &str) -> Vec<Finding> {
    let masked = mask(text);
    let tests = test_ranges(&masked);
    let calls = IO.iter().flat_map(|call| masked.match_indices(call));
    calls
        .filter(|(at, _)| *at == 0 || !is_word(masked.as_bytes()[at - 1]))
        .filter(|(at, _)| !tests.iter().any(|range| range.contains(at)))
        .map(|(at, call)| {
            let message =
                format!("{} may not use {call}: it touches nothing outside", rule.package);
            Finding::error(path, Some(line_of(&masked, at)), message)
        })
        .collect()
}

/// Paths to a reference of a family of operations outside of `kernels` and of tests.
fn oracles(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !path.starts_with("kernels/")) {
        let masked = mask(text);
        let tests = test_ranges(&masked);
        let is_test =
            |at: &usize| is_test_file(path) || tests.iter().any(|range| range.contains(at));
        let paths = paths::written(&paths::tokens(&masked)).into_iter();
        let paths = paths
            .filter(|path| path.words[0] == "genesis_kernels" && path.words.contains(&"reference"));
        found.extend(paths.filter(|path| !is_test(&path.at)).map(|written| {
            let message = "a reference is what tests compare with: call the operation".into();
            Finding::error(path, Some(line_of(&masked, written.at)), message)
        }));
    }
    found
}

fn cargo_tree(root: &Path, rule: &Rule) -> Result<String> {
    let arguments = ["tree", "--package", rule.package, "--edges", "normal", "--prefix", "none"];
    let mut command = cargo(root, &arguments);
    let output = command.arg("--all-features").output().context("cannot run cargo tree")?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "cargo tree of {}: {complaint}", rule.package);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn reached(rule: &Rule, listing: &str) -> Vec<Finding> {
    let names = listing.lines().filter_map(|line| line.split(' ').next());
    let mut devices: Vec<&str> = names.filter(|name| is_device(name)).collect();
    devices.dedup();
    let path = format!("{}/Cargo.toml", rule.folder);
    let message = |name| {
        format!("{} reaches {name} through another crate (`cargo tree -i {name}`)", rule.package)
    };
    devices.into_iter().map(|name| Finding::error(&path, None, message(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_may_not_name_burn_or_the_model() {
        let manifest = "[package]\nname = \"genesis-data\"\n[dependencies]\ngenesis-schema.workspace = true\n\
                        genesis-model.workspace = true\nburn = \"1\"\n[dev-dependencies.burn-flex]\nversion = \"1\"\n";
        let found = manifests(&Tree::of(&[("data/Cargo.toml", manifest)]));
        let lines: Vec<_> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [Some(5), Some(6), Some(7)]);
    }

    #[test]
    fn an_unknown_crate_needs_a_rule() {
        let found = manifests(&Tree::of(&[("extra/Cargo.toml", "[package]\n[dependencies]\n")]));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn random_number_crates_are_refused_everywhere() {
        let found = manifests(&Tree::of(&[(
            "train/Cargo.toml",
            "[package]\n[dependencies]\nrand = \"0.9\"\n",
        )]));
        assert!(found[0].message.contains("genesis_schema::Seeds"));
    }

    #[test]
    fn file_access_in_the_model_is_found_outside_its_tests() {
        let source = "//! Reads std::fs in words only.\nfn f() { std::fs::read(\"x\"); }\n\
                      #[cfg(test)]\nmod tests { fn g() { std::fs::read(\"y\"); } }\n";
        let found = sources(&Tree::of(&[("model/src/a.rs", source), ("data/src/a.rs", source)]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("model/src/a.rs", Some(2)));
        let emulator = Tree::of(&[("kernels/src/machine/cuda/emulator/library.rs", source)]);
        assert!(sources(&emulator).is_empty());
    }

    #[test]
    fn a_reference_is_named_by_tests_alone() {
        let source = "use genesis_kernels::{Kernels, rotary::reference::forward};\n\
                      #[cfg(test)]\nmod tests { use genesis_kernels::rotary::reference; }\n";
        let found = oracles(&Tree::of(&[("model/src/a.rs", source), ("model/tests/b.rs", source)]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("model/src/a.rs", Some(1)));
    }

    #[test]
    fn an_indirect_device_library_is_reported_once() {
        let rule = rule_of("data").unwrap();
        let found = reached(
            rule,
            "genesis-data v0.1.0\narrow-array v60.0.0\nburn-tensor v0.21.0\nburn-tensor v0.21.0 (*)\n",
        );
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("burn-tensor"));
    }
}
