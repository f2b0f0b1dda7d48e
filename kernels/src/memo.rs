//! Values that follow from their owner, made when first asked for and kept as long as the owner: the
//! texts of kernels made from a table, and copies of a table in the memory of a device.
//!
//! A memo says nothing about its owner, so owners with different memos are equal, and clones share one.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Kept = (TypeId, u64, Arc<dyn Any + Send + Sync>);

/// What was made of an owner.
#[derive(Clone, Default)]
pub(crate) struct Memo(Arc<Mutex<Vec<Kept>>>);

impl Memo {
    /// The value of this type and key, made the first time.
    #[cfg_attr(
        not(any(test, feature = "cuda", feature = "wgpu")),
        expect(dead_code, reason = "the CPU walks tables as they are")
    )]
    pub(crate) fn get<T: Any + Send + Sync>(&self, key: u64, make: impl FnOnce() -> T) -> Arc<T> {
        // What was kept is whole even where a maker panicked: it is pushed when it is made.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |found: &&Kept| found.0 == TypeId::of::<T>() && found.1 == key;
        let found = kept.iter().find(same).and_then(|found| found.2.clone().downcast::<T>().ok());
        found.unwrap_or_else(|| {
            let made = Arc::new(make());
            kept.push((TypeId::of::<T>(), key, made.clone()));
            made
        })
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

#[cfg(test)]
mod tests {
    use super::Memo;

    #[test]
    fn a_value_is_made_once_per_type_and_key_and_clones_share_it() {
        let memo = Memo::default();
        assert_eq!(*memo.get(1, || 10_u32), 10);
        assert_eq!(*memo.clone().get(1, || 11_u32), 10);
        assert_eq!(*memo.get(2, || 12_u32), 12);
        assert_eq!(*memo.get(1, || 13_u64), 13);
        assert_eq!(memo, Memo::default());
    }
}
