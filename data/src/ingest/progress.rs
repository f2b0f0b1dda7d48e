//! How a long operation tells its caller how far it is. Nothing here prints.

/// Hears of the progress of an ingest or a verification; called from one thread at a time.
pub trait Progress: Sync {
    /// A phase begins that will go through `total_bytes` bytes; 0 when that is not known.
    fn phase(&self, name: &str, total_bytes: u64);
    /// `bytes` more bytes and `records` more records are done.
    fn advance(&self, bytes: u64, records: u64);
    /// Whether somebody asked for a stop; looked at after every piece.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Keeps quiet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _name: &str, _total_bytes: u64) {}
    fn advance(&self, _bytes: u64, _records: u64) {}
}
