//! Devices, as a user chooses them and asks after them.

mod support;

use support::Bench;

/// Two steps of a tiny network on molecules.
const CONFIG: &str = r#"
run.dir = "run"
data.generate = { kind = "molecules", count = 40 }
model = { kind = "llama", context = 16, num_layers = 1, num_heads = 2, width = 16 }
objective = { kind = "causal", context = 16 }
batch = { sequences = 2 }
schedule = { steps = 2, peak_rate = 0.01, decay = { kind = "none" } }
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("config.toml", CONFIG);
    bench
}

#[test]
fn a_device_that_does_not_exist_is_refused_before_anything_is_made() {
    let bench = bench();
    let train = ["train", "config.toml", "--set", "run.device=tpu"];
    bench.fail(&train, 2, &["run.device", "`cpu`, `cuda:0`, `wgpu`"]);
    let absent = if cfg!(feature = "cuda") { "not there" } else { "--features cuda" };
    let train = ["train", "config.toml", "--set", "run.device=cuda:4096"];
    bench.fail(&train, 2, &["device cuda:4096", absent]);
    assert_eq!(bench.names(""), ["config.toml"]);
    bench.fail(&["embed", "run", "x", "--out", "y", "--device", "gpu"], 2, &["`gpu` is no device"]);
}

#[test]
fn the_chosen_device_is_in_the_saved_plan() {
    let bench = bench();
    bench.succeed(&["train", "config.toml", "--set", "run.device=cpu"]);
    let plan = std::fs::read_to_string(bench.path("run/plan.toml")).expect("a plan");
    assert!(plan.contains("device = \"cpu\"") && plan.contains("# Device: cpu"), "{plan}");
}

#[test]
fn the_doctor_says_what_is_there_and_what_is_missing_on_any_machine() {
    let bench = Bench::new();
    let said = bench.succeed(&["doctor"]).stdout;
    for word in ["NVIDIA driver", "NVRTC", "cuBLASLt", "NCCL", "Vulkan", "MPI", "built with"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let facts: serde_json::Value =
        serde_json::from_str(&bench.succeed(&["doctor", "--json"]).stdout).expect("JSON");
    assert!(facts["matmul_f32_gflops"].as_f64().expect("a rate") > 0.0);
    assert_eq!(facts["libraries"].as_array().expect("a list").len(), 6, "{facts}");
}

#[test]
#[cfg(feature = "wgpu")]
fn a_run_on_wgpu_says_which_kernels_it_has_and_is_evaluated_on_both_devices() {
    if genesis_train::device::adapters::adapters().is_empty() {
        let required = std::env::var_os("REQUIRE_DEVICE").unwrap_or_default();
        assert!(!required.to_string_lossy().contains("wgpu"), "REQUIRE_DEVICE: no wgpu adapter");
        println!("SKIPPED: no wgpu adapter");
        return;
    }
    let bench = bench();
    let said = bench.succeed(&["train", "config.toml", "--set", "run.device=wgpu"]).stderr;
    for word in ["on wgpu", "kernels of wgpu", "parity gate: ", "agrees with the CPU"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    let loss = |device: &str| -> f64 {
        let said = bench.succeed(&["evaluate", "run", "--device", device, "--json"]).stdout;
        serde_json::from_str::<serde_json::Value>(&said).expect("JSON")["loss"]
            .as_f64()
            .expect("a loss")
    };
    let (here, there) = (loss("cpu"), loss("wgpu"));
    // No sum of this network has more than 64 terms, each rounded once on either side.
    assert!((here - there).abs() <= 64.0 * f64::from(f32::EPSILON) * here, "{here} {there}");
}
