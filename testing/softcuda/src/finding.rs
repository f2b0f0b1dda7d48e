//! What was found: printed, added to the report, counted.
//!
//! A finding is what a correct program never does. Not here: errors that the driver documents and a program may
//! provoke on purpose, such as running out of memory.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::settings::settings;

static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Every finding of this process so far.
pub fn findings() -> Vec<String> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Remembers a finding, once for each text.
pub(crate) fn found(text: &str) {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if found.iter().any(|known| known == text) {
        return;
    }
    found.push(text.to_owned());
    eprintln!("softcuda: finding: {text}");
    report(&format!("finding: {text}"));
}

/// Adds a line to the report, when there is one.
pub(crate) fn report(line: &str) {
    let Some(path) = &settings().report else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("softcuda: cannot write {}: {error}", path.display());
    }
}
