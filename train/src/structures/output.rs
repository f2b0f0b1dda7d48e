//! Structures as extended XYZ, and predictions as Parquet.
//!
//! Numbers are written with as many digits as read back to the same f64. Energies eV, forces eV/Å,
//! stress eV/Å^3 (nine numbers, `dE/dε / volume`), velocities Å/fs.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    Float64Builder, ListBuilder, StringBuilder, UInt8Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use genesis_schema::Frame;
use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::elements::symbol;
use parquet::arrow::ArrowWriter;

use super::error::StructuresError;

/// A structure and what is known of it.
#[derive(Debug, Clone)]
pub struct Written<'a> {
    /// The structure; its labels are not written.
    pub frame: &'a Frame,
    /// Total energy, eV.
    pub energy: f64,
    /// `[n]` forces, eV/Å.
    pub forces: Option<&'a [Vector]>,
    /// Stress, eV/Å^3.
    pub stress: Option<Matrix>,
    /// `[n]` velocities, Å/fs.
    pub velocities: Option<&'a [Vector]>,
    /// Further `key=value` of the comment line; values are numbers or plain words.
    pub info: Vec<(&'static str, String)>,
}

/// Appends a structure as extended XYZ.
pub fn append_extxyz(out: &mut String, written: &Written<'_>) {
    let frame = written.frame;
    let _ = writeln!(out, "{}", frame.atomic_numbers.len());
    out.push_str(&comment(written));
    out.push('\n');
    for (atom, &number) in frame.atomic_numbers.iter().enumerate() {
        out.push_str(symbol(number));
        let columns = [Some(frame.positions.as_slice()), written.forces, written.velocities];
        for column in columns.into_iter().flatten() {
            column[atom].iter().for_each(|value| _ = write!(out, " {value}"));
        }
        out.push('\n');
    }
}

fn comment(written: &Written<'_>) -> String {
    let frame = written.frame;
    let mut line = String::new();
    if frame.periodic != [false; 3] {
        let _ = write!(line, "Lattice=\"{}\" ", joined(&frame.cell));
    }
    line.push_str("Properties=species:S:1:pos:R:3");
    if written.forces.is_some() {
        line.push_str(":forces:R:3");
    }
    if written.velocities.is_some() {
        line.push_str(":velocities:R:3");
    }
    let _ = write!(line, " energy={}", written.energy);
    if let Some(stress) = &written.stress {
        let _ = write!(line, " stress=\"{}\"", joined(stress));
    }
    for (key, value) in &written.info {
        let _ = write!(line, " {key}={value}");
    }
    if !frame.config_type.is_empty() {
        let _ = write!(line, " config_type={}", quoted(&frame.config_type));
    }
    if !frame.head.is_empty() {
        let _ = write!(line, " head={}", quoted(&frame.head));
    }
    let flag = |periodic: bool| if periodic { "T" } else { "F" };
    let [a, b, c] = frame.periodic.map(flag);
    let _ = write!(line, " pbc=\"{a} {b} {c}\"");
    line
}

fn joined(matrix: &Matrix) -> String {
    let numbers: Vec<String> = matrix.iter().flatten().map(ToString::to_string).collect();
    numbers.join(" ")
}

/// A value of the comment line, quoted; quotes and backslashes inside are escaped.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c));
    if plain && !text.is_empty() {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}

/// Writes structures as one Parquet table: `index`, `atomic_numbers`, `positions`, `cell`,
/// `energy`, `forces`, `stress`, `config_type`; vectors row by row.
///
/// # Errors
/// [`StructuresError`] if the file cannot be written.
pub fn write_parquet(path: &Path, all: &[Written<'_>]) -> Result<(), StructuresError> {
    let failed = |error: &dyn std::fmt::Display| StructuresError::Table {
        path: path.to_path_buf(),
        reason: error.to_string(),
    };
    let batch = table(all).map_err(|error| failed(&error))?;
    let file = File::create(path).map_err(StructuresError::io(path, "create"))?;
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), None).map_err(|error| failed(&error))?;
    writer.write(&batch).map_err(|error| failed(&error))?;
    writer.close().map_err(|error| failed(&error))?;
    Ok(())
}

fn table(all: &[Written<'_>]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut index = UInt64Builder::new();
    let mut numbers = ListBuilder::new(UInt8Builder::new());
    let mut energy = Float64Builder::new();
    let mut kind = StringBuilder::new();
    let lists = || ListBuilder::new(Float64Builder::new());
    let [mut positions, mut cell, mut forces, mut stress] = [lists(), lists(), lists(), lists()];
    for (at, written) in all.iter().enumerate() {
        let frame = written.frame;
        index.append_value(at as u64);
        numbers.append_value(frame.atomic_numbers.iter().map(|&number| Some(number)));
        append(&mut positions, Some(&frame.positions));
        append(&mut cell, (frame.periodic != [false; 3]).then_some(frame.cell.as_slice()));
        energy.append_value(written.energy);
        append(&mut forces, written.forces);
        append(&mut stress, written.stress.as_ref().map(<[Vector; 3]>::as_slice));
        kind.append_value(&frame.config_type);
    }
    let columns: [(&str, ArrayRef); 8] = [
        ("index", Arc::new(index.finish())),
        ("atomic_numbers", Arc::new(numbers.finish())),
        ("positions", Arc::new(positions.finish())),
        ("cell", Arc::new(cell.finish())),
        ("energy", Arc::new(energy.finish())),
        ("forces", Arc::new(forces.finish())),
        ("stress", Arc::new(stress.finish())),
        ("config_type", Arc::new(kind.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
}

fn append(list: &mut ListBuilder<Float64Builder>, rows: Option<&[Vector]>) {
    match rows {
        Some(rows) => list.append_value(rows.iter().flatten().map(|&value| Some(value))),
        None => list.append_null(),
    }
}

#[cfg(test)]
mod tests {
    use genesis_schema::{FrameLabels, FrameWeights};

    use super::*;

    #[test]
    fn a_written_structure_has_every_digit_and_quotes_what_needs_it() {
        let frame = Frame {
            atomic_numbers: vec![14],
            positions: vec![[0.1, 1.0 / 3.0, -2.5e-17]],
            cell: [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]],
            periodic: [true, true, false],
            labels: FrameLabels::default(),
            weights: FrameWeights::default(),
            config_type: "hot \"surface\"".to_owned(),
            head: String::new(),
        };
        let forces = [[1.0, 2.0, 3.0]];
        let written = Written {
            frame: &frame,
            energy: -4.25,
            forces: Some(&forces),
            stress: None,
            velocities: None,
            info: vec![("step", "7".to_owned())],
        };
        let mut out = String::new();
        append_extxyz(&mut out, &written);
        assert_eq!(
            out,
            "1\nLattice=\"5 0 0 0 5 0 0 0 5\" Properties=species:S:1:pos:R:3:forces:R:3 \
             energy=-4.25 step=7 config_type=\"hot \\\"surface\\\"\" pbc=\"T T F\"\n\
             Si 0.1 0.3333333333333333 -0.000000000000000025 1 2 3\n"
        );
    }
}
