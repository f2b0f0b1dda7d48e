//! Typed access to a JSON object that collects problems instead of stopping at the first.

use serde_json::{Map, Value};

/// Reads keys of one object; a wrong key adds a problem and yields the default.
pub(super) struct Reader<'a> {
    object: &'a Map<String, Value>,
    pub(super) problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, problems: Vec::new() }
    }

    /// The value of `key`; `null` counts as absent, as it does in transformers.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn number(&mut self, key: &str, default: f64) -> f64 {
        self.optional(key, "a number", Value::as_f64).unwrap_or(default)
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.optional(key, "true or false", Value::as_bool).unwrap_or(default)
    }

    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        self.optional(key, "a string", |value| value.as_str().map(str::to_owned))
            .unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn optional_size(&mut self, key: &str) -> Option<usize> {
        self.optional(key, "a whole number that is not negative", |value| {
            value.as_u64().and_then(|value| usize::try_from(value).ok())
        })
    }

    pub(super) fn size(&mut self, key: &str, default: usize) -> usize {
        self.optional_size(key).unwrap_or(default)
    }

    /// A size without which nothing can be said.
    pub(super) fn required_size(&mut self, key: &str) -> usize {
        if self.get(key).is_none() {
            self.problems.push(format!("`{key}` is missing"));
            return 1;
        }
        self.size(key, 1)
    }

    /// A token id; anything that is not one id (some models list several) counts as absent.
    pub(super) fn token(&self, key: &str) -> Option<u32> {
        self.get(key).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok())
    }

    /// `key` must be absent or `expected`; otherwise the network would compute something else.
    pub(super) fn require_flag(&mut self, key: &str, expected: bool) {
        if self.flag(key, expected) != expected {
            self.problems
                .push(format!("`{key}` = {} is not supported; only {expected}", !expected));
        }
    }

    /// The choice named by `key`.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, default: &str, all: &[(&str, T)]) -> T {
        let name = self.text(key, default);
        if let Some((_, value)) = all.iter().find(|(known, _)| *known == name) {
            return *value;
        }
        let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        self.problems.push(format!(
            "`{key}` = \"{name}\" is not supported; supported: {}",
            known.join(", ")
        ));
        all[0].1
    }

    fn optional<T>(
        &mut self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.problems.push(format!("`{key}` = {value} must be {kind}"));
        }
        read
    }
}
