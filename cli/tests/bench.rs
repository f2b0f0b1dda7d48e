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
