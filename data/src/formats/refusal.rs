//! Why one record is refused; the rest of the file is read on.

/// A short reason under which it is counted, and what is wrong in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// `bytes` is what was seen of the record; it was skipped, not stored.
    pub(crate) fn too_long(bytes: u64, limit: u64) -> Self {
        Self::new("too_long", format!("the record has {bytes} bytes, max_record_bytes is {limit}"))
    }
}
