//! A configuration as its keys, written out.

use std::collections::BTreeMap;

use serde_json::Value;

/// Puts every value below `key` that is no table into `into`, by its whole key; what is null is absent.
pub(crate) fn leaves<'a>(key: &str, value: &'a Value, into: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                leaves(&key, value, into);
            }
        }
        Value::Null => {}
        value => {
            into.insert(key.to_owned(), value);
        }
    }
}
