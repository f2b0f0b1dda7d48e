//! The byte tokenizer: an id is a byte, and byte 0 ends a text.

use super::EncodeError;

/// NUL, which no text holds, ends a document.
pub(super) const END: u32 = 0;

/// Appends the bytes of `text`.
pub(super) fn encode(text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
    if let Some(offset) = memchr::memchr(0, text.as_bytes()) {
        return Err(EncodeError::Nul { offset });
    }
    ids.extend(text.bytes().map(u32::from));
    Ok(())
}

/// Text of ids below 256; invalid UTF-8 becomes U+FFFD.
pub(super) fn decode(ids: impl Iterator<Item = u32>) -> String {
    let bytes: Vec<u8> = ids.filter_map(|id| u8::try_from(id).ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each byte for people: printable ASCII as it is, the others as `<0x0A>`.
pub(super) fn shown_tokens() -> Vec<String> {
    (0..=u8::MAX)
        .map(|byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("<0x{byte:02X}>"),
        })
        .collect()
}

/// The character by which byte-level tokenizers write each byte in JSON: printable Latin-1 is
/// itself, the other bytes are U+0100 and up, in order.
///
/// Source: the byte-to-unicode table of GPT-2's tokenizer.
pub(super) fn byte_level_alphabet() -> Vec<char> {
    let mut next = 0x100;
    (0..=u8::MAX)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).expect("U+0100 to U+0143 are characters")
            }
        })
        .collect()
}
