//! CRC-32C (Castagnoli) as `TFRecord` frames have it.

use crc32c::crc32c;

/// Added after rotation, so that checksums of data that hold checksums stay well mixed.
const MASK_DELTA: u32 = 0xA282_EAD8;

/// The masked form that `TFRecord` stores: rotated right by 15, plus a constant.
pub(super) fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the usual check value.
    #[test]
    fn checksums_match_the_published_vectors() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46DD_794E);
    }
}
