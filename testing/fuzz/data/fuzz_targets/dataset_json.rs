//! Cards: any bytes (first byte 0), or edits of a card of tokens or of graphs, digests put right.
#![no_main]

use genesis_fuzz_data::damage::{self, Edits};
use genesis_fuzz_data::datasets::{WHOLE, card, copy, put_card, read_whole};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let whole = &WHOLE[usize::from(first % 2)];
    let folder = copy(whole);
    if first == 0 {
        put_card(&folder, rest);
    } else {
        let mut card = card(whole);
        damage::json(&mut card, &mut Edits(rest));
        put_card(&folder, card.to_string().as_bytes());
    }
    read_whole(&folder);
});
