//! Inputs as edits of something whole: random bytes would never get past the first check.

use serde_json::{Map, Number, Value};

/// Bytes that are used up from the front; zeros when there are none left.
pub struct Edits<'b>(pub &'b [u8]);

impl Edits<'_> {
    /// Whether something is left.
    pub fn more(&self) -> bool {
        !self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// The next number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let number = u32::from_le_bytes([self.byte(), self.byte(), self.byte(), 0]);
        number as usize % limit
    }

    /// The next eight bytes as a number.
    pub fn number(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
}

/// Replaces, removes or repeats values of `json`, chosen by `edits`.
pub fn json(value: &mut Value, edits: &mut Edits<'_>) {
    while edits.more() {
        let mut left = edits.below(count(value));
        edit(value, &mut left, edits);
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// Edits the value that is `left` values behind this one, counted as they are written.
fn edit(value: &mut Value, left: &mut usize, edits: &mut Edits<'_>) -> bool {
    if *left == 0 {
        *value = other(value, edits);
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let removed = *left == 0 && edits.byte() == 0;
                if removed {
                    fields.remove(&name);
                }
                if removed || edit(&mut fields[&name], left, edits) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| edit(item, left, edits)),
        _ => false,
    }
}

/// What may stand in the place of a value.
fn other(value: &Value, edits: &mut Edits<'_>) -> Value {
    match edits.byte() % 10 {
        0 => Value::Null,
        1 => Value::Number(edits.number().into()),
        2 => Value::Number(u64::from(edits.byte()).into()),
        3 => Value::Number((edits.number() as i64).into()),
        4 => Number::from_f64(f64::from_bits(edits.number())).map_or(Value::Null, Value::Number),
        5 => Value::String(String::from_utf8_lossy(&[edits.byte(), edits.byte()]).into_owned()),
        6 => Value::Array(vec![value.clone(), value.clone()]),
        7 => Value::Object(Map::new()),
        8 => value.as_u64().map_or(Value::Bool(true), |number| number.wrapping_add(1).into()),
        _ => Value::Array(Vec::new()),
    }
}
