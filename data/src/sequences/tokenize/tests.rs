//! Properties of the tokenizers, and their agreement with the `tokenizer.json` they save.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut ids).unwrap();
    ids
}

fn refusal(tokenizer: &Tokenizer, text: &str) -> EncodeError {
    let mut ids = vec![7];
    let error = tokenizer.encode(text, &mut ids).expect_err(text);
    assert_eq!(ids, [7], "a refused text leaves the output as it was");
    error
}

fn smiles_tokenizer() -> Tokenizer {
    let text = "CC(=O)Oc1ccccc1C(=O)O.[Na+][Cl-]ClBrN#%10[nH]/\\@";
    Tokenizer::smiles(smiles_tokens(text).map(|t| t.unwrap().to_owned()))
}

/// The saved tokenizer.json, run by the `tokenizers` library.
fn saved(tokenizer: &Tokenizer) -> tokenizers::Tokenizer {
    let dir = tempfile::tempdir().unwrap();
    tokenizer.save(dir.path()).unwrap();
    let again = Tokenizer::load(dir.path()).unwrap();
    assert_eq!((again.kind(), again.card()), (tokenizer.kind(), tokenizer.card()));
    tokenizers::Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap()
}

/// Ids of the saved file equal ours: the body, and what special tokens are added.
fn assert_same_ids(tokenizer: &Tokenizer, file: &tokenizers::Tokenizer, text: &str) {
    let mut expected = tokenizer.encode_prompt(text).unwrap();
    if tokenizer.kind() == TokenizerKind::AminoAcid {
        expected.extend(tokenizer.eos());
    }
    assert_eq!(file.encode(text, true).unwrap().get_ids(), expected, "{text:?}");
    let plain: Vec<u32> =
        expected.into_iter().filter(|&id| Some(id) != tokenizer.unknown()).collect();
    assert_eq!(file.decode(&plain, true).unwrap(), tokenizer.decode(&plain), "{text:?}");
}

#[test]
fn amino_acids_have_the_ids_of_the_published_esm2_vocabulary() {
    let tokenizer = Tokenizer::amino_acid();
    assert_eq!(tokenizer.vocab_size(), 33);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(2)));
    assert_eq!((tokenizer.pad(), tokenizer.mask()), (Some(1), Some(32)));
    assert_eq!(ids(&tokenizer, "MKT"), [0, 20, 15, 11, 2]);
    assert_eq!(
        ids(&tokenizer, "LAGVSERTIDPKQNFYMHWCXBUZO.-")[1..28],
        (4..31).collect::<Vec<u32>>()
    );
    assert_eq!(tokenizer.residues(), (4..24).collect::<Vec<u32>>());
}

#[test]
fn proteins_fold_case_skip_white_space_and_drop_one_final_stop() {
    let tokenizer = Tokenizer::amino_acid();
    assert_eq!(ids(&tokenizer, "mk t\r\n"), ids(&tokenizer, "MKT"));
    assert_eq!(ids(&tokenizer, "MKT*\n"), ids(&tokenizer, "MKT"));
    assert_eq!(ids(&tokenizer, "MJT"), [0, 20, 3, 11, 2]);
    assert_eq!(refusal(&tokenizer, "MK*T"), EncodeError::StopInside { offset: 2 });
    assert_eq!(refusal(&tokenizer, "MK**"), EncodeError::StopInside { offset: 2 });
    assert_eq!(refusal(&tokenizer, "*"), EncodeError::Empty);
    assert_eq!(refusal(&tokenizer, " \n"), EncodeError::Empty);
    assert!(matches!(refusal(&tokenizer, "MK1"), EncodeError::Character { offset: 2, .. }));
    assert!(matches!(refusal(&tokenizer, "M\u{7}"), EncodeError::Character { offset: 1, .. }));
    assert!(matches!(refusal(&tokenizer, "Mé"), EncodeError::Character { character: 'é', .. }));
}

#[test]
fn nucleotides_fold_case_and_read_uracil_as_thymine() {
    let tokenizer = Tokenizer::nucleotide();
    assert_eq!(ids(&tokenizer, "acgun"), ids(&tokenizer, "ACGTN"));
    assert_eq!(tokenizer.decode(&ids(&tokenizer, "ACGTNRYSWKMBDHV")), "ACGTNRYSWKMBDHV");
    assert!(matches!(refusal(&tokenizer, "ACGE"), EncodeError::Character { offset: 3, .. }));
}

#[test]
fn special_tokens_are_text_in_documents_and_tokens_in_prompts() {
    let tokenizer = Tokenizer::amino_acid();
    assert!(matches!(refusal(&tokenizer, "M<mask>K"), EncodeError::Character { offset: 1, .. }));
    assert_eq!(tokenizer.encode_prompt("M<mask>K").unwrap(), [0, 20, 32, 15]);
    let bpe = train_bpe(["a b c a b c".to_owned()].into_iter(), 300).unwrap();
    assert_eq!(ids(&bpe, "<|endoftext|>").iter().filter(|&&id| id == 0).count(), 1, "its own end");
    assert_eq!(bpe.encode_prompt("<|endoftext|>").unwrap(), [0]);
}

#[test]
fn bytes_are_their_own_ids_and_nul_is_refused() {
    let tokenizer = Tokenizer::byte();
    assert_eq!(ids(&tokenizer, "Aé"), [65, 0xC3, 0xA9, 0]);
    assert_eq!(refusal(&tokenizer, "ab\0"), EncodeError::Nul { offset: 2 });
    assert_eq!(tokenizer.decode(&[0xC3]), "\u{FFFD}");
    assert_eq!(tokenizer.token_text(10), Some("<0x0A>"));
}

#[test]
fn smiles_are_covered_fully_or_refused_with_the_offset() {
    let tokenizer = smiles_tokenizer();
    assert_eq!(tokenizer.decode(&ids(&tokenizer, " CC(=O)OCl[Na+]\n")), "CC(=O)OCl[Na+]");
    let near = |offset, near: &str| EncodeError::NotSmiles { offset, near: near.to_owned() };
    assert_eq!(refusal(&tokenizer, "CCQ1"), near(2, "Q1"));
    assert_eq!(refusal(&tokenizer, "CC C"), near(2, " C"));
    assert_eq!(refusal(&tokenizer, "C[NH"), near(1, "[NH"));
    assert_eq!(refusal(&tokenizer, "C%1"), near(1, "%1"));
    assert_eq!(ids(&tokenizer, "C[Xe]"), [1, ids(&tokenizer, "C")[1], 3, 2], "unseen: <unk>");
}

#[test]
fn the_smiles_vocabulary_is_sorted_so_order_of_data_does_not_matter() {
    let make = |tokens: &[&str]| Tokenizer::smiles(tokens.iter().map(|&t| t.to_owned())).card();
    assert_eq!(make(&["C", "Br", "="]), make(&["=", "C", "C", "Br"]));
}

#[test]
fn bpe_training_gives_the_same_vocabulary_twice_and_round_trips() {
    let texts: Vec<String> =
        (0..400).map(|i| format!("line {i}: the cat and the hat, naïve café {}", i * i)).collect();
    let one = train_bpe(texts.iter().cloned(), 400).unwrap();
    let two = train_bpe(texts.iter().cloned(), 400).unwrap();
    assert!(one.vocab_size() > 300);
    assert_eq!(saved(&one).to_string(false).unwrap(), saved(&two).to_string(false).unwrap());
    for text in &texts {
        assert_eq!(&one.decode(&ids(&one, text)), text);
    }
    assert!(train_bpe(texts.into_iter(), 256).is_err(), "too small for the bytes");
}

#[test]
fn a_folder_that_is_no_tokenizer_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let message = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("no tokenizer.json"), "{message}");
    std::fs::write(dir.path().join("tokenizer.json"), "{]").unwrap();
    let message = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("tokenizer.json"), "{message}");
}

#[test]
fn a_vocabulary_that_skips_ids_is_written_as_it_came_and_one_id_is_one_token() {
    let file = |vocabulary: &str| {
        format!(
            r#"{{"padding":{{"strategy":"BatchLongest","direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"a"}},"pre_tokenizer":{{"type":"Whitespace"}},"model":{{"type":"WordLevel","vocab":{vocabulary},"unk_token":"a"}}}}"#
        )
    };
    let [folder, again] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let load = |vocabulary: &str| {
        std::fs::write(folder.path().join("tokenizer.json"), file(vocabulary)).unwrap();
        Tokenizer::load(folder.path())
    };
    let skipping = load(r#"{"a":0,"b":3}"#).unwrap();
    assert_eq!((skipping.vocab_size(), ids(&skipping, "b a")), (4, vec![3, 0]));
    skipping.save(again.path()).unwrap();
    let saved = Tokenizer::load(again.path()).unwrap();
    assert_eq!(saved.digest().unwrap(), skipping.digest().unwrap());
    assert_eq!(ids(&saved, "b a c"), [3, 0, 0]);
    let error = load(r#"{"a":0,"b":0}"#).unwrap_err().to_string();
    assert!(error.contains("`a` and `b` both have the id 0"), "{error}");
}

#[test]
fn a_file_of_the_library_that_is_damaged_anywhere_is_an_error() {
    let whole = r#"{"added_tokens":[],"pre_tokenizer":{"type":"Whitespace"},"decoder":{"type":"WordPiece",
        "prefix":"\u0023\u0023","cleanup":true},"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Tokenizer::from_file(&path)
    };
    assert_eq!(load(whole).unwrap().vocab_size(), 1);
    for cut in 0..whole.len() {
        assert!(load(&whole[..cut]).unwrap_err().to_string().contains("JSON"), "cut at {cut}");
        let without = format!("{}{}", &whole[..cut], &whole[cut + 1..]);
        // The library panics at a decoder that is no JSON; what else is left out may be a file too.
        let _ = load(&without);
    }
}

#[test]
fn a_saved_file_that_was_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Tokenizer::nucleotide().save(dir.path()).unwrap();
    let path = dir.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"R\": 10", "\"R\": 11")).unwrap();
    let message = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("not the nucleotide tokenizer"), "{message}");
}

#[test]
fn files_for_a_masked_model_end_texts_and_those_for_a_causal_one_leave_prompts_open() {
    let all = [Tokenizer::amino_acid(), Tokenizer::nucleotide(), smiles_tokenizer()];
    for (tokenizer, text) in all.into_iter().zip(["MKT", "ACG", "CCO"]) {
        let document = ids(&tokenizer, text);
        for causal in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            tokenizer.save_for_model(dir.path(), causal).unwrap();
            let expected = &document[..document.len() - usize::from(causal)];
            assert_eq!(Tokenizer::ids_of_library(dir.path(), text).unwrap(), expected);
            let again = Tokenizer::load(dir.path()).unwrap();
            assert_eq!(ids(&again, text), document, "here it is the same tokenizer");
            assert_eq!(again.digest().unwrap(), tokenizer.digest().unwrap());
        }
    }
}

#[test]
fn an_esm2_checkpoint_with_a_vocabulary_list_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("vocab.txt"), residue::AMINO_ACID.join("\n")).unwrap();
    assert_eq!(Tokenizer::load(dir.path()).unwrap().kind(), TokenizerKind::AminoAcid);
}

#[test]
fn saved_tokenizers_give_the_same_ids_on_chosen_texts() {
    let check = |tokenizer: &Tokenizer, texts: &[&str]| {
        let file = saved(tokenizer);
        for text in texts {
            assert_same_ids(tokenizer, &file, text);
        }
    };
    check(&Tokenizer::amino_acid(), &["MKT", "mjx*", "M K\nT*\r\n", "A<mask>C", ""]);
    check(&Tokenizer::nucleotide(), &["ACGU", "acgtnryswkmbdhv", "A\nC<mask>"]);
    check(&Tokenizer::byte(), &["", "hello\nworld", "naïve ☃ \u{7f}\u{1}", "Ā ġ"]);
    check(&smiles_tokenizer(), &["CC(=O)Oc1ccccc1", " [Na+].[Cl-] ", "C[Xe]%10Br", "C<mask>O"]);
    let texts = ["the cat, the hat", "  two  spaces", "l'été 2024\n\n"];
    check(&train_bpe(texts.map(str::to_owned).into_iter(), 280).unwrap(), &texts);
}

/// Compares with files under `GENESIS_SHARED`; says so when they are absent.
fn shared(file: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests find their data by this variable")]
    let root = std::env::var("GENESIS_SHARED");
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let path = Path::new(root.as_deref().unwrap_or(fallback)).join("data").join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("SKIPPED: {} is absent", path.display());
    }
    text
}

#[test]
fn saved_tokenizers_give_the_same_ids_on_real_files() {
    if let Some(text) = shared("smiles/qm9.csv") {
        let strings: Vec<&str> = text.lines().skip(1).step_by(97).collect();
        let tokens = strings.iter().flat_map(|s| smiles_tokens(s));
        let tokenizer = Tokenizer::smiles(tokens.map(|t| t.unwrap().to_owned()));
        let file = saved(&tokenizer);
        for text in strings {
            assert_same_ids(&tokenizer, &file, text);
        }
    }
    let cases = [
        ("protein/sprot_archaea.fasta", Tokenizer::amino_acid()),
        ("genome/lambda_virus.fa", Tokenizer::nucleotide()),
        ("text/tinyshakespeare.txt", Tokenizer::byte()),
    ];
    for (name, tokenizer) in cases {
        let Some(text) = shared(name) else { continue };
        let file = saved(&tokenizer);
        for line in text.lines().filter(|l| !l.starts_with('>')).step_by(7).take(300) {
            assert_same_ids(&tokenizer, &file, line);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_without_nul_survives_the_byte_tokenizer(text in "[^\0]{1,80}") {
        let tokenizer = Tokenizer::byte();
        prop_assert_eq!(tokenizer.decode(&ids(&tokenizer, &text)), text);
    }

    #[test]
    fn any_protein_survives_the_amino_acid_tokenizer(text in "[LAGVSERTIDPKQNFYMHWCXBUZO.-]{1,80}") {
        let tokenizer = Tokenizer::amino_acid();
        prop_assert_eq!(tokenizer.decode(&ids(&tokenizer, &text)), text);
    }

    #[test]
    fn no_text_makes_a_tokenizer_panic(text in any::<String>()) {
        let tokenizers =
            [Tokenizer::byte(), Tokenizer::amino_acid(), Tokenizer::nucleotide(), smiles_tokenizer()];
        for tokenizer in tokenizers {
            let _ = tokenizer.encode(&text, &mut Vec::new());
            let _ = tokenizer.encode_prompt(&text);
        }
        let _ = smiles_is_balanced(&text);
    }

    #[test]
    fn no_ids_make_decoding_panic(numbers in proptest::collection::vec(any::<u32>(), 0..20)) {
        let bpe = train_bpe(["a b c a b c".to_owned()].into_iter(), 300).unwrap();
        for tokenizer in [Tokenizer::byte(), Tokenizer::amino_acid(), smiles_tokenizer(), bpe] {
            let _ = tokenizer.decode(&numbers);
        }
    }

    #[test]
    fn the_scanner_finds_the_tokens_of_the_published_pattern(
        text in r"[CNOSPFIBrclnosp()\[\]@H+=#%0-9./\\ Q-]{0,40}"
    ) {
        let pattern = regex::Regex::new(SMILES_PATTERN).unwrap();
        let trimmed = text.trim();
        let matches: Vec<&str> = pattern.find_iter(trimmed).map(|m| m.as_str()).collect();
        let covered = matches.concat() == trimmed;
        let scanned: Result<Vec<&str>, EncodeError> = smiles_tokens(&text).collect();
        prop_assert_eq!(scanned.is_ok(), covered);
        if let Ok(scanned) = scanned {
            prop_assert_eq!(scanned, matches);
        }
    }

    #[test]
    fn saved_alphabets_give_the_same_ids_on_random_sequences(
        protein in "[A-Za-z.\\- \n]{0,60}\\*?", bases in "[ACGTUNRYSWKMBDHVacgtun \n]{0,60}",
        text in "[^\0]{0,60}",
    ) {
        assert_same_ids(&Tokenizer::amino_acid(), &saved(&Tokenizer::amino_acid()), &protein);
        assert_same_ids(&Tokenizer::nucleotide(), &saved(&Tokenizer::nucleotide()), &bases);
        assert_same_ids(&Tokenizer::byte(), &saved(&Tokenizer::byte()), &text);
    }
}
