//! `genesis bench kernels`, as a user types it. What it measures is not asserted.

mod support;

use support::Bench;

#[test]
fn kernels_are_timed_and_written_as_json_and_as_a_drawing() {
    let bench = Bench::new();
    let only = ["--family", "norm", "--family", "reduce", "--shapes", "small"];
    let files = ["--json", "out.json", "--svg", "out.svg"];
    let said = bench.succeed(&[&["bench", "kernels"][..], &only, &files].concat());
    for word in ["GFLOP/s of registers", "rms_norm", "sum_of_squares", "share"] {
        assert!(said.stdout.contains(word), "{word} in {}", said.stdout);
    }
    let text = std::fs::read_to_string(bench.path("out.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let kernels = report["kernels"].as_array().expect("a list of kernels");
    assert_eq!(kernels.len(), 5);
    for kernel in kernels {
        assert!(kernel["median_s"].as_f64().expect("a time") > 0.0, "{kernel}");
        assert!(kernel["samples_s"].as_array().expect("samples").len() >= 7, "{kernel}");
    }
    assert!(report["ceilings"]["f32_flops_per_s"].as_f64().expect("a rate") > 0.0);
    let drawing = std::fs::read_to_string(bench.path("out.svg")).expect("a drawing");
    assert!(drawing.starts_with("<svg ") && drawing.contains("rms_norm"));
}

#[test]
fn names_and_devices_that_do_not_exist_are_refused_with_what_does() {
    let bench = Bench::new();
    bench.fail(&["bench", "kernels", "--family", "atention"], 2, &["'attention'"]);
    bench.fail(&["bench", "kernels", "--device", "tpu"], 2, &["`tpu` is no device"]);
    let device = ["bench", "kernels", "--device", "cuda:4096"];
    bench.fail(&device, 2, &["device cuda:4096"]);
    let reference = ["bench", "kernels", "--kernels", "reference"];
    bench.fail(&reference, 2, &["device cpu", "on cuda only"]);
}

#[test]
fn steps_of_a_mace_are_timed_and_say_where_and_with_whose_kernels() {
    let bench = Bench::new();
    bench.fail(&["bench", "step", "mace-32x1"], 2, &["--data"]);
    let wgpu = ["bench", "compare", "--list", "--device", "wgpu"];
    bench.fail(&wgpu, 2, &["PyTorch has no such device"]);
    let molecule = "3\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-2100.0\n\
                    O 0 0 0 0 0 0.1\nH 0 0.8 0.6 0 0 -0.1\nC 0 -1.1 0.6 0 0 0\n";
    bench.write("ten.xyz", molecule.repeat(10));
    let step = ["bench", "step", "mace-32x1", "--data", "ten.xyz", "--steps", "1"];
    let said = bench.succeed(&step);
    let fields: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((&fields["atoms"], &fields["device"]), (&30.into(), &"cpu".into()));
    assert!(fields["train_step_ms"].as_f64().expect("a time") > 0.0, "{fields}");
    assert!(fields["kernels"].as_str().expect("a list").contains("convolution"), "{fields}");
}
