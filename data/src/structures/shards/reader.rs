//! One shard of structures, mapped into memory and checked before it is believed.
//!
//! Besides digests and buffers, a batch is checked for what would be no structure: unknown
//! elements, lists of the wrong length, text that is not UTF-8.

use std::ops::Range;
use std::path::Path;

use genesis_schema::{Frame, FrameLabels, FrameWeights};

use super::{COLUMNS, StoredFrame};
use crate::dataset::card::{BatchCard, ShardCard};
use crate::dataset::shards::columns::{ColumnLayout, check_offsets};
use crate::dataset::shards::format::Checked;
use crate::dataset::shards::mapped_file::{MappedBatch, MappedFile};
use crate::error::Result;
use crate::structures::card::StructuresPart;

/// A mapped shard.
#[derive(Debug)]
pub struct StructuresShardReader {
    file: MappedFile<StructuresPart>,
}

impl StructuresShardReader {
    /// Maps the shard that `card` describes from the folder `root`.
    pub fn open(root: &Path, card: &ShardCard<StructuresPart>) -> Result<Self> {
        Ok(Self { file: MappedFile::open(root, card, COLUMNS.to_vec())? })
    }

    /// What the card says of this shard.
    pub fn card(&self) -> &ShardCard<StructuresPart> {
        self.file.card()
    }

    /// The structure at `row` of batch `batch`, which is checked if this is the first touch.
    ///
    /// # Panics
    /// If the card lists no such batch or the batch has no such row.
    pub fn frame(&self, batch: usize, row: usize) -> Result<StoredFrame> {
        let columns = Columns::of(self.file.batch(batch, check)?);
        Ok(columns.frame(row).expect("every row was read when the batch was checked"))
    }
}

fn check(batch: MappedBatch<'_>, card: &BatchCard<StructuresPart>) -> Checked<()> {
    let columns = Columns::of(batch);
    for column in [3, 4, 8, 11, 12] {
        check_offsets(columns.offsets(column)?, batch.layouts[column].items)?;
    }
    let (found, atoms) = (batch.layouts[3].items, card.units.atoms);
    if found as u64 != atoms {
        return Err(format!("it has {found} atoms, dataset.json says {atoms}"));
    }
    let rows = usize::try_from(card.rows).map_err(|_| "it has too many rows")?;
    for row in 0..rows {
        columns.frame(row).map_err(|problem| format!("row {row}: {problem}"))?;
    }
    Ok(())
}

/// The columns of one batch, in the order of [`COLUMNS`].
struct Columns<'a> {
    message: &'a [u8],
    layouts: &'a [ColumnLayout],
}

impl<'a> Columns<'a> {
    fn of(MappedBatch { message, layouts }: MappedBatch<'a>) -> Self {
        Self { message, layouts }
    }
}

impl Columns<'_> {
    fn frame(&self, row: usize) -> Checked<StoredFrame> {
        let atomic_numbers = self.values::<u8>(3)?[self.list(3, row)?].to_vec();
        if atomic_numbers.is_empty() || !atomic_numbers.iter().all(|z| (1..=118).contains(z)) {
            return Err("it has no atoms, or atoms of no element".to_owned());
        }
        let atoms = atomic_numbers.len();
        let frame = Frame {
            atomic_numbers,
            positions: self.triples(4, row, atoms)?,
            cell: self.matrix(5, row)?,
            periodic: [0, 1, 2]
                .map(|bit| self.message[self.layouts[6].values.start + row] >> bit & 1 == 1),
            labels: FrameLabels {
                energy: self.present(7, row, || self.one::<f64>(7, row))?,
                forces: self.present(8, row, || self.triples(8, row, atoms))?,
                stress: self.present(9, row, || self.matrix(9, row))?,
            },
            weights: self.weights(row)?,
            config_type: self.text(11, row)?,
            head: self.text(12, row)?,
        };
        let (id, source, line) = (self.one(0, row)?, self.one(1, row)?, self.one(2, row)?);
        Ok(StoredFrame { frame, id, source, line })
    }

    fn values<T: bytemuck::Pod>(&self, column: usize) -> Checked<&[T]> {
        bytemuck::try_cast_slice(&self.message[self.layouts[column].values.clone()])
            .map_err(|_| format!("column `{}` is not aligned", COLUMNS[column].name))
    }

    fn offsets(&self, column: usize) -> Checked<&[i32]> {
        let range = self.layouts[column].offsets.clone().ok_or("a list without offsets")?;
        bytemuck::try_cast_slice(&self.message[range])
            .map_err(|_| format!("the offsets of `{}` are not aligned", COLUMNS[column].name))
    }

    fn one<T: bytemuck::Pod>(&self, column: usize, row: usize) -> Checked<T> {
        self.values::<T>(column)?.get(row).copied().ok_or_else(|| "it is not there".to_owned())
    }

    fn list(&self, column: usize, row: usize) -> Checked<Range<usize>> {
        let offsets = self.offsets(column)?;
        let at = |i: usize| usize::try_from(offsets[i]).map_err(|_| "a negative offset".to_owned());
        Ok(at(row)?..at(row + 1)?)
    }

    fn present<T>(
        &self,
        column: usize,
        row: usize,
        read: impl Fn() -> Checked<T>,
    ) -> Checked<Option<T>> {
        let valid = self.layouts[column].validity.clone();
        let valid = valid.is_none_or(|bits| self.message[bits][row / 8] >> (row % 8) & 1 == 1);
        if valid { read().map(Some) } else { Ok(None) }
    }

    fn triples(&self, column: usize, row: usize, atoms: usize) -> Checked<Vec<[f64; 3]>> {
        let numbers = &self.values::<f64>(column)?[self.list(column, row)?];
        let (triples, rest) = numbers.as_chunks::<3>();
        if triples.len() == atoms && rest.is_empty() {
            return Ok(triples.to_vec());
        }
        let (name, found) = (COLUMNS[column].name, numbers.len());
        Err(format!("column `{name}` has {found} numbers for {atoms} atoms"))
    }

    fn matrix(&self, column: usize, row: usize) -> Checked<[[f64; 3]; 3]> {
        let values =
            self.values::<f64>(column)?.get(9 * row..9 * row + 9).ok_or("it is cut off")?;
        Ok([0, 1, 2].map(|r| [0, 1, 2].map(|c| values[3 * r + c])))
    }

    fn weights(&self, row: usize) -> Checked<FrameWeights> {
        match self.values::<f64>(10)?.get(4 * row..4 * row + 4) {
            Some(&[config, energy, forces, stress]) => {
                Ok(FrameWeights { config, energy, forces, stress })
            }
            _ => Err("its weights are cut off".to_owned()),
        }
    }

    fn text(&self, column: usize, row: usize) -> Checked<String> {
        let bytes = &self.values::<u8>(column)?[self.list(column, row)?];
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| format!("column `{}` is not UTF-8", COLUMNS[column].name))
    }
}
