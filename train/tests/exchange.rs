//! Export and import of models made here: round trips, element types, hostile folders.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "helpers of tests; round trips are exact"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::backend::flex::FlexDevice;
use genesis_data::sequences::tokenize::Tokenizer;
use genesis_data::sequences::{LetterRule, LetterRules};
use genesis_kernels::Cpu;
use genesis_model::{ModelConfig, Params, TransformerConfig, specs};
use genesis_schema::Seeds;
use genesis_train::checkpoint::{Contents, Description, HostTensor, Metrics, RealDisk, save};
use genesis_train::exchange::tensor::StoredTensor;
use genesis_train::exchange::weights::{read_safetensors, serialise_safetensors};
use genesis_train::sequences::huggingface::check;
use genesis_train::sequences::huggingface::{
    ExportOptions, StoredDtype, export, export_model, import,
};
use genesis_train::sequences::inference::SequencesModel;
use serde_json::{Value, json};

/// The smallest model of each family, and its tokenizer.
fn families() -> Vec<(&'static str, TransformerConfig, Tokenizer)> {
    let resolve = |model: Value, tokenizer: &Tokenizer| {
        let model: ModelConfig = serde_json::from_value(model).unwrap();
        let model = model.with_special_tokens(tokenizer.mask(), tokenizer.pad());
        model.resolve(tokenizer.vocab_size() as usize).unwrap()
    };
    let (byte, protein) = (Tokenizer::byte(), Tokenizer::amino_acid());
    let smiles = Tokenizer::smiles(["C", "O", "N", "(", ")", "=", "1"].map(str::to_owned));
    let gpt2 = json!({"kind": "gpt2", "context": 24, "num_layers": 2, "num_heads": 2, "width": 16});
    let llama = json!({
        "kind": "llama", "context": 24, "num_layers": 2, "num_heads": 4, "num_key_heads": 2,
        "width": 16, "feed_forward_width": 24, "tied_head": false,
        "rotary_scaling": {"kind": "llama3", "factor": 8.0, "low_frequency_factor": 1.0,
                           "high_frequency_factor": 4.0, "original_context": 16},
    });
    let esm2 = json!({"kind": "esm2", "context": 24, "num_layers": 2, "num_heads": 2, "width": 16});
    vec![
        ("gpt2", resolve(gpt2, &byte), byte),
        ("llama", resolve(llama, &smiles), smiles),
        ("esm2", resolve(esm2, &protein), protein),
    ]
}

/// A checkpoint as training writes it.
fn checkpoint(folder: &Path, config: &TransformerConfig, tokenizer: &Tokenizer) -> PathBuf {
    let stream = Seeds::new(5).stream("init");
    let params = Params::<Cpu>::initialise(specs(config), &stream, &FlexDevice);
    // Zero biases would hide a bias that is lost.
    let host = params.host().into_iter().enumerate().map(|(index, (name, shape, mut values))| {
        for (lane, value) in values.iter_mut().enumerate() {
            *value += 0.1 * (stream.uniform(1000 + index as u64, lane as u64) as f32 - 0.5);
        }
        HostTensor { name, shape, values: values.into() }
    });
    let model: Vec<HostTensor> = host.collect();
    let scratch = tempfile::tempdir().unwrap();
    tokenizer.save(scratch.path()).unwrap();
    let read = |name: &str| (name.to_owned(), fs::read(scratch.path().join(name)).unwrap());
    let attachments: BTreeMap<String, Vec<u8>> = Tokenizer::FILES.map(read).into();
    let description = Description {
        step: 3,
        position: 0,
        world_size: 1,
        seed: 5,
        model: serde_json::to_value(config).unwrap(),
        config: json!({}),
        config_digest: String::new(),
        dataset_digest: String::new(),
        family: "sequences".to_owned(),
        tokenizer_kind: tokenizer.kind().name().to_owned(),
        code_version: "test".to_owned(),
        tokens_seen: 0,
        wall_seconds: 0.0,
        metrics: Metrics::default(),
        best: None,
        mixture: None,
        plateau: None,
        left_out_steps: 0,
        went_on: 0,
        watched: None,
    };
    let contents =
        Contents { description, model: &model, optimizer: None, attachments: &attachments };
    save(&mut RealDisk, &folder.join("checkpoints"), &contents).unwrap()
}

fn bits(model: &SequencesModel) -> Vec<(String, Vec<u32>)> {
    let host = model.params.host().into_iter();
    host.map(|(name, _, values)| (name, values.iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn every_family_survives_export_and_import_bitwise() {
    for (name, config, tokenizer) in families() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        checkpoint(&run, &config, &tokenizer);
        let (out, back) = (folder.path().join("out"), folder.path().join("back"));
        let report = export(&run, &out, &ExportOptions::default()).unwrap();
        assert_eq!(report.logits_max_abs, 0.0, "{name}");
        import(&out, &back).unwrap();
        let (trained, imported) =
            (SequencesModel::open(&run).unwrap(), SequencesModel::open(&back).unwrap());
        assert_eq!(bits(&trained), bits(&imported), "{name}");
        let kind = imported.tokenizer().unwrap().kind();
        assert_eq!(kind, tokenizer.kind(), "{name}");
        let figures = check(&back, &out.join("reference.safetensors")).unwrap();
        assert_eq!((figures.logits_max_abs, figures.loss_rel), (Some(0.0), Some(0.0)), "{name}");
        assert!(
            fs::read_dir(folder.path()).unwrap().count() == 3,
            "{name}: something is left over"
        );
    }
}

#[test]
fn an_export_of_an_import_is_the_same_folder_byte_for_byte() {
    for (name, config, tokenizer) in families() {
        let folder = tempfile::tempdir().unwrap();
        checkpoint(&folder.path().join("run"), &config, &tokenizer);
        let path = |name: &str| folder.path().join(name);
        export(&path("run"), &path("out"), &ExportOptions::default()).unwrap();
        import(&path("out"), &path("back")).unwrap();
        export(&path("back"), &path("again"), &ExportOptions::default()).unwrap();
        for entry in fs::read_dir(path("out")).unwrap() {
            let file = entry.unwrap().file_name();
            if file != "export.json" {
                let (one, two) = (path("out").join(&file), path("again").join(&file));
                assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "{name}: {file:?}");
            }
        }
    }
}

#[test]
fn rules_for_letters_travel_with_a_model_through_export_and_import() {
    let (_, config, tokenizer) = families().remove(2);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    checkpoint(&path("run"), &config, &tokenizer);
    let rules = LetterRules { gaps: Some(LetterRule::Keep), ..LetterRules::default() };
    let mut model = SequencesModel::open(&path("run")).unwrap();
    model.letters.rules = rules;
    export_model(&model, &path("out"), &ExportOptions::default()).unwrap();
    import(&path("out"), &path("back")).unwrap();
    export(&path("back"), &path("again"), &ExportOptions::default()).unwrap();
    for name in ["out", "back", "again"] {
        assert_eq!(SequencesModel::open(&path(name)).unwrap().letters.rules, rules, "{name}");
    }
}

#[test]
fn sixteen_bit_exports_state_what_rounding_costs_and_keep_their_type() {
    for dtype in [StoredDtype::F16, StoredDtype::Bf16] {
        let (_, config, tokenizer) = families().remove(1);
        let folder = tempfile::tempdir().unwrap();
        checkpoint(&folder.path().join("run"), &config, &tokenizer);
        let path = |name: &str| folder.path().join(name);
        let options = ExportOptions { dtype: Some(dtype), ..ExportOptions::default() };
        let report = export(&path("run"), &path("out"), &options).unwrap();
        assert!(report.logits_max_abs > 0.0 && report.logits_max_abs_rounded == 0.0, "{report:?}");
        import(&path("out"), &path("back")).unwrap();
        export(&path("back"), &path("again"), &ExportOptions::default()).unwrap();
        let weights = |name: &str| fs::read(path(name).join("model.safetensors")).unwrap();
        assert!(weights("out") == weights("again"));
    }
}

#[test]
fn an_export_is_never_written_over_what_it_did_not_write() {
    let (_, config, tokenizer) = families().remove(0);
    let folder = tempfile::tempdir().unwrap();
    checkpoint(&folder.path().join("run"), &config, &tokenizer);
    let (run, out) = (folder.path().join("run"), folder.path().join("out"));
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "years of work").unwrap();
    let overwrite = ExportOptions { overwrite: true, ..ExportOptions::default() };
    let error = export(&run, &out, &overwrite).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    fs::remove_file(out.join("thesis.tex")).unwrap();
    export(&run, &out, &ExportOptions::default()).unwrap();
    assert!(export(&run, &out, &ExportOptions::default()).is_err());
    export(&run, &out, &overwrite).unwrap();
}

/// An exported GPT-2 whose files a test damages.
struct Victim {
    folder: tempfile::TempDir,
}

impl Victim {
    fn new() -> Self {
        let (_, config, tokenizer) = families().remove(0);
        let folder = tempfile::tempdir().unwrap();
        checkpoint(&folder.path().join("run"), &config, &tokenizer);
        let (run, out) = (folder.path().join("run"), folder.path().join("hf"));
        export(&run, &out, &ExportOptions::default()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("hf").join(name)
    }

    fn edit_tensors(&self, edit: impl FnOnce(&mut BTreeMap<String, StoredTensor>)) {
        let path = self.path("model.safetensors");
        let mut tensors = read_safetensors(&path).unwrap();
        edit(&mut tensors);
        let bytes = serialise_safetensors(tensors.iter().map(|(name, t)| (name.as_str(), t)));
        fs::write(path, bytes).unwrap();
    }

    fn edit_config(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.path("config.json");
        let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        edit(&mut value);
        fs::write(path, value.to_string()).unwrap();
    }

    /// The error of importing, which must leave nothing behind.
    fn refusal(&self) -> String {
        let out = self.folder.path().join("imported");
        let error = import(&self.folder.path().join("hf"), &out).unwrap_err().to_string();
        assert!(!out.exists(), "half an import was left");
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 2, "something is left over");
        error
    }
}

/// A family exported, with tensors of its file changed, imported, and exported again.
fn with_buffers(
    family: usize,
    edit: impl FnOnce(&mut BTreeMap<String, StoredTensor>),
) -> (SequencesModel, BTreeMap<String, StoredTensor>) {
    let (_, config, tokenizer) = families().remove(family);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    checkpoint(&path("run"), &config, &tokenizer);
    export(&path("run"), &path("out"), &ExportOptions::default()).unwrap();
    let file = path("out").join("model.safetensors");
    let mut tensors = read_safetensors(&file).unwrap();
    edit(&mut tensors);
    let bytes = serialise_safetensors(tensors.iter().map(|(name, t)| (name.as_str(), t)));
    fs::write(file, bytes).unwrap();
    import(&path("out"), &path("in")).unwrap();
    export(&path("in"), &path("again"), &ExportOptions::default()).unwrap();
    let again = read_safetensors(&path("again").join("model.safetensors")).unwrap();
    (SequencesModel::open(&path("in")).unwrap(), again)
}

#[test]
fn stored_buffers_come_back_and_only_those_of_esm2_are_computed_with() {
    let tensor = |values: &[f32], shape: &[usize]| {
        StoredTensor::from_f32(values, shape, safetensors::Dtype::F32)
    };
    let wrong = tensor(&[0.5, 0.25], &[2]);
    let llama = [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.layers.1.self_attn.rotary_emb.cos_cached",
        "model.rotary_emb.original_inv_freq",
    ];
    let (model, again) = with_buffers(1, |tensors| {
        tensors.extend(llama.map(|name| (name.to_owned(), wrong.clone())));
    });
    // The folder names the tokenizer's padding, the network that was exported had none.
    let unpadded =
        |config: &TransformerConfig| TransformerConfig { pad_token: None, ..config.clone() };
    let want = families().remove(1).1;
    assert_eq!(unpadded(&model.config), unpadded(&want), "config.json alone says the angles");
    assert!(llama.iter().all(|name| again[*name] == wrong));
    let mask = "transformer.h.0.attn.bias";
    let (model, again) = with_buffers(0, |tensors| {
        tensors.insert(mask.to_owned(), tensor(&[f32::NEG_INFINITY], &[1, 1, 1, 1]));
    });
    assert_eq!(unpadded(&model.config), unpadded(&families().remove(0).1));
    assert!(again.contains_key(mask));
    let (model, _) = with_buffers(2, |tensors| {
        let frequencies = tensors.iter_mut().filter(|(name, _)| name.ends_with("inv_freq"));
        frequencies.for_each(|(_, it)| *it = tensor(&[0.5, 0.25, 0.125, 0.1], &it.shape));
    });
    let stored = model.config.rotary.unwrap().stored_frequencies;
    assert_eq!(stored.as_deref(), Some(&[0.5, 0.25, 0.125, 0.1][..]), "it was trained with them");
}

#[test]
fn an_export_whose_tokenizer_gives_other_ids_than_training_saw_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("out"));
    let (_, config, tokenizer) = families().remove(1);
    checkpoint(&run, &config, &tokenizer);
    let report = export(&run, &out, &ExportOptions::default()).unwrap();
    let example = &report.tokenizer_examples[0];
    assert_eq!(example.ids, Tokenizer::ids_of_library(&out, &example.text).unwrap());
    // As if the folder that a model was imported from had another tokenizer than its checkpoint.
    let mut model = SequencesModel::open(&out).unwrap();
    model.tokenizer =
        Some(Tokenizer::smiles(["C", "O", "=", "(", ")", "1", "S"].map(str::to_owned)));
    let again = folder.path().join("again");
    let error = export_model(&model, &again, &ExportOptions::default()).unwrap_err().to_string();
    assert_says(&error, &["tokenizer.json makes", "was trained on"]);
    assert!(!again.exists());
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_missing_tensor_is_refused_with_file_name_and_shape() {
    let victim = Victim::new();
    victim.edit_tensors(|tensors| {
        tensors.remove("transformer.h.1.attn.c_attn.weight");
    });
    let parts = ["model.safetensors", "transformer.h.1.attn.c_attn.weight", "[16, 48]", "missing"];
    assert_says(&victim.refusal(), &parts);
}

#[test]
fn a_tensor_of_the_wrong_shape_is_refused_with_both_shapes() {
    let victim = Victim::new();
    victim.edit_tensors(|tensors| {
        let tensor = tensors.get_mut("transformer.h.0.attn.c_attn.weight").unwrap();
        tensor.shape.reverse();
    });
    assert_says(&victim.refusal(), &["model.safetensors", "[48, 16]", "[16, 48]"]);
}

#[test]
fn a_tensor_without_a_place_is_refused_by_name() {
    let victim = Victim::new();
    victim.edit_tensors(|tensors| {
        let tensor = tensors["transformer.ln_f.weight"].clone();
        tensors.insert("transformer.h.7.ln_1.weight".to_owned(), tensor);
    });
    assert_says(&victim.refusal(), &["model.safetensors", "transformer.h.7.ln_1.weight", "[16]"]);
}

#[test]
fn a_head_that_differs_from_the_embedding_it_is_tied_to_is_refused() {
    let victim = Victim::new();
    victim.edit_tensors(|tensors| {
        let mut tensor = tensors["transformer.wte.weight"].clone();
        tensor.bytes[0] ^= 1;
        tensors.insert("lm_head.weight".to_owned(), tensor);
    });
    assert_says(&victim.refusal(), &["lm_head.weight", "transformer.wte.weight", "tie"]);
}

#[test]
fn a_weight_that_is_not_a_number_is_refused_with_its_place() {
    let victim = Victim::new();
    victim.edit_tensors(|tensors| {
        let tensor = tensors.get_mut("transformer.ln_f.bias").unwrap();
        tensor.bytes[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert_says(&victim.refusal(), &["model.safetensors", "transformer.ln_f.bias", "element 2"]);
}

#[test]
fn damaged_files_are_refused_by_name() {
    let victim = Victim::new();
    let path = victim.path("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for keep in [0, 9, 200, bytes.len() - 1] {
        fs::write(&path, &bytes[..keep]).unwrap();
        assert_says(&victim.refusal(), &["model.safetensors", &format!("{keep} bytes")]);
    }
    let header = String::from_utf8_lossy(&bytes[8..]).into_owned();
    let at = header.find("[0,").unwrap();
    let mut broken = bytes.clone();
    broken[8 + at..8 + at + 3].copy_from_slice(b"NaN");
    fs::write(&path, broken).unwrap();
    assert_says(&victim.refusal(), &["model.safetensors", "header"]);
    fs::write(&path, bytes).unwrap();
    fs::write(victim.path("config.json"), r#"{"model_type": "gpt2", "n_embd": NaN}"#).unwrap();
    assert_says(&victim.refusal(), &["config.json", "not JSON"]);
}

#[test]
fn unsupported_options_are_refused_by_key() {
    for (key, value) in [
        ("model_type", json!("mamba")),
        ("activation_function", json!("relu")),
        ("scale_attn_weights", json!(false)),
        ("n_head", json!(5)),
        ("n_embd", json!(-1)),
    ] {
        let victim = Victim::new();
        victim.edit_config(|config| config[key] = value);
        let refusal = victim.refusal();
        // Sizes are named as this program calls them.
        let own = if key == "n_head" { "num_heads" } else { key };
        assert_says(&refusal, &["config.json", own]);
    }
}

#[test]
fn a_folder_that_is_no_model_is_refused_with_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    assert_says(&SequencesModel::open(folder.path()).unwrap_err().to_string(), &["config.json"]);
    let missing = folder.path().join("nowhere");
    assert_says(&SequencesModel::open(&missing).unwrap_err().to_string(), &["no such folder"]);
}
