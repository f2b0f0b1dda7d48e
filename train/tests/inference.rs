//! Generate, embed and score on small models with random weights.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use burn::backend::flex::FlexDevice;
use genesis_data::sequences::LetterRule;
use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::{Cpu, Precision};
use genesis_model::transformer::hugging_face::Preserved;
use genesis_model::{KvCache, ModelConfig, Params, TransformerConfig, specs};
use genesis_schema::Seeds;
use genesis_train::exchange::weights::read_safetensors;
use genesis_train::exchange::{CHECKPOINT, ModelSource};
use genesis_train::sequences::huggingface::Origin;
use genesis_train::sequences::inference::{
    EmbedOptions, Ended, GenerateOptions, Method, ModelLetters, Sample, ScoreOptions,
    SequencesModel, embed, generate, score,
};
use serde_json::{Value, json};

fn model(config: Value, tokenizer: Tokenizer) -> SequencesModel {
    let config: ModelConfig = serde_json::from_value(config).unwrap();
    let config = config.with_special_tokens(tokenizer.mask(), tokenizer.pad());
    let config: TransformerConfig = config.resolve(tokenizer.vocab_size() as usize).unwrap();
    let stream = Seeds::new(2).stream("init");
    let source = ModelSource {
        kind: CHECKPOINT,
        path: PathBuf::from("memory"),
        digest: String::new(),
        step: None,
        notes: Vec::new(),
    };
    SequencesModel {
        params: Params::<Cpu>::initialise(specs(&config), &stream, &FlexDevice),
        config,
        tokenizer: Some(tokenizer),
        source,
        origin: None,
        letters: ModelLetters::default(),
    }
}

fn causal() -> SequencesModel {
    let config = json!({"kind": "llama", "context": 16, "num_layers": 2, "num_heads": 2,
                        "width": 16, "feed_forward_width": 24, "initialiser_std": 0.3});
    model(config, Tokenizer::smiles(["C", "O", "N", "(", ")"].map(str::to_owned)))
}

fn protein() -> SequencesModel {
    let config = json!({"kind": "esm2", "context": 32, "num_layers": 2, "num_heads": 2,
                        "width": 16, "initialiser_std": 0.3});
    model(config, Tokenizer::amino_acid())
}

fn samples(model: &SequencesModel, prompt: &str, options: &GenerateOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    generate(model, prompt, options, &mut |sample| samples.push(sample)).unwrap();
    samples
}

/// Writes `text` into `folder` and returns its path.
fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn score_text(
    model: &SequencesModel,
    text: &str,
    options: &ScoreOptions,
) -> Result<
    genesis_train::sequences::inference::ScoreTable,
    genesis_train::sequences::inference::InferenceError,
> {
    let folder = tempfile::tempdir().unwrap();
    score(model, &file(folder.path(), "input", text), options, &mut |_, _| {})
}

#[test]
fn a_seed_gives_the_same_samples_whatever_their_number() {
    let model = causal();
    let options = |count, seed| GenerateOptions { count, seed, ..GenerateOptions::default() };
    let five = samples(&model, "CC", &options(5, 3));
    assert_eq!(samples(&model, "CC", &options(2, 3)), five[..2]);
    assert_ne!(samples(&model, "CC", &options(5, 4)), five);
    let distinct = five.iter().any(|sample| sample.tokens != five[0].tokens);
    assert!(distinct, "samples of one seed are drawn independently");
}

#[test]
fn samples_end_at_the_end_token_the_limit_or_the_context() {
    let model = causal();
    let eos = model.tokenizer().unwrap().eos();
    let options = GenerateOptions { count: 40, seed: 1, ..GenerateOptions::default() };
    for sample in samples(&model, "C", &options) {
        let ended_by_token = sample.tokens.last().copied() == eos;
        assert_eq!(sample.ended == Ended::EndOfSequence, ended_by_token);
        // The prompt is begin token and one atom: 14 of 16 places are left.
        assert!(sample.tokens.len() <= 14);
        assert!(ended_by_token || sample.tokens.len() == 14 && sample.ended == Ended::ContextFull);
    }
    let limited = GenerateOptions { max_tokens: Some(2), count: 40, ..options };
    assert!(samples(&model, "C", &limited).iter().all(|sample| sample.tokens.len() <= 2));
}

#[test]
fn ids_that_the_tokenizer_does_not_have_are_never_drawn() {
    let config = json!({"kind": "llama", "context": 16, "num_layers": 1, "num_heads": 2,
                        "width": 16, "vocab_size": 64, "initialiser_std": 0.5});
    let padded = model(config, Tokenizer::smiles(["C", "O"].map(str::to_owned)));
    let size = padded.tokenizer().unwrap().vocab_size();
    for (temperature, top_k) in [(5.0, None), (5.0, Some(60)), (0.0, None)] {
        let options = GenerateOptions { temperature, top_k, count: 50, ..Default::default() };
        let samples = samples(&padded, "C", &options);
        assert!(samples.iter().flat_map(|sample| &sample.tokens).all(|&token| token < size));
        assert!(samples.iter().all(|sample| sample.log_likelihood.is_finite()));
    }
}

#[test]
fn every_end_token_that_the_settings_list_ends_a_sample() {
    let mut model = causal();
    let vocabulary = model.tokenizer().unwrap().vocab_size();
    let all: Vec<u32> = (0..vocabulary).collect();
    let settings = json!({"eos_token_id": all}).to_string();
    let texts = [("generation_config.json".to_owned(), settings)].into();
    model.origin = Some(Origin::new(Preserved::default(), String::new(), texts));
    for sample in samples(&model, "C", &GenerateOptions { count: 10, ..Default::default() }) {
        assert_eq!((sample.tokens.len(), sample.ended), (1, Ended::EndOfSequence));
    }
}

#[test]
fn a_prompt_has_the_letters_that_the_data_of_the_model_had() {
    let config = json!({"kind": "llama", "context": 16, "num_layers": 1, "num_heads": 2,
                        "width": 16, "feed_forward_width": 24, "initialiser_std": 0.3});
    let mut model = model(config, Tokenizer::amino_acid());
    let options = GenerateOptions { max_tokens: Some(1), ..GenerateOptions::default() };
    assert_eq!(samples(&model, "mkt", &options).len(), 1);
    let refused = generate(&model, "MK-T", &options, &mut |_| {}).unwrap_err().to_string();
    assert!(refused.contains("gaps left out (1 met)") && refused.contains("`MKT`"), "{refused}");
    model.letters.rules.gaps = Some(LetterRule::Keep);
    assert_eq!(samples(&model, "MK-T", &options).len(), 1);
}

#[test]
fn the_blank_between_prompt_and_continuation_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let words = json!({"the": 0, "cat": 1, "sat": 2, "##s": 3, "[UNK]": 4});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    });
    let path = file(folder.path(), "tokenizer.json", &tokenizer.to_string());
    let config = json!({"kind": "gpt2", "context": 16, "num_layers": 1, "num_heads": 2,
                        "width": 16, "initialiser_std": 0.5});
    let model = model(config, Tokenizer::from_file(&path).unwrap());
    let options = GenerateOptions { count: 20, max_tokens: Some(3), ..Default::default() };
    for sample in samples(&model, "the cat", &options) {
        let tokenizer = model.tokenizer().unwrap();
        let whole = tokenizer.decode(&[&[0, 1], &sample.tokens[..]].concat());
        assert_eq!(format!("{}{}", sample.prompt, sample.text), whole);
    }
}

#[test]
fn generation_goes_on_beyond_the_context_in_a_window() {
    let mut model = causal();
    let long = GenerateOptions { max_tokens: Some(50), count: 20, ..GenerateOptions::default() };
    let longest = samples(&model, "C", &long).into_iter().map(|sample| sample.tokens.len()).max();
    assert!(longest > Some(14), "{longest:?}");
    // Until the context is full, the window changes nothing.
    let short = GenerateOptions { max_tokens: None, ..long.clone() };
    for (long, short) in samples(&model, "C", &long).iter().zip(samples(&model, "C", &short)) {
        assert_eq!(long.tokens[..short.tokens.len()], short.tokens);
    }
    // A context of one token leaves a window of one.
    model.config.context = 3;
    assert!(!samples(&model, "C", &long).is_empty());
}

#[test]
fn temperature_zero_follows_the_largest_logit_and_ignores_the_seed() {
    let model = causal();
    let greedy = |seed| {
        let options = GenerateOptions { temperature: 0.0, seed, ..GenerateOptions::default() };
        samples(&model, "CO", &options).remove(0)
    };
    assert_eq!(greedy(1).tokens, greedy(2).tokens);
    let mut tokens = model.tokenizer().unwrap().encode_prompt("CO").unwrap();
    for expected in greedy(1).tokens {
        // Without the cache: the whole sequence again for each token.
        let logits =
            model.network().decode(&tokens, &mut KvCache::new(&model.config), Precision::Full);
        let logits: Vec<f32> = logits.unwrap().into_data().into_vec().unwrap();
        let best =
            (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a)));
        assert_eq!(best, Some(expected as usize));
        tokens.push(expected);
    }
}

#[test]
fn a_sample_states_the_log_likelihood_that_score_gives_its_tokens() {
    let model = causal();
    let options = GenerateOptions { count: 30, seed: 5, ..GenerateOptions::default() };
    let complete = samples(&model, "", &options)
        .into_iter()
        .find(|sample| sample.ended == Ended::EndOfSequence && !sample.text.is_empty())
        .unwrap();
    let plain = complete.tokens[..complete.tokens.len() - 1].iter();
    if plain.copied().any(|token| model.tokenizer().unwrap().is_special(token)) {
        return;
    }
    let table = score_text(&model, &complete.text, &ScoreOptions::default()).unwrap();
    assert_eq!(table.summary.method, Method::LogLikelihood);
    let difference = (table.rows[0].score - complete.log_likelihood).abs();
    // Rounding of f32 logits of cached and uncached passes, a few units in the last place each.
    assert!(difference < 1e-4, "{} against {}", table.rows[0].score, complete.log_likelihood);
}

#[test]
fn what_cannot_be_generated_is_refused_with_the_reason() {
    let refusal = |model: &SequencesModel, prompt: &str, options: &GenerateOptions| {
        generate(model, prompt, options, &mut |_| {}).unwrap_err().to_string()
    };
    let options = GenerateOptions::default();
    assert!(refusal(&protein(), "MK", &options).contains("masked"));
    assert!(refusal(&causal(), &"C".repeat(20), &options).contains("context of 16"));
    let zero = GenerateOptions { top_k: Some(0), ..options.clone() };
    assert!(refusal(&causal(), "C", &zero).contains("top_k"));
    let mut mute = causal();
    mute.tokenizer = None;
    assert!(refusal(&mute, "C", &options).contains("no tokenizer"));
}

#[test]
fn the_mean_embedding_is_the_mean_of_the_residues_rows() {
    let model = protein();
    let folder = tempfile::tempdir().unwrap();
    let input = file(folder.path(), "in.fasta", ">a\nMKLV\n>b x\nMKLVAAG\n");
    let run = |name: &str, per_token| {
        let out = folder.path().join(name);
        let options = EmbedOptions { per_token, ..EmbedOptions::default() };
        let summary = embed(&model, &input, &out, &options, &mut |_, _| {}).unwrap();
        assert_eq!((summary.num_sequences, summary.num_tokens, summary.width), (2, 11, 16));
        out
    };
    let means = read_safetensors(&run("mean.safetensors", false)).unwrap();
    let rows = read_safetensors(&run("rows.safetensors", true)).unwrap();
    assert_eq!((&rows["a"].shape, &rows["b"].shape), (&vec![4, 16], &vec![7, 16]));
    for id in ["a", "b"] {
        let (mean, states) = (means[id].as_f32().unwrap(), rows[id].as_f32().unwrap());
        for (column, value) in mean.iter().enumerate() {
            let of_column = states.iter().skip(column).step_by(16);
            let count = rows[id].shape[0] as f64;
            let expected = of_column.map(|&x| f64::from(x)).sum::<f64>() / count;
            // One rounding to f32.
            assert!((f64::from(*value) - expected).abs() <= 1e-7 * expected.abs().max(1e-3));
        }
    }
    run("mean.parquet", false);
    run("rows.parquet", true);
}

#[test]
fn a_sequence_is_embedded_alike_alone_and_in_company() {
    let model = protein();
    let folder = tempfile::tempdir().unwrap();
    let embed_text = |name: &str, text: &str| {
        let input = file(folder.path(), name, text);
        let out = folder.path().join(format!("{name}.safetensors"));
        embed(&model, &input, &out, &EmbedOptions::default(), &mut |_, _| {}).unwrap();
        read_safetensors(&out).unwrap().remove("a").unwrap().as_f32().unwrap()
    };
    let alone = embed_text("alone", ">a\nMKLV\n");
    let among = embed_text("among", ">z\nAAAAAAA\n>a\nMKLV\n>y\nGG\n");
    for (x, y) in alone.iter().zip(&among) {
        // Matrix products of other sizes may round differently.
        assert!((x - y).abs() <= 1e-5, "{x} against {y}");
    }
}

#[test]
fn two_sequences_of_one_id_are_refused_in_safetensors_and_kept_in_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let input = file(folder.path(), "in.fasta", ">a\nMK\n>a\nLV\n");
    let run = |name: &str| {
        let out = folder.path().join(name);
        embed(&protein(), &input, &out, &EmbedOptions::default(), &mut |_, _| {})
    };
    assert!(run("x.safetensors").unwrap_err().to_string().contains("record 2 (`a`)"));
    assert!(run("x.txt").unwrap_err().to_string().contains(".safetensors, .parquet"));
    assert_eq!(run("x.parquet").unwrap().num_sequences, 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn the_wild_type_itself_scores_exactly_zero() {
    let given =
        |text: &str| ScoreOptions { wild_type: Some(text.to_owned()), ..Default::default() };
    let table = score_text(&protein(), ">w\nMKLVAG\n>v\nMKLVAC\n", &given("MKLVAG")).unwrap();
    assert_eq!(table.summary.method, Method::MaskedMarginal);
    assert_eq!(table.rows[0].score.to_bits(), 0.0f64.to_bits());
    assert_eq!(table.rows[1].mutations, "G6C");
    assert!(table.rows[1].score.abs() > 0.0);
}

#[test]
fn a_masked_marginal_is_the_difference_of_two_log_probabilities_at_the_masked_place() {
    let model = protein();
    let given = ScoreOptions { wild_type: Some("MKLVAG".to_owned()), ..Default::default() };
    let table = score_text(&model, ">v\nMRLVAC\n", &given).unwrap();
    // Pseudo-log-likelihoods mask one place at a time too; sequences that differ from the wild type
    // at that place only share their mask context with it.
    let pseudo = ScoreOptions { pseudo_likelihood: true, ..Default::default() };
    let term = |sequence: &str, place: usize| {
        score_text(&model, sequence, &pseudo).unwrap().rows[0].terms[place]
    };
    let expected = term("MRLVAG", 1) - term("MKLVAG", 1) + term("MKLVAC", 5) - term("MKLVAG", 5);
    assert!((table.rows[0].score - expected).abs() < 1e-5, "{} {expected}", table.rows[0].score);
    assert_eq!(table.rows[0].mutations, "K2R:G6C");
}

#[test]
fn variants_in_notation_score_like_the_sequences_they_stand_for() {
    let model = protein();
    let given = ScoreOptions { wild_type: Some("MKLVAG".to_owned()), ..Default::default() };
    let named = score_text(&model, "K2R 0.5\nG6C,1.5\nK2R:G6C\t2.5\n", &given).unwrap();
    let whole =
        score_text(&model, ">a|0.5\nMRLVAG\n>b|1.5\nMKLVAC\n>c|2.5\nMRLVAC\n", &given).unwrap();
    let scores = |table: &genesis_train::sequences::inference::ScoreTable| {
        table.rows.iter().map(|row| (row.score, row.measured)).collect::<Vec<_>>()
    };
    assert_eq!(scores(&named), scores(&whole));
    assert_eq!(named.rows[2].id, "K2R:G6C");
    assert_eq!((named.summary.spearman_n, whole.summary.spearman), (3, named.summary.spearman));
}

#[test]
fn without_a_wild_type_the_consensus_is_used_and_named() {
    let text = ">a|1\nMKLV\n>b|2\nMKLA\n>c|3\nMRLV\n";
    let table = score_text(&protein(), text, &ScoreOptions::default()).unwrap();
    assert_eq!(table.summary.wild_type_from.as_deref(), Some("consensus of 3 sequences"));
    assert_eq!(table.rows[0].mutations, "");
    assert_eq!(table.summary.spearman_n, 3);
    assert!(table.summary.to_string().contains("(n = 3)"));
}

#[test]
fn variants_that_do_not_fit_are_refused_with_record_and_reason() {
    let model = protein();
    let given = ScoreOptions { wild_type: Some("MKLV".to_owned()), ..Default::default() };
    for (text, options, expected) in [
        ("A2G\n", &given, "line 1 (`1`): A2G: the wild type has K at position 2, not A"),
        (">x\nMKL\n", &given, "3 letters but the wild type has 4"),
        (">x\nMK\n>y\nMKL\n", &ScoreOptions::default(), "no consensus; give --wild-type"),
        (">x\nM1K\n>y\nM1K\n", &ScoreOptions::default(), "'1' at offset 1 is not a letter"),
        (">x\nMK\n", &ScoreOptions::default(), "1 sequence"),
        (">x\nMK\n>y\nMV\n", &ScoreOptions::default(), "no majority at position 2: K and V"),
    ] {
        let error = score_text(&model, text, options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_list_of_variants_is_read_whole_or_refused_by_the_part_that_is_not_understood() {
    let model = protein();
    let given = ScoreOptions { wild_type: Some("mkl v*".to_owned()), ..Default::default() };
    let list = "k2r:V4A\nK2R,V4A 0.5\nK2R;V4A\nK2R V4A\nK2R/V4A\nK2R,V4*\nMRLA\n";
    let table = score_text(&model, list, &given).unwrap();
    assert_eq!(table.rows.len(), 6);
    for row in &table.rows {
        assert_eq!((row.mutations.as_str(), row.score), ("K2R:V4A", table.rows[0].score));
    }
    assert_eq!(table.rows[1].measured, Some(0.5));
    let refused = &table.summary.refused;
    assert_eq!((refused.len(), refused[0].line), (1, 6));
    assert!(refused[0].problem.contains("`V4*`"), "{refused:?}");
}

#[test]
fn a_wild_type_keeps_the_case_that_its_tokenizer_reads() {
    let given =
        |text: &str| ScoreOptions { wild_type: Some(text.to_owned()), ..Default::default() };
    let table = score_text(&causal(), "c1ccccc1\nCCO\n", &given("c1ccccc1")).unwrap();
    assert_eq!(table.summary.method, Method::LogLikelihoodRatio);
    assert!(table.rows[0].score.abs() < 1e-9 && table.rows[1].score.abs() > 1e-9);
    let error = score_text(&causal(), "CCO\n", &given("missing.fasta")).unwrap_err().to_string();
    assert!(error.contains("no file `missing.fasta`"), "{error}");
    let error = score_text(&causal(), "CCO\n", &given("C?!")).unwrap_err().to_string();
    assert!(error.contains("neither a file nor a sequence"), "{error}");
}

#[test]
fn the_token_that_ends_a_sequence_is_scored_or_not_and_the_summary_says_which() {
    let model = causal();
    let table = |end_token| {
        score_text(&model, "CCO\n", &ScoreOptions { end_token, ..Default::default() }).unwrap()
    };
    let (usual, without) = (table(None), table(Some(false)));
    assert_eq!(usual.summary.end_token_included, Some(true));
    assert_eq!(without.summary.end_token_included, Some(false));
    assert_eq!(without.rows[0].terms[..], usual.rows[0].terms[..3]);
    assert_eq!(usual.rows[0].terms.len(), 4);
    assert!(without.summary.to_string().contains("is not scored"));
    let masked = ScoreOptions { end_token: Some(true), ..Default::default() };
    let error = score_text(&protein(), ">a\nMK\n", &masked).unwrap_err().to_string();
    assert!(error.contains("--end-token"), "{error}");
}

#[test]
fn what_cannot_be_used_is_listed_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let input = file(folder.path(), "two.fa", ">bad\nMK*LV\n>good\nMKLV\n>empty\n");
    let out = folder.path().join("e.parquet");
    let summary =
        embed(&protein(), &input, &out, &EmbedOptions::default(), &mut |_, _| {}).unwrap();
    assert_eq!((summary.num_sequences, summary.refused.len()), (1, 2));
    let bad = summary.refused.iter().find(|it| it.id == "bad").unwrap();
    assert!(bad.line == 1 && bad.problem.contains("inside the protein"), "{bad:?}");
}

#[test]
fn score_tables_are_written_in_every_format() {
    let table =
        score_text(&protein(), ">a|1\nMKLV\n>b|2\nMKLA\n>c|3\nMKLV\n", &ScoreOptions::default())
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["t.csv", "t.jsonl", "t.parquet"] {
        table.write(&folder.path().join(name)).unwrap();
    }
    let csv = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    assert!(csv.starts_with("id,score,num_terms,mean_term,mutations,measured\na|1,"), "{csv}");
    let first = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(
        first["terms"].as_array().map(Vec::len),
        first["num_terms"].as_u64().and_then(|n| usize::try_from(n).ok())
    );
}
