//! The commands of models of structures, as a user types them.

mod support;

use support::Bench;

/// A run of a few steps on silicon, in `run`.
const CONFIG: &str = r#"
run.dir = "run"
data.generate = { kind = "silicon", frames = 24, seed = 1 }
model = { kind = "mace", channels = 2, max_hidden_degree = 1, r_max_angstrom = 3.0, max_ell = 1, correlation = 2, num_bessel = 4, radial_widths = [4] }
objective = { energy_weight = 1.0, forces_weight = 10.0, stress_weight = 1.0 }
batch = { frames = 3 }
schedule = { steps = 4, peak_rate = 0.01, decay = { kind = "cosine", floor_ratio = 0.1 } }
evaluation = { every = 2 }
checkpoint = { every = 2, keep_last = 2 }
"#;

const TWO: &str = "2\nLattice=\"5.4 0 0 0 5.4 0 0 0 5.4\" Properties=species:S:1:pos:R:3:forces:R:3 \
    energy=-9.0 pbc=\"T T T\"\nSi 0 0 0 0 0 0\nSi 1.4 1.3 1.36 0 0 0\n\
    3\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-9.5 pbc=\"F F F\"\n\
    Si 0 0 0 0.1 0 0\nSi 2.3 0.1 0 0 0 0\nSi 0.2 2.2 0.3 -0.1 0 0\n";

fn trained() -> Bench {
    let bench = Bench::new();
    bench.write("config.toml", CONFIG);
    bench.write("two.xyz", TWO);
    let said = bench.succeed(&["train", "config.toml"]).stderr;
    assert!(said.contains("24 records read = 24 kept + 0 rejected + 0 duplicates"), "{said}");
    bench
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("one line of JSON")
}

#[test]
fn a_trained_network_is_evaluated_predicts_and_moves_atoms() {
    let bench = trained();
    let rows = json(&bench.succeed(&["evaluate", "run", "--json"]).stdout);
    assert_eq!(rows[0]["set"], "validation");

    let said = bench.succeed(&["predict", "run", "two.xyz", "--out", "out.xyz", "--json"]);
    assert_eq!(json(&said.stdout)["structures"], 2);
    let written = std::fs::read_to_string(bench.path("out.xyz")).expect("predictions");
    assert_eq!(written.matches("predicted_energy=").count(), 2, "{written}");
    assert!(written.contains(" energy=-9.5 "), "labels stay: {written}");
    let measured = json(&bench.succeed(&["evaluate", "run", "--data", "two.xyz", "--json"]).stdout);
    assert_eq!(measured[0]["frames"], 2);
    bench.fail(&["predict", "run", "two.xyz", "--out", "out.db"], 3, &["out.db", ".parquet"]);
    let units = ["predict", "run", "two.xyz", "--out", "b.xyz", "--units"];
    assert!(bench.succeed(&[&units[..], &["kcal/mol"]].concat()).stderr.contains("kcal_per_mol"));
    bench.fail(&[&units[..], &["furlong"]].concat(), 2, &["furlong", "hartree"]);

    let md =
        ["md", "run", "two.xyz", "--out", "path.xyz", "--steps", "5", "--every", "1", "--json"];
    assert_eq!(json(&bench.succeed(&md).stdout)["steps"], 5);
    let path = std::fs::read_to_string(bench.path("path.xyz")).expect("a trajectory");
    assert_eq!(path.matches("Properties=").count(), 6, "the start and five steps");
    let more = ["md", "run", "path.xyz", "--index", "-1", "--out", "more.jsonl", "--steps", "1"];
    assert!(bench.succeed(&more).stderr.contains("going on from step 5"));
    bench.fail(&[&more[..], &["--temperature-k", "9"]].concat(), 2, &["--velocities draw"]);
    let far = ["md", "run", "two.xyz", "--out", "far.xyz", "--timestep-fs", "5000"];
    bench.fail(&far, 7, &["last good frame", "shorter time step"]);
    bench.fail(
        &["md", "run", "two.xyz", "--index", "2", "--out", "c.xyz"],
        3,
        &["of 2 structures"],
    );
}

#[test]
fn commands_of_one_family_say_which_are_for_a_model_of_the_other() {
    let bench = trained();
    bench.fail(&["generate", "run"], 3, &["a model of structures", "genesis predict"]);
}

#[test]
fn structures_are_ingested_by_extension_verified_and_learned_from() {
    let bench = Bench::new();
    bench.write("two.xyz", TWO);
    let options = "validation={ by = \"count\", frames = 1, seed = 1 }";
    let ingest = ["ingest", "two.xyz", "--out", "data", "--set", options];
    let said = bench.succeed(&[&ingest[..], &["--set", "units.length=bohr"]].concat());
    assert!(said.stderr.contains("1 structures"), "{}", said.stderr);
    let card = std::fs::read_to_string(bench.path("data/dataset.json")).expect("a card");
    assert_eq!(json(&card)["options"]["units"]["length"], "bohr");
    let said = bench.succeed(&["verify", "data"]);
    assert!(said.stdout.contains("structures"), "{}", said.stdout);
    bench.fail(&["ingest", "two.xyz", "--out", "b", "--set", "unit.energy=ev"], 2, &["unit"]);
}

#[test]
fn the_built_in_example_of_structures_can_be_planned_without_a_file_for_people_and_programs() {
    let bench = Bench::new();
    let plan = ["plan", "--example", "silicon", "--set", "data.generate.frames=20"];
    let said = bench.succeed(&plan);
    assert!(said.stdout.contains("Epochs"), "{}", said.stdout);
    let cost = json(&bench.succeed(&[&plan[..], &["--json"]].concat()).stdout);
    assert!(cost["num_parameters"].as_u64().is_some_and(|count| count > 0), "{cost}");
    assert!(cost["epochs"].as_f64().is_some_and(|epochs| epochs > 0.0), "{cost}");
}
