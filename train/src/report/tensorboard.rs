//! TensorBoard event files: scalars, nothing else.
//!
//! A file is a sequence of `TFRecord`s (length, its masked CRC-32C, data, its masked CRC-32C), the
//! data being an `Event` protocol buffer. Only the five message fields below are ever written, so
//! they are encoded by hand.
//!
//! Source: tensorflow `core/lib/io/record_writer.h`, `core/util/event.proto`,
//! `core/framework/summary.proto`.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ReportError;
use super::checksum::masked;

/// Writes one event file.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
}

impl TensorBoard {
    /// Starts a new event file in `folder`. After a resume, `resumed_step` tells TensorBoard to
    /// drop what earlier files say of later steps.
    pub fn start(folder: &Path, resumed_step: Option<u64>) -> Result<Self, ReportError> {
        fs::create_dir_all(folder).map_err(ReportError::io(folder, "create"))?;
        let now = seconds_since_1970();
        let (path, file) = new_file(folder, now)?;
        let mut writer = Self { path, file };
        writer.write(&event(now, 0, &bytes_field(3, b"brain.Event:2")))?;
        if let Some(step) = resumed_step {
            // SessionLog { status: START }
            writer.write(&event(now, step + 1, &bytes_field(7, &varint_field(1, 1))))?;
        }
        Ok(writer)
    }

    /// Writes the values of one step as one event and flushes it.
    pub fn scalars(
        &mut self,
        step: u64,
        values: &[(Cow<'_, str>, f64)],
    ) -> Result<(), ReportError> {
        let summary: Vec<u8> =
            values.iter().flat_map(|(tag, value)| bytes_field(1, &scalar(tag, *value))).collect();
        self.write(&event(seconds_since_1970(), step, &bytes_field(5, &summary)))
    }

    fn write(&mut self, data: &[u8]) -> Result<(), ReportError> {
        let record = frame(data);
        let written = self.file.write_all(&record).and_then(|()| self.file.flush());
        written.map_err(ReportError::io(&self.path, "write"))
    }
}

/// `events.out.tfevents.<seconds>.<n>.genesis`: `n` sets files of one second apart, and names
/// sort by age, which is the order in which TensorBoard reads them. Where the clock says less than
/// the newest file does, that file's seconds are taken: clocks of two machines differ, and are set.
fn new_file(folder: &Path, now: f64) -> Result<(PathBuf, File), ReportError> {
    let newest = newest_name(folder).map_err(ReportError::io(folder, "list"))?;
    let (seconds, mut number) = match newest {
        Some((seconds, number)) if seconds as f64 >= now.round() => (seconds, number + 1),
        _ => (whole_seconds(now), 0),
    };
    loop {
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.{number:04}.genesis"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(ReportError::io(&path, "create")(error)),
        }
    }
}

/// Seconds and number of the file that sorts last.
fn newest_name(folder: &Path) -> std::io::Result<Option<(u64, u64)>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        newest = newest.max(name.to_str().and_then(parts_of_name));
    }
    Ok(newest)
}

fn parts_of_name(name: &str) -> Option<(u64, u64)> {
    let rest = name.strip_prefix("events.out.tfevents.")?.strip_suffix(".genesis")?;
    let (seconds, number) = rest.split_once('.')?;
    Some((seconds.parse().ok()?, number.parse().ok()?))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.round() as u64
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// `Event { 1: wall_time, 2: step, .. what }`
fn event(wall_time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    let mut message = vec![key(1, 1)];
    message.extend(wall_time.to_le_bytes());
    message.extend(varint_field(2, step));
    message.extend(what);
    message
}

/// `Summary.Value { 1: tag, 2: simple_value }`
fn scalar(tag: &str, value: f64) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "the format holds scalars as f32")]
    let narrow = value as f32;
    let mut message = bytes_field(1, tag.as_bytes());
    message.push(key(2, 5));
    message.extend(narrow.to_le_bytes());
    message
}

/// Key byte of a field below 16: number and wire type.
fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn bytes_field(field: u8, data: &[u8]) -> Vec<u8> {
    let mut message = vec![key(field, 2)];
    message.extend(varint(data.len() as u64));
    message.extend(data);
    message
}

fn varint_field(field: u8, value: u64) -> Vec<u8> {
    let mut message = vec![key(field, 0)];
    message.extend(varint(value));
    message
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7F {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7F) as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field as an independent reader of the wire format sees it.
    #[derive(Debug, PartialEq)]
    enum Field {
        Number(u64),
        Bytes(Vec<u8>),
    }

    fn take_varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let tag = take_varint(&mut bytes);
            let length = match tag & 7 {
                0 => {
                    all.push((tag >> 3, Field::Number(take_varint(&mut bytes))));
                    continue;
                }
                1 => 8,
                2 => usize::try_from(take_varint(&mut bytes)).unwrap(),
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (data, rest) = bytes.split_at(length);
            bytes = rest;
            all.push((tag >> 3, Field::Bytes(data.to_vec())));
        }
        all
    }

    /// Bitwise CRC, without the table of the writer.
    fn masked_bitwise(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for &byte in bytes {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            }
        }
        let crc = !crc;
        crc.rotate_right(15).wrapping_add(0xA282_EAD8)
    }

    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_at(8);
            let (length_crc, rest) = rest.split_at(4);
            assert_eq!(length_crc, masked_bitwise(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().unwrap());
            let (data, rest) = rest.split_at(usize::try_from(length).unwrap());
            let (data_crc, rest) = rest.split_at(4);
            assert_eq!(data_crc, masked_bitwise(data).to_le_bytes());
            all.push(data.to_vec());
            bytes = rest;
        }
        all
    }

    fn only_file(folder: &Path) -> Vec<u8> {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        fs::read(files.remove(0)).unwrap()
    }

    #[test]
    fn an_independent_decoder_reads_back_tags_steps_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TensorBoard::start(folder.path(), None).unwrap();
        writer
            .scalars(300, &[("train/loss".into(), 1.5), ("train/learning_rate".into(), 1e-3)])
            .unwrap();
        let records = records(&only_file(folder.path()));
        let first = fields(&records[0]);
        assert!(first.contains(&(3, Field::Bytes(b"brain.Event:2".to_vec()))));
        let second = fields(&records[1]);
        assert!(second.contains(&(2, Field::Number(300))));
        let Some((5, Field::Bytes(summary))) = second.last() else { panic!("{second:?}") };
        let values = fields(summary);
        assert_eq!(values.len(), 2);
        let Field::Bytes(value) = &values[0].1 else { panic!("{values:?}") };
        let loss = Field::Bytes(1.5f32.to_le_bytes().to_vec());
        assert_eq!(fields(value), [(1, Field::Bytes(b"train/loss".to_vec())), (2, loss)]);
    }

    #[test]
    fn a_resumed_file_starts_with_a_session_at_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        TensorBoard::start(folder.path(), Some(200)).unwrap();
        let records = records(&only_file(folder.path()));
        let session = fields(&records[1]);
        assert!(session.contains(&(2, Field::Number(201))));
        assert!(session.contains(&(7, Field::Bytes(vec![0x08, 0x01]))));
    }

    #[test]
    fn two_files_of_one_second_do_not_collide() {
        let folder = tempfile::tempdir().unwrap();
        let first = new_file(folder.path(), 7.0).unwrap().0;
        let second = new_file(folder.path(), 7.0).unwrap().0;
        assert!(first < second, "{first:?} sorts before {second:?}");
    }

    #[test]
    fn files_sort_in_the_order_of_sessions_when_the_clock_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let clocks = [1_000_000_007.0, 1_000_000_009.0, 3.0, 999_999_999.0, 1_000_000_010.0];
        let made: Vec<PathBuf> = clocks.map(|now| new_file(folder.path(), now).unwrap().0).to_vec();
        assert!(made.is_sorted(), "{made:?}");
        fs::write(folder.path().join("events.out.tfevents.9.node.7"), "of another program")
            .unwrap();
        assert!(new_file(folder.path(), 0.0).unwrap().0 > made[4]);
    }
}
