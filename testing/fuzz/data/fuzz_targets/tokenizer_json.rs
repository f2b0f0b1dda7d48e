//! `tokenizer.json` and the file beside it, divided by a zero byte: loading, and encoding with what loads.
#![no_main]

use genesis_data::sequences::tokenize::Tokenizer;
use genesis_fuzz_data::scratch;
use libfuzzer_sys::fuzz_target;

const TEXTS: [&str; 4] = ["the cat sat", "MKT<mask>A", "naïve 語\u{0}\u{feff}", " \t\n"];

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let folder = scratch::folder("tokenizer");
    let put = |name: &str, text| std::fs::write(folder.join(name), text).expect("room");
    put("tokenizer.json", parts.next().unwrap_or_default());
    if let Some(config) = parts.next() {
        put("tokenizer_config.json", config);
    }
    let Ok(tokenizer) = Tokenizer::load(&folder) else { return };
    for text in TEXTS {
        let mut ids = Vec::new();
        let _ = tokenizer.encode_framed(text, &mut ids);
        if let Ok(prompt) = tokenizer.encode_prompt(text) {
            ids.extend(prompt);
        }
        tokenizer.decode(&ids);
    }
    tokenizer.decode(&[0, 1, u32::MAX, tokenizer.vocab_size()]);
    let again = scratch::folder("saved");
    if tokenizer.save(&again).is_ok() {
        let same = Tokenizer::load(&again).and_then(|it| it.digest()).ok();
        assert_eq!(same, tokenizer.digest().ok(), "a saved tokenizer is the tokenizer");
    }
});
