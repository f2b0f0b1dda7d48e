//! Shards with other bytes and a card that says these are right: a hash proves a copy, not its author.
#![no_main]

use std::fs;

use genesis_fuzz_data::damage::Edits;
use genesis_fuzz_data::datasets::{WHOLE, card, copy, put_card, read_whole, sha256};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let whole = &WHOLE[usize::from(first % 2)];
    let folder = copy(whole);
    let mut card = card(whole);
    let shard = &mut card["shards"][0];
    let path = folder.join(shard["file"].as_str().expect("a name"));
    let mut content = fs::read(&path).expect("a shard");
    change(&mut content, &mut Edits(rest));
    fs::write(&path, &content).expect("room");
    put_right(shard, &content);
    put_card(&folder, card.to_string().as_bytes());
    read_whole(&folder);
});

fn change(content: &mut Vec<u8>, edits: &mut Edits<'_>) {
    while edits.more() && !content.is_empty() {
        let at = edits.below(content.len());
        match edits.byte() {
            0 => content.truncate(at),
            1 => content.splice(at..at, edits.number().to_le_bytes()).for_each(drop),
            _ => content[at] = edits.byte(),
        }
    }
}

fn put_right(shard: &mut Value, content: &[u8]) {
    shard["bytes"] = json!(content.len());
    shard["sha256"] = json!(sha256(content));
    for batch in shard["batches"].as_array_mut().into_iter().flatten() {
        let at =
            |name: &str| usize::try_from(batch[name].as_u64().expect("a number")).expect("small");
        let (from, length) = (at("offset"), at("bytes"));
        if let Some(message) = content.get(from..from + length) {
            batch["xxh3"] = json!(format!("{:016x}", xxh3_64(message)));
        }
    }
}
