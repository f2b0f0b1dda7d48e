//! What a run file may get wrong, and what it is told.

use super::*;
use crate::device::DeviceChoice;
use crate::keys::{ConfigProblems, DecayConfig, RunFile, to_text};

const GOOD: &str = r#"[run]
dir = "runs/x"

[data]
generate = { kind = "molecules", count = 100 }

[model]
kind = "llama"
context = 64
num_layers = 2
num_heads = 4
width = 32
rotary_scaling = { kind = "llama3", factor = 8, low_frequency_factor = 1.0, high_frequency_factor = 4.0, original_context = 64 }

[objective]
kind = "causal"
context = 64

[batch]
sequences = 12

[schedule]
steps = 100
peak_rate = 1e-3
decay = { kind = "cosine", floor_ratio = 0.1 }
"#;

fn load_with(text: &str, overrides: &[&str]) -> Result<SequencesConfig, ConfigProblems> {
    let overrides: Vec<String> = overrides.iter().map(|&o| o.to_owned()).collect();
    RunFile::parse("run.toml", text, &overrides)?
        .check(&|name| (name == "GENESIS_SHARED").then(|| "/shared".to_owned()))
}

/// Every problem, one per line.
fn problems(text: &str, overrides: &[&str]) -> Vec<String> {
    let all = load_with(text, overrides).expect_err("has a problem");
    all.problems.iter().map(ToString::to_string).collect()
}

fn edited(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is in the good file");
    GOOD.replace(from, to)
}

#[track_caller]
fn assert_only(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in parts {
        assert!(found[0].contains(part), "{part:?} not in {:?}", found[0]);
    }
}

#[test]
fn a_good_file_loads_with_its_defaults() {
    let config = load_with(GOOD, &[]).unwrap();
    assert_eq!(config.batch, BatchConfig { sequences: 12, accumulation: 1, packing: None });
    assert_eq!(config.optimizer, OptimizerConfig::default());
    assert_eq!((config.run.seed, config.checkpoint.keep_last), (1, 2));
}

#[test]
fn every_written_config_reads_back_equal() {
    let file = edited("runs/x", "a/$${literal}/b");
    let config = load_with(&file, &["report.sample.prompts=[\"To be\"]"]).unwrap();
    let text = to_text(&config).unwrap();
    assert_eq!(load_with(&text, &[]).unwrap(), config, "{text}");
    assert_eq!(config.run.dir.to_str(), Some("a/${literal}/b"));
}

#[test]
fn an_unknown_key_names_line_path_and_nearest_valid_key() {
    let found = problems(&edited("sequences = 12", "sequnces = 12\nsequences = 12"), &[]);
    assert_only(&found, &["line 20: `batch.sequnces`: unknown key", "did you mean `sequences`?"]);
}

#[test]
fn an_unknown_key_inside_a_tagged_enum_is_found_with_its_own_path() {
    let found = problems(&edited("num_heads = 4", "num_heads = 4\nnum_hedas = 4"), &[]);
    assert_only(&found, &["line 12: `model.num_hedas`", "did you mean `num_heads`?"]);
}

#[test]
fn an_unknown_key_two_tagged_enums_deep_is_found_with_its_own_path() {
    let found = problems(&edited("factor = 8", "factr = 8"), &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    let at = "line 13: `model.rotary_scaling.";
    assert!(found.iter().any(|p| p.contains(&format!("{at}factr`: unknown key"))), "{found:#?}");
    assert!(found.iter().any(|p| p.contains(&format!("{at}factor`: required"))), "{found:#?}");
}

#[test]
fn a_kind_without_parameters_rejects_stray_keys() {
    let decay = "{ kind = \"none\", floor_ratio = 0.1 }";
    let found = problems(&edited("{ kind = \"cosine\", floor_ratio = 0.1 }", decay), &[]);
    assert_only(&found, &["`schedule.decay.floor_ratio`", "unknown key"]);
}

#[test]
fn an_unknown_table_names_the_nearest_table() {
    let found = problems(&format!("{GOOD}[evalution]\nevery = 10\n"), &[]);
    assert_only(&found, &["`evalution`", "did you mean `evaluation`?"]);
}

#[test]
fn a_misspelt_kind_is_named_and_the_rest_is_still_checked() {
    let file = edited("\"llama\"", "\"lama\"").replace("width = 32", "width = \"wide\"");
    let found = problems(&file, &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("line 8: `model.kind`: unknown name \"lama\"; did you mean `llama`"));
    assert!(found[1].contains("line 12: `model.width`: is the text \"wide\", must be a whole"));
}

#[test]
fn wrong_types_say_what_was_found_and_what_would_do() {
    let found = problems(&edited("steps = 100", "steps = 1e2"), &[]);
    assert_only(&found, &["`schedule.steps`: is `100.0`", "a whole number", "write 100"]);
    let found = problems(&edited("steps = 100", "steps = -3"), &[]);
    assert_only(&found, &["`schedule.steps`: is `-3`"]);
    let found = problems(&edited("dir = \"runs/x\"", "dir = 7"), &[]);
    assert_only(&found, &["`run.dir`: is `7`, must be text in quotes; put it in quotes"]);
    let found = problems(&edited("width = 32", "width = 32\ntied_head = \"true\""), &[]);
    assert_only(&found, &["`model.tied_head`", "must be true or false; leave the quotes out"]);
    let found = problems(&edited("sequences = 12", "sequences = [12]"), &[]);
    assert_only(&found, &["`batch.sequences`: is an array"]);
    let found = problems(&edited("dir = \"runs/x\"", "dir = 2024-01-01"), &[]);
    assert_only(&found, &["`run.dir`: is the date 2024-01-01"]);
}

#[test]
fn a_missing_key_or_table_is_named() {
    let found = problems(&edited("peak_rate = 1e-3\n", ""), &[]);
    assert_only(&found, &["`schedule.peak_rate`: required, but missing"]);
    let found = problems(&edited("[batch]\nsequences = 12\n", ""), &[]);
    assert_only(&found, &["`batch`: required, but missing"]);
    let found = problems(&edited("kind = \"llama\"\n", ""), &[]);
    assert_only(&found, &["`model.kind`: required, but missing"]);
    let found = problems(&edited("num_layers = 2\n", ""), &[]);
    assert_only(&found, &["`model.num_layers`: required, but missing"]);
}

#[test]
fn an_empty_file_lists_every_required_table() {
    let found = problems("", &[]);
    let named: Vec<&str> = found.iter().filter_map(|p| p.split('`').nth(1)).collect();
    assert_eq!(named, ["run", "data", "model", "objective", "batch", "schedule"]);
}

#[test]
fn not_finite_and_out_of_range_numbers_are_refused() {
    for bad in ["nan", "inf", "-inf", "-1.0", "0.0"] {
        let found = problems(&edited("1e-3", bad), &[]);
        assert_only(&found, &["line 24: `schedule.peak_rate`", "finite number above 0"]);
    }
    for (set, part) in [
        ("optimizer={kind=\"adamw\", beta1=nan}", "`optimizer.beta1`"),
        ("optimizer={kind=\"adamw\", beta2=1.0}", "`optimizer.beta2`"),
        ("optimizer={kind=\"adamw\", clip_norm=0}", "`optimizer.clip_norm`"),
        ("optimizer={kind=\"adamw\", weight_decay=-inf}", "`optimizer.weight_decay`"),
        ("schedule.decay.floor_ratio=nan", "`schedule.decay.floor_ratio`"),
        ("schedule.decay.steps=101", "`schedule.decay.steps`"),
        ("schedule.warmup_steps=101", "`schedule.warmup_steps`"),
        ("schedule.steps=0", "`schedule.steps`"),
        ("objective={kind=\"masked\", context=9, mask_rate=1.5}", "`objective.mask_rate`"),
        ("objective.context=1", "`objective.context`"),
        ("batch.accumulation=5", "must divide `batch.sequences`, which is 12"),
        ("evaluation.every=0", "`evaluation.every`"),
        ("checkpoint.keep_last=0", "`checkpoint.keep_last`"),
        ("run.threads=0", "`run.threads`"),
        ("report.sample.top_p=nan", "`report.sample.top_p`"),
        ("data.generate.count=0", "`data.generate.count`"),
    ] {
        let found = problems(GOOD, &[set]);
        assert_eq!(found.len(), 1, "{set}: {found:#?}");
        assert!(found[0].contains(part), "{part} not in {found:?}");
        assert!(found[0].starts_with("--set ") || found[0].starts_with("line "), "{found:?}");
    }
}

#[test]
fn all_problems_are_reported_at_once_in_file_order() {
    let file = edited("dir = ", "dri = ").replace("1e-3", "nan").replace("\"cosine\"", "\"cosin\"");
    let found = problems(&file, &["model.widht=3", "batch.sequences=true"]);
    let places = ["`run`", "`run.dri`", "`schedule.peak_rate`", "`schedule.decay.kind`"];
    assert_eq!(found.len(), 6, "{found:#?}");
    for place in &places[1..] {
        assert!(found.iter().any(|p| p.contains(place)), "{place} not in {found:#?}");
    }
    assert!(found.iter().any(|p| p.contains("`run.dir`: required")), "{found:#?}");
    assert!(found.iter().any(|p| p.starts_with("--set model.widht=3: `model.widht`")));
    assert!(found.iter().any(|p| p.contains("`batch.sequences`: is `true`")));
}

#[test]
fn an_override_of_an_unknown_path_names_the_nearest() {
    let found = problems(GOOD, &["shedule.steps=10"]);
    assert_only(&found, &["--set shedule.steps=10: `shedule`", "did you mean `schedule`?"]);
}

#[test]
fn overrides_change_any_type_and_fill_missing_tables() {
    let config = load_with(
        GOOD,
        &[
            "run.dir=/tmp/elsewhere",
            "checkpoint.keep_best=false",
            "schedule.peak_rate=3",
            "schedule.decay={kind=\"linear\", steps=10}",
            "report.sample.prompts=[\"a\", \"b\"]",
            "precision.compute=bf16",
        ],
    )
    .unwrap();
    assert_eq!(config.run.dir.to_str(), Some("/tmp/elsewhere"));
    assert_eq!(config.checkpoint.keep_best, 0);
    assert_eq!(config.schedule.peak_rate.to_bits(), 3f64.to_bits());
    let linear = DecayConfig::Linear { steps: Some(10), floor_ratio: 0.0 };
    assert_eq!(config.schedule.decay, linear);
    assert_eq!(config.report.sample.unwrap().prompts, ["a", "b"]);
    assert_eq!(config.precision.compute, Compute::Bf16);
}

#[test]
fn data_needs_exactly_one_origin() {
    let found = problems(GOOD, &["data.dataset=some/folder"]);
    assert_only(&found, &["`data`", "exactly one of", "`dataset` and `generate`"]);
    let found = problems(&edited("generate = ", "# generate = "), &[]);
    assert_only(&found, &["`data`", "it has none"]);
}

#[test]
fn an_unset_environment_variable_is_named_with_its_key() {
    let found = problems(&edited("runs/x", "${NOT_SET}/x"), &[]);
    assert_only(&found, &["line 2: `run.dir`", "`NOT_SET`, which is not set"]);
    let config = load_with(&edited("runs/x", "${GENESIS_SHARED}/x"), &[]).unwrap();
    assert_eq!(config.run.dir.to_str(), Some("/shared/x"));
}

#[test]
fn a_missing_or_unreadable_file_is_named() {
    let error =
        RunFile::read(std::path::Path::new("/no/such.toml"), &[]).err().unwrap().to_string();
    assert!(error.starts_with("/no/such.toml: cannot read it"), "{error}");
}

#[test]
fn hostile_text_is_refused_without_a_panic() {
    for text in ["\u{0}", "[[[[", "= = =", "a = \"\"\"", "[run]\n[run]\n", "run = 3", "\"\" = 1"] {
        assert!(load_with(text, &[]).is_err(), "{text:?}");
    }
    let deep = format!("a = {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(load_with(&deep, &[]).is_err());
}

#[test]
fn the_device_is_read_overridden_and_written_out_and_nonsense_is_told_what_is_allowed() {
    assert_eq!(load_with(GOOD, &[]).unwrap().run.device.to_string(), "cpu");
    let chosen = load_with(GOOD, &["run.device=cuda:1"]).unwrap();
    assert_eq!(chosen.run.device, DeviceChoice::Cuda { ordinal: 1 });
    assert!(to_text(&chosen).unwrap().contains("device = \"cuda:1\""));
    let written = edited("dir = \"runs/x\"", "dir = \"runs/x\"\ndevice = \"wgpu\"");
    assert_eq!(load_with(&written, &[]).unwrap().run.device, DeviceChoice::Wgpu { ordinal: None });
    let found = problems(&edited("dir = \"runs/x\"", "dir = \"runs/x\"\ndevice = \"gpu\""), &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    for word in ["line 3", "`run.device`", "`cpu`, `cuda:0`, `wgpu`, `wgpu:0`"] {
        assert!(found[0].contains(word), "{word} in {found:?}");
    }
}

#[test]
fn what_set_gives_is_read_as_what_its_key_takes() {
    for text in ["2024", "2024-11-05", "1e3", "true", "12:30:00", "-7", "0x1F", "a b", "'q'"] {
        let config = load_with(GOOD, &[&format!("run.dir={text}")]).expect(text);
        let want = if text == "'q'" { "q" } else { text };
        assert_eq!(config.run.dir.to_str(), Some(want), "{text}");
    }
    for (text, want) in [(".001", 1e-3), ("5.", 5.0), ("+.5e1", 5.0), ("1", 1.0), ("1_000", 1e3)] {
        let config = load_with(GOOD, &[&format!("schedule.peak_rate={text}")]).expect(text);
        assert_eq!(config.schedule.peak_rate.to_bits(), f64::to_bits(want), "{text}");
    }
    assert_eq!(load_with(GOOD, &["schedule.steps=1e3"]).unwrap().schedule.steps, 1000);
    let prompts = load_with(GOOD, &["report.sample.prompts=[\"1\"]"]).unwrap().report.sample;
    assert_eq!(prompts.unwrap().prompts, ["1"]);
}

#[test]
fn what_set_cannot_mean_is_told_without_quotes_that_are_not_there() {
    for (set, part) in [
        ("run.seed=12345678901234567890", "at most 9223372036854775807"),
        ("schedule.steps=.5", "must be a whole number"),
        ("schedule.steps=1.5e0", "must be a whole number"),
        ("schedule.peak_rate=fast", "must be a number"),
        ("checkpoint.keep_best=yes", "must be a whole number"),
        ("report.sample.prompts=C", "must be an array"),
    ] {
        let found = problems(GOOD, &[set]);
        assert_only(&found, &[part]);
        assert!(!found[0].contains("quotes"), "{found:?}");
    }
    let found = problems(&edited("dir = \"runs/x\"", "dir = 2024-11-05"), &[]);
    assert_only(&found, &["line 2: `run.dir`", "the date 2024-11-05", "put it in quotes"]);
    let found = problems(&edited("1e-3", "\"1e-3\""), &[]);
    assert_only(&found, &["`schedule.peak_rate`", "leave the quotes out"]);
}

#[test]
fn the_plan_of_a_folder_that_was_moved_is_of_the_folder_it_lies_in() {
    let dir = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (dir.path().join("moved"), dir.path().join("other"));
    for folder in [&here, &elsewhere] {
        std::fs::create_dir_all(folder.join("checkpoints")).unwrap();
    }
    std::fs::write(here.join("plan.toml"), GOOD).unwrap();
    let read = |path: &std::path::Path, overrides: &[String]| {
        let file = RunFile::read(path, overrides).unwrap();
        let notes = file.notes.len();
        (file.check::<SequencesConfig>(&|_| None).unwrap().run.dir, notes)
    };
    assert_eq!(read(&here.join("plan.toml"), &[]), (here.clone(), 1));
    let asked = ["run.dir=runs/y".to_owned()];
    assert_eq!(read(&here.join("plan.toml"), &asked), ("runs/y".into(), 0));
    // A copy is a run of its own; a link is the same one; a folder without a run is no run folder.
    std::fs::write(
        elsewhere.join("plan.toml"),
        to_text(&{
            let mut config = load_with(GOOD, &[]).unwrap();
            config.run.dir.clone_from(&here);
            config
        })
        .unwrap(),
    )
    .unwrap();
    assert_eq!(read(&elsewhere.join("plan.toml"), &[]), (elsewhere.clone(), 1));
    std::fs::write(here.join("plan.toml"), GOOD.replace("runs/x", here.to_str().unwrap())).unwrap();
    assert_eq!(read(&here.join("plan.toml"), &[]), (here, 0));
    std::fs::remove_dir(elsewhere.join("checkpoints")).unwrap();
    std::fs::write(elsewhere.join("plan.toml"), GOOD).unwrap();
    assert_eq!(read(&elsewhere.join("plan.toml"), &[]), ("runs/x".into(), 0));
}

#[test]
fn packing_has_a_window_of_its_own_and_says_what_may_be() {
    let packed = edited("sequences = 12", "sequences = 12\npacking = { kind = \"best_fit\" }");
    let config = load_with(&packed, &[]).unwrap();
    assert_eq!(config.batch.packing, Some(PackingConfig::BestFit { window: 4096 }));
    let text = to_text(&config).unwrap();
    assert_eq!(load_with(&text, &[]).unwrap(), config, "{text}");
    let found = problems(&packed, &["batch.packing.window=0"]);
    assert_only(&found, &["`batch.packing.window`", "is 0, must be from 1 to 1048576"]);
    let found = problems(&packed, &["batch.packing.kind=\"first_fit\""]);
    assert_only(&found, &["`batch.packing.kind`", "first_fit", "best_fit"]);
}
