//! TOML text to a tree that remembers where each key was written, and `--set` on top of it.

use std::collections::BTreeMap;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::path::{Path, Step};
use super::problem::{ConfigProblem, Origin};

/// A configuration tree and the origin of each of its keys.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) tree: Value,
    /// What `--set` was given for each value, before it was understood as TOML.
    pub(super) texts: BTreeMap<Path, String>,
    origins: BTreeMap<Path, Origin>,
}

impl Source {
    /// Parses `text`.
    ///
    /// # Errors
    /// Every syntax error, each with its line.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<ConfigProblem>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| syntax_problem(text, error)).collect());
        }
        let tree = text.parse::<toml::Table>().map_err(|e| vec![syntax_problem(text, &e)])?;
        let mut origins = BTreeMap::new();
        record_lines(text, table.get_ref(), &Path::default(), &mut origins);
        Ok(Self { tree: Value::Table(tree), texts: BTreeMap::new(), origins })
    }

    /// Applies one `a.b=value`. Tables on the way are created. The value is TOML; what is not
    /// valid TOML is taken as text, so that paths need no quotes.
    ///
    /// # Errors
    /// No `=`, an empty key or value, or a key below something that is not a table.
    pub(super) fn set(&mut self, text: &str) -> Result<(), ConfigProblem> {
        let fail = |path: &Path, message: String| ConfigProblem {
            origin: Origin::Override(text.to_owned()),
            path: path.to_string(),
            message,
        };
        let nowhere = Path::default();
        let Some((key, value)) = text.split_once('=') else {
            return Err(fail(&nowhere, "must look like `table.key=value`".to_owned()));
        };
        let path = Path(key.trim().split('.').map(|k| Step::Key(k.trim().to_owned())).collect());
        if path.0.contains(&Step::Key(String::new())) {
            return Err(fail(&nowhere, format!("`{key}` has an empty part")));
        }
        if value.trim().is_empty() {
            return Err(fail(&path, "no value after `=`; write \"\" for empty text".to_owned()));
        }
        let made = self.make_tables(&path).map_err(|(at, what)| {
            fail(&path, format!("`{at}` is {what}, so nothing can be set below it"))
        })?;
        path.put(&mut self.tree, override_value(value.trim()));
        self.texts.retain(|known, _| !known.is_within(&path));
        self.texts.insert(path.clone(), value.trim().to_owned());
        self.origins.retain(|known, _| !known.is_within(&path));
        let origin = Origin::Override(text.to_owned());
        self.origins.extend(made.into_iter().chain([path]).map(|at| (at, origin.clone())));
        Ok(())
    }

    /// Makes every table on the way to `path` exist; returns those that did not.
    fn make_tables(&mut self, path: &Path) -> Result<Vec<Path>, (Path, &'static str)> {
        let mut made = Vec::new();
        for depth in 1..path.0.len() {
            let at = Path(path.0[..depth].to_vec());
            match at.find(&self.tree) {
                Some(Value::Table(_)) => {}
                Some(other) => return Err((at.clone(), other.type_str())),
                None => {
                    at.put(&mut self.tree, Value::Table(toml::Table::new()));
                    made.push(at);
                }
            }
        }
        Ok(made)
    }

    /// Whether `--set` gave `key`, or the table around it.
    pub(super) fn is_overridden(&self, key: &str) -> bool {
        let path = Path(key.split('.').map(|k| Step::Key(k.to_owned())).collect());
        self.texts.keys().any(|given| path.is_within(given))
    }

    /// Fills in where each problem was written: its own key, or the nearest table around it.
    pub(super) fn locate(&self, problems: &mut [ConfigProblem]) {
        let printed: BTreeMap<String, &Origin> =
            self.origins.iter().map(|(path, origin)| (path.to_string(), origin)).collect();
        for problem in problems.iter_mut().filter(|p| p.origin == Origin::Nowhere) {
            let mut path = problem.path.as_str();
            while !path.is_empty() {
                if let Some(&origin) = printed.get(path) {
                    problem.origin = origin.clone();
                    break;
                }
                path = path.rfind(['.', '[']).map_or("", |at| &path[..at]);
            }
        }
    }
}

/// One `a.b=value` as a table of its own, for what is no run file.
///
/// # Errors
/// As for `--set` of a run file.
pub fn table_of(text: &str) -> Result<toml::Table, ConfigProblem> {
    let tree = Value::Table(toml::Table::new());
    let mut source = Source { tree, texts: BTreeMap::new(), origins: BTreeMap::new() };
    source.set(text)?;
    match source.tree {
        Value::Table(table) => Ok(table),
        _ => unreachable!("a key is put into a table"),
    }
}

fn override_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> ConfigProblem {
    let mut problem = ConfigProblem::at("", format!("not valid TOML: {}", error.message()));
    if let Some(span) = error.span() {
        problem.origin = Origin::Line(line_of(text, span.start));
    }
    problem
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn record_lines(text: &str, table: &DeTable<'_>, at: &Path, origins: &mut BTreeMap<Path, Origin>) {
    for (key, value) in table {
        let path = at.key(key.get_ref());
        origins.insert(path.clone(), Origin::Line(line_of(text, key.span().start)));
        record_value(text, value.get_ref(), &path, origins);
    }
}

fn record_value(text: &str, value: &DeValue<'_>, at: &Path, origins: &mut BTreeMap<Path, Origin>) {
    if let Some(table) = value.as_table() {
        record_lines(text, table, at, origins);
    }
    for (index, item) in value.as_array().into_iter().flat_map(|array| array.iter().enumerate()) {
        let path = at.step(Step::Index(index));
        origins.insert(path.clone(), Origin::Line(line_of(text, item.span().start)));
        record_value(text, item.get_ref(), &path, origins);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_after(text: &str, set: &str) -> Value {
        let mut source = Source::parse(text).unwrap();
        source.set(set).unwrap();
        source.tree
    }

    #[test]
    fn overrides_of_every_type_replace_or_create_values() {
        let set = |text: &str| tree_after("[a]\nb = 1\n", text)["a"]["b"].clone();
        assert_eq!(set("a.b=true"), Value::Boolean(true));
        assert_eq!(set("a.b=2.5e-3"), Value::Float(2.5e-3));
        assert_eq!(set("a.b=-7"), Value::Integer(-7));
        assert_eq!(set("a.b=\"x y\""), Value::String("x y".into()));
        assert_eq!(set("a.b=/tmp/run-1"), Value::String("/tmp/run-1".into()));
        assert_eq!(set("a.b=[1, 2]"), Value::Array(vec![Value::Integer(1), Value::Integer(2)]));
        assert_eq!(set("a.b={kind=\"none\"}")["kind"], Value::String("none".into()));
        assert_eq!(tree_after("", "x.y.z=1")["x"]["y"]["z"], Value::Integer(1));
    }

    #[test]
    fn an_override_cannot_smuggle_in_a_second_key() {
        let tree = tree_after("", "a.b=1\nc = 2");
        assert_eq!(tree["a"]["b"], Value::String("1\nc = 2".into()));
        assert!(tree.get("c").is_none());
    }

    #[test]
    fn malformed_overrides_say_what_is_wrong() {
        let error = |set: &str| Source::parse("a = 1").unwrap().set(set).unwrap_err().to_string();
        assert!(error("a.b").contains("must look like"));
        assert!(error("a..b=1").contains("empty part"));
        assert!(error("b=").contains("no value"));
        assert!(error("a.b=1").contains("`a` is integer"));
    }

    #[test]
    fn every_syntax_error_is_reported_with_its_line() {
        let problems = Source::parse("a = \nb = 1\nc = [1,,2]\n").unwrap_err();
        let lines: Vec<_> = problems.iter().map(|p| p.origin.clone()).collect();
        assert!(lines.contains(&Origin::Line(1)) && lines.contains(&Origin::Line(3)), "{lines:?}");
    }
}
