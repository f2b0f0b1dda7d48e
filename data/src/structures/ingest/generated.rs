//! The built-in generator of structures as a file.

use std::sync::Arc;

use crate::error::Result;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::formats::{Opened, Reader, Record, Refusal, Tally, Unparsed};
use crate::structures::{GenerateStructures, SiliconFrames};

/// Its structures, those above `limit` bytes refused.
pub(super) fn open(generate: &GenerateStructures, limit: u64) -> Opened<Unparsed> {
    let GenerateStructures::Silicon { frames, seed } = *generate;
    let tally = Arc::new(Tally::default());
    let reader = GeneratedReader {
        frames: SiliconFrames::new(seed),
        count: frames,
        next: 0,
        limit,
        tally: Arc::clone(&tally),
    };
    Opened { reader: Box::new(reader), tally }
}

struct GeneratedReader {
    frames: SiliconFrames,
    count: u64,
    next: u64,
    limit: u64,
    tally: Arc<Tally>,
}

impl Reader<Unparsed> for GeneratedReader {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        if self.next >= self.count {
            return Ok(None);
        }
        self.next += 1;
        let Some(made) = self.frames.next() else { return Ok(None) };
        let made = made.map_err(|e| Refusal::new("no_neighbors", e.to_string()));
        let content = made.and_then(|made| {
            for number in made.positions.iter().flatten() {
                self.tally.add(&number.to_le_bytes());
            }
            let kind = format!("{}K", made.temperature_k);
            let info = [
                ("energy".to_owned(), Value::Numbers(vec![made.labelled.energy])),
                ("stress".to_owned(), Value::Numbers(made.labelled.stress.concat())),
                ("config_type".to_owned(), Value::Text(kind)),
            ];
            let frame = RawFrame {
                atomic_numbers: vec![14; made.positions.len()],
                positions: made.positions,
                cell: made.cell,
                periodic: [true; 3],
                info: info.into(),
                vectors: [("forces".to_owned(), made.labelled.forces)].into(),
                ..RawFrame::default()
            };
            Unparsed::of_frame(frame, self.limit)
        });
        Ok(Some(Record::new(self.next, content)))
    }
}
