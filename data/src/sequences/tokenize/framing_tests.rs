//! What is put around a text is what the post-processor puts there, and names decide nothing.

use serde_json::{Value, json};

use super::*;

/// A folder with a tokenizer of words, `post_processor`, and the other files given.
fn folder(post_processor: &Value, others: &[(&str, Value)]) -> tempfile::TempDir {
    let names = ["<s>", "</s>", "<unk>", "[CLS]", "[SEP]", "<|endoftext|>", "a", "b"];
    let vocabulary: serde_json::Map<String, Value> =
        names.iter().zip(0..).map(|(name, id)| ((*name).to_owned(), json!(id))).collect();
    let special = |(name, id): (&&str, i32)| {
        json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let added: Vec<Value> = names.iter().zip(0..).take(6).map(special).collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": post_processor, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    });
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    write("tokenizer.json", &file);
    for (name, value) in others {
        write(name, value);
    }
    dir
}

fn template(begin: &[(&str, u32)], end: &[(&str, u32)]) -> Value {
    let token = |(name, _): &(&str, u32)| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let body = json!({"Sequence": {"id": "A", "type_id": 0}});
    let single: Vec<Value> =
        begin.iter().map(token).chain([body]).chain(end.iter().map(token)).collect();
    let special: serde_json::Map<String, Value> = begin
        .iter()
        .chain(end)
        .map(|(name, id)| ((*name).to_owned(), json!({"id": name, "ids": [id], "tokens": [name]})))
        .collect();
    json!({"type": "TemplateProcessing", "single": single, "pair": single,
           "special_tokens": special})
}

fn document(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut ids).unwrap();
    ids
}

#[test]
fn every_post_processor_is_obeyed_and_the_library_agrees() {
    let bert = json!({"type": "BertProcessing", "sep": ["[SEP]", 4], "cls": ["[CLS]", 3]});
    let roberta = json!({"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0],
                         "trim_offsets": true, "add_prefix_space": false});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                       "use_regex": true});
    let llama = template(&[("<s>", 0)], &[]);
    let both = json!({"type": "Sequence", "processors": [bytes, llama]});
    let two = template(&[("<s>", 0), ("[CLS]", 3)], &[("[SEP]", 4)]);
    let cases: [(&Value, &[u32], &[u32]); 7] = [
        (&Value::Null, &[], &[]),
        (&bytes, &[], &[]),
        (&llama, &[0], &[]),
        (&both, &[0], &[]),
        (&bert, &[3], &[4]),
        (&roberta, &[0], &[1]),
        (&two, &[0, 3], &[4]),
    ];
    let named = json!({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"});
    for (processor, begin, end) in cases {
        let dir = folder(processor, &[("tokenizer_config.json", named.clone())]);
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        let mut framed = Vec::new();
        tokenizer.encode_framed("a b", &mut framed).unwrap();
        assert_eq!(framed, [begin, &[6, 7], end].concat(), "{processor}");
        assert_eq!(framed, Tokenizer::ids_of_library(dir.path(), "a b").unwrap(), "{processor}");
        assert_eq!(tokenizer.encode_prompt("a b").unwrap(), [begin, &[6, 7]].concat());
        assert_eq!(tokenizer.frame(), (begin.len(), end.len()));
        // A text without an end of its own gets the one that separates documents, once.
        let last: &[u32] = if end.is_empty() { &[5] } else { end };
        assert_eq!(document(&tokenizer, "a b"), [begin, &[6, 7], last].concat(), "{processor}");
        let again = tempfile::tempdir().unwrap();
        tokenizer.save(again.path()).unwrap();
        let reloaded = Tokenizer::load(again.path()).unwrap();
        assert_eq!(reloaded.digest().unwrap(), tokenizer.digest().unwrap());
        assert_eq!(framed, Tokenizer::ids_of_library(again.path(), "a b").unwrap());
    }
}

#[test]
fn a_token_means_what_a_file_declares_and_nothing_by_its_name() {
    let bare = Tokenizer::load(folder(&Value::Null, &[]).path()).unwrap();
    assert_eq!((bare.bos(), bare.eos(), bare.unknown()), (None, None, Some(2)));
    assert_eq!(document(&bare, "a"), [6], "no token was declared to end a text");
    let config = ("config.json", json!({"eos_token_id": [1, 4], "bos_token_id": 0}));
    let model =
        Tokenizer::load(folder(&Value::Null, std::slice::from_ref(&config)).path()).unwrap();
    assert_eq!((model.bos(), model.eos()), (Some(0), Some(1)));
    let said = ("tokenizer_config.json", json!({"sep_token": "[SEP]", "cls_token": "[CLS]"}));
    let dir = folder(&Value::Null, &[config, said]);
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos()),
        (Some(3), Some(4)),
        "the tokenizer's file first"
    );
    tokenizer.save(dir.path()).unwrap();
    let written = std::fs::read_to_string(dir.path().join("tokenizer_config.json")).unwrap();
    assert!(!written.contains("bos_token"), "what was not declared is not made up: {written}");
    let wrong = ("tokenizer_config.json", json!({"eos_token": "<end>"}));
    let error = Tokenizer::load(folder(&Value::Null, &[wrong]).path()).unwrap_err().to_string();
    assert!(error.contains("`<end>`"), "{error}");
}

#[test]
fn a_vocabulary_may_skip_an_id_which_then_stands_for_nothing() {
    let dir = folder(&Value::Null, &[]);
    let path = dir.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"b\":7", "\"b\":9");
    std::fs::write(&path, text).unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!((tokenizer.vocab_size(), document(&tokenizer, "a b")), (10, vec![6, 9]));
    assert_eq!([6, 7, 8, 9, 10].map(|id| tokenizer.has(id)), [true, false, false, true, false]);
    assert_eq!(tokenizer.decode(&[6, 7, 9, 400]), "a b");
}

#[test]
fn tokenizers_of_one_kind_and_size_are_told_apart_by_their_digest() {
    let digest = |it: &Tokenizer| it.digest().unwrap();
    let tokenizer = |processor: &Value, others: &[(&str, Value)]| {
        Tokenizer::load(folder(processor, others).path()).unwrap()
    };
    let one = tokenizer(&Value::Null, &[]);
    assert_eq!(digest(&one), digest(&tokenizer(&Value::Null, &[])));
    assert_ne!(digest(&one), digest(&tokenizer(&template(&[("<s>", 0)], &[]), &[])));
    let ends = ("tokenizer_config.json", json!({"eos_token": "</s>"}));
    assert_ne!(digest(&one), digest(&tokenizer(&Value::Null, &[ends])));
    let smiles = |tokens: [&str; 2]| Tokenizer::smiles(tokens.map(str::to_owned));
    assert_eq!(digest(&smiles(["C", "O"])), digest(&smiles(["O", "C"])));
    assert_ne!(digest(&smiles(["C", "O"])), digest(&smiles(["C", "N"])));
    assert_ne!(digest(&Tokenizer::byte()), digest(&Tokenizer::amino_acid()));
}

#[test]
fn letters_are_read_by_the_rules_of_their_alphabet() {
    assert_eq!(Tokenizer::amino_acid().canonical("mk jx\n*"), "MKJX");
    assert_eq!(Tokenizer::nucleotide().canonical("acgu n"), "ACGTN");
    assert_eq!(Tokenizer::smiles(["c".to_owned()]).canonical(" c1ccccc1\n"), "c1ccccc1");
    assert_eq!(Tokenizer::byte().canonical("As is "), "As is ");
}
