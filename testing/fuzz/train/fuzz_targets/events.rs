//! `events.jsonl` and, behind zero bytes, `sessions.jsonl` and `samples.jsonl`: the report is a page or an error,
//! and cutting a record back to a step leaves one that can be read.
#![no_main]

use genesis_fuzz_data::scratch;
use genesis_train::families::declarations;
use genesis_train::report::events::{JsonLines, cut_after};
use genesis_train::report::{read_events, write_html};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = scratch::folder("run");
    let mut parts = bytes.splitn(3, |&byte| byte == 0);
    for name in ["events.jsonl", "sessions.jsonl", "samples.jsonl"] {
        if let Some(content) = parts.next() {
            std::fs::write(folder.join(name), content).expect("room");
        }
    }
    let _ = write_html(&folder, &declarations());
    let path = folder.join("events.jsonl");
    let before = read_events(&path).ok();
    let cut = cut_after(&path, 5);
    if let (Some(before), Ok(())) = (before, cut) {
        let after = read_events(&path).expect("it was readable");
        assert!(after.iter().all(|event| event.step <= 5) && after.len() <= before.len());
    }
    if let Ok(mut lines) = JsonLines::open(&path) {
        let _ = lines.extend_last(None, &std::collections::BTreeMap::from([("val_loss", 1.5)]));
    }
});
