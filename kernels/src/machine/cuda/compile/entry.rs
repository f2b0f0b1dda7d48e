//! What a store holds: a binary behind a head that says what it is and whether it is whole.
//!
//! ```text
//! bytes    magic, ends in a line break
//! 16       key, little endian: the hash of everything that decides the binary
//! 16       hash of the binary
//! rest     the binary
//! ```

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{PRELUDE, PRELUDE_NAME};
use crate::machine::launch::Source;

const MAGIC: &[u8] = b"genesis kernel 1\n";

/// The hash of source, prelude, options and version of the compiler.
pub(super) fn key(source: &Source, options: &[String], version: &str) -> u128 {
    let mut hasher = Xxh3::new();
    let parts = [source.name.as_ref(), source.text.as_ref(), PRELUDE_NAME, PRELUDE, version];
    for part in parts.into_iter().chain(options.iter().map(String::as_str)) {
        // The length keeps the parts apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.digest128()
}

/// The name of an entry: what people look for, then the key.
pub(super) fn name(source: &Source, key: u128) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let stem = source.name.trim_end_matches(".cu");
    let stem: String = stem.chars().map(plain).collect();
    format!("{stem}-{key:032x}.cubin")
}

/// An entry.
pub(super) fn encode(binary: &[u8], key: u128) -> Vec<u8> {
    [MAGIC, &key.to_le_bytes(), &xxh3_128(binary).to_le_bytes(), binary].concat()
}

/// The binary of an entry that is whole and has this key.
pub(super) fn decode(entry: &[u8], key: u128) -> Option<Vec<u8>> {
    let rest = entry.strip_prefix(MAGIC)?;
    let (found_key, rest) = rest.split_first_chunk::<16>()?;
    let (hash, binary) = rest.split_first_chunk::<16>()?;
    let is_whole = u128::from_le_bytes(*hash) == xxh3_128(binary);
    (u128::from_le_bytes(*found_key) == key && is_whole).then(|| binary.to_vec())
}
