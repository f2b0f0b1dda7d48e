//! Columns of text, in every type that programs write strings as.
//!
//! pandas and polars write categories as dictionaries, Spark and Impala strings as bytes without a
//! mark: all hold the same.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Whether the values of a column are text, or bytes that may be.
pub(super) fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column of a batch, dictionaries looked up.
pub(super) enum Strings {
    Plain(ArrayRef),
    /// Values, the row of each among them, and the column itself, which knows its nulls.
    Dictionary(Box<Strings>, Vec<usize>, ArrayRef),
}

impl Strings {
    pub(super) fn new(column: &ArrayRef) -> Self {
        match column.as_any_dictionary_opt() {
            Some(dictionary) if !dictionary.values().is_empty() => {
                let values = Box::new(Self::new(dictionary.values()));
                Self::Dictionary(values, dictionary.normalized_keys(), ArrayRef::clone(column))
            }
            // Without values all rows are null.
            _ => Self::Plain(ArrayRef::clone(column)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(column) | Self::Dictionary(_, _, column) => column.len(),
        }
    }

    /// The bytes at `row`; `None` if it is null.
    pub(super) fn value(&self, row: usize) -> Option<&[u8]> {
        let column = match self {
            Self::Plain(column) | Self::Dictionary(_, _, column) => column,
        };
        if column.is_null(row) {
            return None;
        }
        if let Self::Dictionary(values, keys, _) = self {
            return values.value(keys[row]);
        }
        match column.data_type() {
            DataType::Utf8 => Some(column.as_string::<i32>().value(row).as_bytes()),
            DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row).as_bytes()),
            DataType::Utf8View => Some(column.as_string_view().value(row).as_bytes()),
            DataType::Binary => Some(column.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
            DataType::BinaryView => Some(column.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => Some(column.as_fixed_size_binary().value(row)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::{Int8Type, UInt16Type};
    use arrow_array::{
        BinaryArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, LargeBinaryArray,
        LargeStringArray, StringArray, StringViewArray,
    };

    use super::*;

    #[test]
    fn every_clothing_of_a_string_gives_its_bytes_and_its_nulls() {
        let texts = [Some("MK"), None, Some("LV"), Some("MK")];
        let bytes = || texts.iter().map(|it| it.map(str::as_bytes));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter(texts)),
            Arc::new(LargeStringArray::from_iter(texts)),
            Arc::new(StringViewArray::from_iter(texts)),
            Arc::new(bytes().collect::<BinaryArray>()),
            Arc::new(bytes().collect::<LargeBinaryArray>()),
            Arc::new(bytes().collect::<BinaryViewArray>()),
            Arc::new(texts.into_iter().collect::<DictionaryArray<Int8Type>>()),
            Arc::new(texts.into_iter().collect::<DictionaryArray<UInt16Type>>()),
        ];
        let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes(), 2).unwrap();
        columns.push(Arc::new(fixed));
        for column in columns {
            assert!(is_text(column.data_type()), "{}", column.data_type());
            let strings = Strings::new(&column);
            let found: Vec<_> = (0..strings.len()).map(|row| strings.value(row)).collect();
            assert_eq!(found, bytes().collect::<Vec<_>>(), "{}", column.data_type());
        }
        assert!(!is_text(&DataType::Int64));
    }
}
