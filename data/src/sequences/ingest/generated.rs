//! The built-in generator as a file of one record a line.

use std::sync::Arc;

use crate::error::Result;
use crate::formats::{Opened, Reader, Record, Tally, Text};
use crate::sequences::GenerateSequences;

struct GeneratedReader {
    generate: GenerateSequences,
    next: u64,
    tally: Arc<Tally>,
}

pub(super) fn open(generate: GenerateSequences) -> Opened<Text> {
    let tally = Arc::new(Tally::default());
    let reader = GeneratedReader { generate, next: 0, tally: Arc::clone(&tally) };
    Opened { reader: Box::new(reader), tally }
}

impl Reader<Text> for GeneratedReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        let Some(text) = self.generate.record(self.next) else { return Ok(None) };
        self.next += 1;
        self.tally.add(text.as_bytes());
        self.tally.add(b"\n");
        Ok(Some(Record::new(self.next, Ok(text.into_bytes()))))
    }
}
