//! gzip as people have it: several members one after the other, and zeros behind the last.
//!
//! Archives are padded with zeros to the size of a block, so zeros behind a member say nothing. Any
//! other bytes there may be a damaged member, and are an error. bgzip ends its files with an empty
//! block; where that is missing, the file may have been cut short between two blocks, which nothing
//! else tells.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::open::Tally;

pub(super) const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// What all members hold.
pub(super) struct Members<R: Read> {
    member: Option<GzDecoder<BufReader<R>>>,
    tally: Arc<Tally>,
    /// The file was made by bgzip.
    blocks: bool,
    /// Bytes that the current member gave.
    given: u64,
}

impl<R: Read> Members<R> {
    pub(super) fn new(packed: BufReader<R>, tally: Arc<Tally>) -> Self {
        Self { member: Some(GzDecoder::new(packed)), tally, blocks: false, given: 0 }
    }

    /// Goes to the next member; there is none after the end of the file.
    fn next_member(&mut self, ended: GzDecoder<BufReader<R>>) -> io::Result<()> {
        self.blocks |= ended.header().and_then(|it| it.extra()).is_some_and(is_block);
        let mut packed = ended.into_inner();
        loop {
            let ready = packed.fill_buf()?;
            let zeros = ready.iter().take_while(|&&byte| byte == 0).count();
            match ready.get(zeros) {
                None if zeros == 0 => break,
                None => packed.consume(zeros),
                Some(&byte) => {
                    packed.consume(zeros);
                    return self.begin(packed, byte);
                }
            }
        }
        if self.blocks && self.given > 0 {
            let note =
                "it was made by bgzip and lacks the empty block at its end: it may be cut short";
            self.tally.note(note.to_owned());
        }
        Ok(())
    }

    fn begin(&mut self, packed: BufReader<R>, first: u8) -> io::Result<()> {
        if first == MAGIC[0] {
            self.given = 0;
            self.member = Some(GzDecoder::new(packed));
            return Ok(());
        }
        let at = self.tally.bytes() - packed.buffer().len() as u64;
        let problem =
            format!("after its end, at byte {at}, come bytes that are neither gzip nor zeros");
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let n = member.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                self.given += n as u64;
                self.member = Some(member);
                return Ok(n);
            }
            self.next_member(member)?;
        }
        Ok(0)
    }
}

/// Whether an extra field is that of a block of bgzip.
///
/// Source: SAM/BAM specification, section 4.1.
fn is_block(extra: &[u8]) -> bool {
    extra.starts_with(b"BC\x02\x00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder};
    use std::io::Write as _;

    fn member(text: &[u8], extra: Option<&[u8]>) -> Vec<u8> {
        let builder = extra.map_or_else(GzBuilder::new, |it| GzBuilder::new().extra(it));
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(packed: Vec<u8>) -> (io::Result<String>, Vec<String>) {
        let tally = Arc::new(Tally::default());
        tally.add(&packed);
        let mut members = Members::new(BufReader::new(io::Cursor::new(packed)), Arc::clone(&tally));
        let mut text = String::new();
        (members.read_to_string(&mut text).map(|_| text), tally.notes())
    }

    #[test]
    fn members_follow_each_other_and_zeros_say_nothing() {
        let two = [member(b"ab", None), member(b"", None), member(b"cd", None)].concat();
        assert_eq!(read(two.clone()).0.unwrap(), "abcd");
        let padded = [two, vec![0; 70_000]].concat();
        let (text, notes) = read(padded);
        assert_eq!((text.unwrap().as_str(), notes.len()), ("abcd", 0));
        let between = [member(b"ab", None), vec![0; 512], member(b"cd", None)].concat();
        assert_eq!(read(between).0.unwrap(), "abcd");
    }

    #[test]
    fn other_bytes_behind_the_end_and_a_cut_member_are_errors() {
        let whole = member(b"ab", None);
        let tail = [whole.clone(), vec![0; 3], b"tail".to_vec()].concat();
        let error = read(tail).0.unwrap_err().to_string();
        assert!(error.contains(&format!("at byte {}", whole.len() + 3)), "{error}");
        for bytes in [1, whole.len() / 2, whole.len() - 1] {
            assert!(read(whole[..bytes].to_vec()).0.is_err(), "{bytes}");
            let second = [whole.clone(), whole[..bytes].to_vec()].concat();
            assert!(read(second).0.is_err(), "{bytes} of the second");
        }
    }

    #[test]
    fn a_file_of_bgzip_without_its_last_block_is_noted() {
        let block = |text| member(text, Some(b"BC\x02\x00\x1b\x00"));
        assert_eq!(read([block(b"ab"), block(b"")].concat()).1, Vec::<String>::new());
        let notes = read([block(b"ab"), block(b"cd")].concat()).1;
        assert!(notes[0].contains("cut short"), "{notes:?}");
    }
}
