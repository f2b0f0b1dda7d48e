//! Places in a configuration tree: keys and array indices from the root.

use std::fmt;

use toml::Value;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A place in the tree. Prints as `data.source.inputs[0]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    pub(super) fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(super) fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// Whether this place is `other` or lies below it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.get(index),
        })
    }

    fn find_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get_mut(key),
            Step::Index(index) => node.get_mut(index),
        })
    }

    /// Puts `value` here, in an existing table or array. Tells whether that was possible.
    pub(super) fn put(&self, root: &mut Value, value: Value) -> bool {
        if let (Some(Step::Key(key)), Some(Value::Table(table))) =
            (self.0.last(), self.parent().find_mut(root))
        {
            table.insert(key.clone(), value);
            return true;
        }
        let found = self.find_mut(root);
        let possible = found.is_some();
        if let Some(node) = found {
            *node = value;
        }
        possible
    }

    /// Removes the key that this path ends with.
    pub(super) fn remove(&self, root: &mut Value) {
        if let (Some(Step::Key(key)), Some(Value::Table(table))) =
            (self.0.last(), self.parent().find_mut(root))
        {
            table.remove(key);
        }
    }

    /// This place and all places below it, nearest to the root first.
    pub(super) fn descend(&self, root: &Value) -> Vec<Self> {
        let mut found = vec![self.clone()];
        let mut next = 0;
        while next < found.len() {
            let here = found[next].clone();
            match here.find(root) {
                Some(Value::Table(table)) => found.extend(table.keys().map(|key| here.key(key))),
                Some(Value::Array(items)) => {
                    found.extend((0..items.len()).map(|i| here.step(Step::Index(i))));
                }
                _ => {}
            }
            next += 1;
        }
        found
    }
}

/// Every place below one of `keys`, each written as `table.key`.
pub(super) fn places(root: &Value, keys: &[&str]) -> Vec<Path> {
    let at = |key: &&str| key.split('.').fold(Path::default(), |path, key| path.key(key));
    keys.iter().flat_map(|key| at(key).descend(root)).collect()
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if at == 0 { "" } else { "." };
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.chars().all(bare) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
