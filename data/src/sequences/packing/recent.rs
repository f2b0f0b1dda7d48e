//! The few things that were asked for last, kept because they are asked for again.

use std::sync::{Arc, Mutex, PoisonError};

/// At most `most` values by key; the one that was made first goes first.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    kept: Mutex<Vec<(K, Arc<V>)>>,
}

impl<K: PartialEq, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(Vec::new()) }
    }

    /// The value of `key`, made if it is not there. Others who ask meanwhile wait: they mostly want the same.
    pub(super) fn get<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        // What is kept is whole whenever the lock is free, also after a panic in `make`.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = kept.iter().find(|(of, _)| *of == key) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        if kept.len() >= self.most {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&value)));
        Ok(value)
    }
}
