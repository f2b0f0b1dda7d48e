//! The shards of one split being written, one after the other, with what the card says of them.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

use super::hashed_file::{HashedFile, WrittenBatch};
use crate::dataset::Split;
use crate::dataset::card::{BatchCard, Count, Part, ShardCard};
use crate::error::{DataError, Result};
use crate::files::sync_folder;

/// Writes `train-00000.arrow`, `train-00001.arrow`, ...; no file before the first batch.
pub(crate) struct Series<P: Part> {
    root: PathBuf,
    split: Split,
    pub(crate) schema: SchemaRef,
    open: Option<(HashedFile, Vec<BatchCard<P>>)>,
    done: Vec<ShardCard<P>>,
}

/// How far the open shard is.
pub(crate) struct Extent {
    /// Tokens or atoms.
    pub(crate) units: u64,
    pub(crate) bytes: u64,
}

impl<P: Part> Series<P> {
    pub(crate) fn new(root: &Path, split: Split, schema: SchemaRef) -> Self {
        Self { root: root.to_path_buf(), split, schema, open: None, done: Vec::new() }
    }

    /// Appends a batch of samples made of `units` tokens or atoms; how far its shard is then.
    pub(crate) fn write(
        &mut self,
        batch: Result<RecordBatch, ArrowError>,
        units: u64,
    ) -> Result<Extent> {
        let (file, batches) = if let Some(open) = &mut self.open {
            open
        } else {
            let name = format!("{}-{:05}.arrow", self.split.name(), self.done.len());
            let file = HashedFile::create(&self.root, name, &self.schema)?;
            self.open.insert((file, Vec::new()))
        };
        let batch = batch.map_err(|e| DataError::arrow(file.path(), e))?;
        let (rows, units) = (batch.num_rows() as u64, P::Units::of(units));
        let WrittenBatch { offset, bytes, xxh3 } = file.write(&batch)?;
        batches.push(BatchCard { rows, units, offset, bytes, xxh3 });
        Ok(Extent { units: sum(batches, |batch| batch.units.get()), bytes: offset + bytes })
    }

    /// Ends the open shard.
    pub(crate) fn close(&mut self) -> Result<()> {
        let Some((file, batches)) = self.open.take() else { return Ok(()) };
        let name = file.name.clone();
        let (bytes, sha256) = file.finish()?;
        self.done.push(ShardCard {
            file: name,
            split: self.split,
            samples: P::Samples::of(sum(&batches, |batch| batch.rows)),
            units: P::Units::of(sum(&batches, |batch| batch.units.get())),
            bytes,
            sha256,
            batches,
        });
        Ok(())
    }

    /// Ends the last shard, makes everything durable, and describes the shards in order.
    pub(crate) fn finish(mut self) -> Result<Vec<ShardCard<P>>> {
        self.close()?;
        sync_folder(&self.root)?;
        Ok(self.done)
    }
}

fn sum<P: Part>(batches: &[BatchCard<P>], of: impl Fn(&BatchCard<P>) -> u64) -> u64 {
    batches.iter().map(of).sum()
}
