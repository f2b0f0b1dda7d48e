//! Columns of a shard by name and type, and where their buffers lie in a mapped record batch.
//!
//! Both kinds of shard, of tokens and of graphs, are lists of [`Column`]; what makes a mapped file
//! safe to read is written once, here. Lengths inside a file are never trusted: the functions take
//! bytes of a known size and return ranges inside them, and no length read from a file leads to
//! an allocation. Not here: what a column means.

use std::ops::Range;
use std::sync::Arc;

use arrow_ipc::{Buffer, Field as IpcField, FieldNode, Precision, RecordBatch, Type};
use arrow_schema::{DataType, Field, Schema};

use super::format::{Checked, PREFIX_BYTES, read_length};

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// What a row of a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One value.
    One(Item),
    /// Any number of values.
    List(Item),
    /// Always so many values of 64-bit floating point.
    Fixed(i32),
    /// UTF-8.
    Text,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    U8,
    U16,
    U32,
    U64,
    F64,
}

impl Item {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 | Self::F64 => 8,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F64 => DataType::Float64,
        }
    }

    fn is_of(self, field: IpcField<'_>) -> bool {
        if self == Self::F64 {
            return field.type_type() == Type::FloatingPoint
                && field
                    .type_as_floating_point()
                    .is_some_and(|f| f.precision() == Precision::DOUBLE);
        }
        let bits = i32::try_from(8 * self.bytes()).expect("at most 64");
        field.type_type() == Type::Int
            && field.type_as_int().is_some_and(|int| !int.is_signed() && int.bitWidth() == bits)
    }
}

impl Column {
    /// A column without nulls.
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: false }
    }

    /// A column whose rows may be absent.
    pub(crate) const fn nullable(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: true }
    }

    fn field(self) -> Field {
        let data_type = match self.kind {
            Kind::One(item) => item.data_type(),
            Kind::List(item) => DataType::List(item_field(item)),
            Kind::Fixed(count) => DataType::FixedSizeList(item_field(Item::F64), count),
            Kind::Text => DataType::Utf8,
        };
        Field::new(self.name, data_type, self.nullable)
    }

    fn is_of(self, field: IpcField<'_>) -> bool {
        let only_child = |item: Item| {
            field.children().is_some_and(|list| list.len() == 1 && item.is_of(list.get(0)))
        };
        let kind = match self.kind {
            Kind::One(item) => item.is_of(field),
            Kind::List(item) => field.type_type() == Type::List && only_child(item),
            Kind::Fixed(count) => {
                field.type_as_fixed_size_list().is_some_and(|list| list.listSize() == count)
                    && only_child(Item::F64)
            }
            Kind::Text => field.type_type() == Type::Utf8,
        };
        kind && field.name() == Some(self.name) && field.nullable() == self.nullable
    }
}

/// The field of one value inside a list.
pub(crate) fn item_field(item: Item) -> Arc<Field> {
    Arc::new(Field::new("item", item.data_type(), false))
}

/// The Arrow schema of the columns.
pub(crate) fn schema_of(columns: &[Column]) -> Schema {
    Schema::new(columns.iter().map(|column| column.field()).collect::<Vec<_>>())
}

/// Whether the schema in a file is that of the columns.
pub(crate) fn check_schema(schema: arrow_ipc::Schema<'_>, columns: &[Column]) -> Checked<()> {
    let fields = schema.fields().ok_or("the schema has no fields")?;
    if schema.endianness() != arrow_ipc::Endianness::Little || fields.len() != columns.len() {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        return Err(format!("its columns are not {}", names.join(", ")));
    }
    match columns.iter().zip(fields.iter()).find(|(column, field)| !column.is_of(*field)) {
        None => Ok(()),
        Some((column, _)) => {
            Err(format!("its column `{}` is missing or not {:?}", column.name, column.kind))
        }
    }
}

/// Where a column lies, as byte ranges of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnLayout {
    /// One bit a row, set where there is a value; `None` when no row is null.
    pub(crate) validity: Option<Range<usize>>,
    /// `rows + 1` numbers of 4 bytes, for lists and text.
    pub(crate) offsets: Option<Range<usize>>,
    /// The values of all rows.
    pub(crate) values: Range<usize>,
    /// How many values these are; of text, bytes.
    pub(crate) items: usize,
}

/// Finds the columns of the record batch `message` with `rows` rows.
pub(crate) fn read_batch(
    message: &[u8],
    rows: usize,
    columns: &[Column],
) -> Checked<Vec<ColumnLayout>> {
    if message.get(..4) != Some(&[0xff; 4]) {
        return Err("it does not begin with the marker of an Arrow message".to_owned());
    }
    let metadata_end = PREFIX_BYTES + read_length(message, 4)?;
    let metadata = message.get(PREFIX_BYTES..metadata_end).ok_or("its metadata is cut off")?;
    let parsed = arrow_ipc::root_as_message(metadata)
        .map_err(|e| format!("its metadata is malformed: {e}"))?;
    let batch = parsed.header_as_record_batch().ok_or("it is not a record batch")?;
    if batch.compression().is_some() {
        return Err("it is compressed, shards are not".to_owned());
    }
    let mut walk = Walk { batch, message, start: metadata_end, rows, node: 0, buffer: 0 };
    let layouts = columns.iter().map(|&column| walk.column(column)).collect::<Checked<Vec<_>>>()?;
    let (nodes, buffers) =
        (batch.nodes().map_or(0, |n| n.len()), batch.buffers().map_or(0, |b| b.len()));
    if (walk.node, walk.buffer) != (nodes, buffers) {
        let (node, buffer) = (walk.node, walk.buffer);
        return Err(format!(
            "it has {nodes} columns and {buffers} buffers, not {node} and {buffer}"
        ));
    }
    Ok(layouts)
}

/// Goes through the nodes and buffers of a batch in the order of the columns.
struct Walk<'m> {
    batch: RecordBatch<'m>,
    message: &'m [u8],
    /// First byte of the body.
    start: usize,
    rows: usize,
    node: usize,
    buffer: usize,
}

impl Walk<'_> {
    fn column(&mut self, column: Column) -> Checked<ColumnLayout> {
        let validity = self.own_node(column)?;
        let (offsets, values, items) = match column.kind {
            Kind::One(item) => (None, self.range(self.rows, item.bytes())?, self.rows),
            Kind::Text => self.text()?,
            Kind::List(item) => self.list(column, item)?,
            Kind::Fixed(count) => {
                let count = usize::try_from(count).map_err(|_| "a list of negative length")?;
                let items = self.rows.checked_mul(count).ok_or("a list too long for memory")?;
                (None, self.child(column, Item::F64, Some(items))?.0, items)
            }
        };
        Ok(ColumnLayout { validity, offsets, values, items })
    }

    /// The node of the column itself, and its validity buffer.
    fn own_node(&mut self, column: Column) -> Checked<Option<Range<usize>>> {
        let node = self.next_node()?;
        let nulls = node.null_count();
        if usize::try_from(node.length()) != Ok(self.rows) || (nulls != 0 && !column.nullable) {
            return Err(format!(
                "column `{}` has {} values with {nulls} nulls, the card says {}{}",
                column.name,
                node.length(),
                self.rows,
                if column.nullable { "" } else { " without nulls" }
            ));
        }
        if nulls == 0 {
            self.next_buffer()?;
            return Ok(None);
        }
        self.range(self.rows.div_ceil(8), 1).map(Some)
    }

    fn text(&mut self) -> Checked<(Option<Range<usize>>, Range<usize>, usize)> {
        let offsets = self.range(self.rows + 1, 4)?;
        let last = read_length(self.message, offsets.end - 4)?;
        Ok((Some(offsets), self.range(last, 1)?, last))
    }

    fn list(
        &mut self,
        column: Column,
        item: Item,
    ) -> Checked<(Option<Range<usize>>, Range<usize>, usize)> {
        let offsets = self.range(self.rows + 1, 4)?;
        let (values, items) = self.child(column, item, None)?;
        Ok((Some(offsets), values, items))
    }

    /// The values inside a list, which are never null.
    fn child(
        &mut self,
        column: Column,
        item: Item,
        wanted: Option<usize>,
    ) -> Checked<(Range<usize>, usize)> {
        let node = self.next_node()?;
        let items = usize::try_from(node.length()).ok();
        let items = items.filter(|&found| wanted.is_none_or(|wanted| wanted == found));
        let Some(items) = items.filter(|_| node.null_count() == 0) else {
            return Err(format!(
                "column `{}` has {} items with {} nulls, not {wanted:?} without nulls",
                column.name,
                node.length(),
                node.null_count()
            ));
        };
        self.next_buffer()?;
        Ok((self.range(items, item.bytes())?, items))
    }

    fn next_node(&mut self) -> Checked<FieldNode> {
        let nodes = self.batch.nodes().ok_or("it has no columns")?;
        if self.node >= nodes.len() {
            return Err(format!("it has only {} columns", nodes.len()));
        }
        self.node += 1;
        Ok(*nodes.get(self.node - 1))
    }

    fn next_buffer(&mut self) -> Checked<Buffer> {
        let buffers = self.batch.buffers().ok_or("it has no buffers")?;
        if self.buffer >= buffers.len() {
            return Err(format!("it has only {} buffers", buffers.len()));
        }
        self.buffer += 1;
        Ok(*buffers.get(self.buffer - 1))
    }

    /// The first `count` values of `width` bytes of the next buffer.
    fn range(&mut self, count: usize, width: usize) -> Checked<Range<usize>> {
        let buffer = self.next_buffer()?;
        let (offset, length) = (buffer.offset(), buffer.length());
        let (number, body) = (self.buffer - 1, self.message.len() - self.start);
        let bad = || format!("buffer {number} of {length} bytes lies at {offset} of {body} bytes");
        let needed = count.checked_mul(width).ok_or_else(bad)?;
        let offset = usize::try_from(offset).map_err(|_| bad())?;
        let long_enough = usize::try_from(length).is_ok_and(|length| length >= needed);
        let inside = offset.checked_add(needed).is_some_and(|end| end <= body);
        if !long_enough || !inside {
            return Err(bad());
        }
        Ok(self.start + offset..self.start + offset + needed)
    }
}

/// Offsets must start at 0, never fall, and end at `items`: then every list is inside its batch.
pub(crate) fn check_offsets(offsets: &[i32], items: usize) -> Checked<()> {
    let ends = (offsets.first(), offsets.last().map(|&last| usize::try_from(last)));
    if ends != (Some(&0), Some(Ok(items))) {
        return Err(format!("its offsets do not run from 0 to {items}"));
    }
    match offsets.windows(2).position(|pair| pair[0] > pair[1]) {
        Some(row) => Err(format!("the list of row {row} of the batch ends before it begins")),
        None => Ok(()),
    }
}
