//! Structures as one Parquet table: a row each; vectors lie row by row in lists.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, UInt8Builder,
    UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use genesis_data::formats::ATOM_COLUMNS;
use genesis_data::formats::raw_frame::{Column, Values};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::Written;
use super::columns::{Kind, TableColumn, columns, words};
use super::entries::entries;
use super::json_lines::of_atoms;

const INDEX: &str = "index";
const OWN: [&str; 4] = ["atomic_numbers", "positions", "cell", "pbc"];

/// The whole file.
pub(super) fn table(all: &[Written<'_>]) -> Result<Vec<u8>, ParquetError> {
    let batch = batch(all)?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn batch(all: &[Written<'_>]) -> Result<RecordBatch, ArrowError> {
    let own = [&OWN[..], &[ATOM_COLUMNS]].concat();
    let columns = columns(all, &own);
    let mut arrays: Vec<(&str, ArrayRef)> = Vec::new();
    if columns.iter().all(|column| column.name != INDEX) {
        let mut index = UInt64Builder::new();
        (0..all.len() as u64).for_each(|at| index.append_value(at));
        arrays.push((INDEX, Arc::new(index.finish())));
    }
    arrays.extend(OWN.into_iter().zip(structures(all)));
    let mut listed = ListBuilder::new(StringBuilder::new());
    for written in all {
        listed.append_value(of_atoms(&entries(written)).into_iter().map(Some));
    }
    arrays.push((ATOM_COLUMNS, Arc::new(listed.finish())));
    arrays.extend(columns.iter().map(|column| (column.name.as_str(), array(column))));
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, it)| (name, it, true)))
}

fn structures(all: &[Written<'_>]) -> [ArrayRef; 4] {
    let mut numbers = ListBuilder::new(UInt8Builder::new());
    let [mut positions, mut cell] = [(); 2].map(|()| ListBuilder::new(Float64Builder::new()));
    let mut periodic = ListBuilder::new(BooleanBuilder::new());
    for Written { frame, .. } in all {
        numbers.append_value(frame.atomic_numbers.iter().map(|&number| Some(number)));
        positions.append_value(frame.positions.iter().flatten().map(|&x| Some(x)));
        if frame.periodic != [false; 3] || frame.cell != [[0.0; 3]; 3] {
            cell.append_value(frame.cell.iter().flatten().map(|&x| Some(x)));
        } else {
            cell.append_null();
        }
        periodic.append_value(frame.periodic.map(Some));
    }
    [
        Arc::new(numbers.finish()),
        Arc::new(positions.finish()),
        Arc::new(cell.finish()),
        Arc::new(periodic.finish()),
    ]
}

/// A column of one type, its cells single or lists.
fn array(column: &TableColumn) -> ArrayRef {
    macro_rules! build {
        ($builder:ident, $values:expr) => {{
            let values = $values;
            if column.single {
                let mut array = $builder::new();
                for cell in &column.cells {
                    array.append_option(cell.as_ref().and_then(|it| values(it).into_iter().next()));
                }
                Arc::new(array.finish())
            } else {
                let mut array = ListBuilder::new($builder::new());
                for cell in &column.cells {
                    match cell {
                        Some(cell) => array.append_value(values(cell).into_iter().map(Some)),
                        None => array.append_null(),
                    }
                }
                Arc::new(array.finish())
            }
        }};
    }
    match column.kind {
        Kind::Real => build!(Float64Builder, |it: &Column| it.values.numbers().unwrap_or_default()),
        Kind::Integer => build!(Int64Builder, |it: &Column| match &it.values {
            Values::Integer(all) => all.clone(),
            _ => Vec::new(),
        }),
        Kind::Truth => build!(BooleanBuilder, |it: &Column| match &it.values {
            Values::Truth(all) => all.clone(),
            _ => Vec::new(),
        }),
        Kind::Text => build!(StringBuilder, |it: &Column| words(&it.values)),
    }
}
