//! Whether the raw files of a dataset are still those that it was made of.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use genesis_data::dataset::card::{CARD_FILE, SourceCard, sha256_of_file};
use serde::Deserialize;

/// What a card of any kind says of its raw files.
#[derive(Deserialize)]
struct Sources {
    sources: Vec<SourceCard>,
}

/// A sentence for every raw file of the dataset in `folder` that is another now, or gone. Files of the
/// same size that were not touched since are believed.
pub(super) fn changed_since(folder: &Path) -> Vec<String> {
    let card = folder.join(CARD_FILE);
    let Some(Sources { sources }) = read(&card) else { return Vec::new() };
    let made = fs::metadata(&card).and_then(|card| card.modified()).ok();
    let changes = sources.iter().filter_map(|source| Some((source, change(source, made)?)));
    let told = |(source, change): (&SourceCard, String)| {
        format!(
            "note: {} {change}; the run goes on with the dataset it made, {}; another run.dir makes \
             one of the files as they are",
            source.path,
            folder.display()
        )
    };
    changes.map(told).collect()
}

fn read(card: &Path) -> Option<Sources> {
    serde_json::from_str(&fs::read_to_string(card).ok()?).ok()
}

fn change(source: &SourceCard, made: Option<SystemTime>) -> Option<String> {
    let path = Path::new(&source.path);
    // There is no file.
    if source.format == "generated" {
        return None;
    }
    let Ok(found) = fs::metadata(path) else { return Some("is not there any more".to_owned()) };
    if found.len() != source.bytes {
        return Some(format!("had {} bytes and has {} now", source.bytes, found.len()));
    }
    let touched = found.modified().ok().zip(made).is_none_or(|(touched, made)| touched > made);
    if !touched {
        return None;
    }
    match sha256_of_file(path, |_| ()) {
        Ok((_, digest)) if digest == source.sha256 => None,
        Ok(_) => Some("has other bytes now, of the same number".to_owned()),
        Err(error) => Some(format!("was touched since and cannot be compared ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A card of three files, and the folder it lies in.
    fn dataset(folder: &Path) {
        let source = |name: &str| {
            let path = folder.join(name);
            fs::write(&path, "one\ntwo\n").unwrap();
            let (bytes, sha256) = sha256_of_file(&path, |_| ()).unwrap();
            let (path, format) = (path.display().to_string(), "text".to_owned());
            SourceCard { path, bytes, sha256, format, records: 2 }
        };
        let sources: Vec<_> = ["grows", "turns", "goes"].map(source).to_vec();
        let card = serde_json::json!({ "sources": sources, "more": 1 }).to_string();
        fs::write(folder.join(CARD_FILE), card).unwrap();
    }

    #[test]
    fn files_that_grow_turn_into_others_or_go_are_named() {
        let folder = tempfile::tempdir().unwrap();
        dataset(folder.path());
        assert_eq!(changed_since(folder.path()), [""; 0], "nothing changed");
        fs::write(folder.path().join("grows"), "one\ntwo\nthree\n").unwrap();
        // A later second, whatever the file system keeps of it.
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        let turns = folder.path().join("turns");
        fs::write(&turns, "one\nTWO\n").unwrap();
        File::options().write(true).open(&turns).unwrap().set_modified(later).unwrap();
        fs::remove_file(folder.path().join("goes")).unwrap();
        let told = changed_since(folder.path());
        for (sentence, part) in told.iter().zip(["grows had 8", "turns has other", "goes is not"]) {
            assert!(sentence.contains(part) && sentence.contains("run.dir"), "{sentence}");
        }
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn a_file_that_was_only_touched_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        dataset(folder.path());
        let file = File::options().write(true).open(folder.path().join("grows")).unwrap();
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
        assert_eq!(changed_since(folder.path()), [""; 0]);
    }
}
