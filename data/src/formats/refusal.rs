//! Why one record is refused; the rest of the file is read on.

/// A short reason under which it is counted, and what is wrong in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    /// Bytes of the record, as far as its reader knows; what else it holds is seen by others.
    pub(crate) bytes: u64,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), bytes: 0 }
    }

    /// The same of a record of so many bytes.
    pub(crate) fn of(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// `bytes` is what was seen of the record; it was skipped, not stored.
    pub(crate) fn too_long(bytes: u64, limit: u64) -> Self {
        Self::new("too_long", format!("the record has {bytes} bytes, max_record_bytes is {limit}"))
            .of(bytes)
    }
}
