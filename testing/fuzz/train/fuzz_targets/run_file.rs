//! A run file and, behind zero bytes, `--set` values: what is accepted reads back equal from the saved plan.
#![no_main]

use std::fmt::Debug;

use genesis_train::keys::{Root, RunFile, to_text};
use genesis_train::sequences::SequencesConfig;
use genesis_train::structures::StructuresConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let overrides: Vec<String> = parts.map(str::to_owned).collect();
    read::<SequencesConfig>(file, &overrides);
    read::<StructuresConfig>(file, &overrides);
});

fn environment(name: &str) -> Option<String> {
    ["HOME", "SCRATCH"].contains(&name).then(|| "/home/$x".to_owned())
}

fn read<R: Root + PartialEq + Debug>(text: &str, overrides: &[String]) {
    let checked = |text: &str, overrides: &[String]| {
        RunFile::parse("run.toml", text, overrides).and_then(|file| file.check::<R>(&environment))
    };
    match checked(text, overrides) {
        Err(problems) => assert!(!problems.to_string().is_empty()),
        Ok(config) => {
            let saved = to_text(&config).expect("text came in as UTF-8");
            assert_eq!(checked(&saved, &[]).ok().as_ref(), Some(&config), "{saved}");
        }
    }
}
