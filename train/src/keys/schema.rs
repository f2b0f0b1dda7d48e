//! A JSON schema as a tree of keys: what stands at each, whatever way the schema says it.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// The attribute of a key whose value may differ from that of the checkpoint: why it may.
const MAY_CHANGE: &str = "x-may-change-on-resume";

/// Keys of `R`, and tables with all their keys, that may change between a checkpoint and its
/// continuation.
pub(crate) fn may_change<R: JsonSchema>() -> Vec<String> {
    let schema = Value::from(SchemaGenerator::default().into_root_schema_for::<R>());
    let keys = Node::new(&schema, &schema["$defs"], true).keys_that_may_change();
    keys.into_iter().map(|(key, _)| key).collect()
}

/// A key, or a table, of a run file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    /// Where it stands: its own words, default, attributes.
    at: &'a Value,
    /// What it is, described once for all places.
    what: &'a Value,
    definitions: &'a Value,
    pub(super) required: bool,
}

/// What may stand at a key.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    /// A table with keys.
    Table,
    /// A table whose first-named key chooses among kinds with keys of their own.
    Kinds(&'a str, Vec<(&'a str, Node<'a>)>),
    /// One of these, as they are written, with their meaning.
    Choices(Vec<(String, String)>),
    /// A list.
    List(Node<'a>),
    /// A table of any keys.
    Map(Node<'a>),
    /// A JSON type.
    Plain(&'a str),
}

impl<'a> Node<'a> {
    /// The run files of which a schema allows any.
    pub(super) fn alternatives(schema: &'a Value) -> Vec<Self> {
        let files = schema["anyOf"].as_array().into_iter().flatten();
        files.map(|file| Self::new(file, &schema["$defs"], true)).collect()
    }

    fn new(at: &'a Value, definitions: &'a Value, required: bool) -> Self {
        Self { at, what: resolved(at, definitions), definitions, required }
    }

    fn inside(&self, at: &'a Value, required: bool) -> Self {
        Self::new(at, self.definitions, required)
    }

    /// Keys of a table, in the order of the struct.
    pub(super) fn keys(&self) -> Vec<(&'a str, Node<'a>)> {
        let required = self.what["required"].as_array();
        let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|it| it == name));
        let properties = self.what["properties"].as_object().into_iter().flatten();
        properties.map(|(name, at)| (name.as_str(), self.inside(at, is_required(name)))).collect()
    }

    /// Tables with keys of their own among choices.
    pub(super) fn tables_to_choose(&self) -> Vec<(&'a str, Node<'a>)> {
        let variants = self.what["oneOf"].as_array().into_iter().flatten();
        let keys = variants.flat_map(|variant| self.inside(variant, true).keys());
        keys.filter(|(_, key)| matches!(key.shape(), Shape::Table)).collect()
    }

    /// The default, unless it is that nothing is there.
    pub(super) fn default(&self) -> Option<&'a Value> {
        self.at.get("default").filter(|value| !value.is_null())
    }

    /// Why it may change between a checkpoint and its continuation, if it may.
    pub(super) fn may_change(&self) -> Option<&'a str> {
        self.at.get(MAY_CHANGE).or_else(|| self.what.get(MAY_CHANGE))?.as_str()
    }

    /// Every key that may change, with why; a table stands for all its keys.
    pub(super) fn keys_that_may_change(&self) -> Vec<(String, &'a str)> {
        let of_key = |(name, key): (&str, Node<'a>)| {
            if let Some(reason) = key.may_change() {
                return vec![(name.to_owned(), reason)];
            }
            let inside = key.keys_that_may_change().into_iter();
            inside.map(|(path, reason)| (format!("{name}.{path}"), reason)).collect()
        };
        self.keys().into_iter().flat_map(of_key).collect()
    }

    /// What it is for, in the words of its place; of its type, where the place has none.
    pub(super) fn meaning(&self) -> String {
        let place = sentence(self.at);
        if place.is_empty() { sentence(self.what) } else { place }
    }

    /// What the type says beside the name of the table, which it begins with.
    pub(super) fn details(&self) -> String {
        let text = sentence(self.what);
        let rest = text.split_once("]`").map_or(text.as_str(), |(_, rest)| rest);
        rest.trim_start_matches([':', '.', ' ']).to_owned()
    }

    /// What may stand there.
    pub(super) fn shape(&self) -> Shape<'a> {
        if let Some(variants) = self.what["oneOf"].as_array() {
            return self.tagged(variants).unwrap_or_else(|| Shape::Choices(choices(variants)));
        }
        if self.what.get("properties").is_some() {
            return Shape::Table;
        }
        let kind = match &self.what["type"] {
            Value::Array(kinds) => &kinds[0],
            kind => kind,
        };
        match kind.as_str().unwrap_or("any") {
            "array" => Shape::List(self.inside(&self.what["items"], true)),
            "object" => Shape::Map(self.inside(&self.what["additionalProperties"], true)),
            plain => Shape::Plain(plain),
        }
    }

    /// Kinds that a key with one value each tells apart.
    fn tagged(&self, variants: &'a [Value]) -> Option<Shape<'a>> {
        let tag = variants.first()?["properties"].as_object().and_then(tag)?;
        let kind = |variant: &'a Value| {
            let kind = variant["properties"][tag]["const"].as_str()?;
            Some((kind, self.inside(variant, true)))
        };
        Some(Shape::Kinds(tag, variants.iter().map(kind).collect::<Option<_>>()?))
    }
}

fn tag(properties: &Map<String, Value>) -> Option<&str> {
    properties.iter().find(|(_, it)| it.get("const").is_some()).map(|(name, _)| name.as_str())
}

/// What `at` refers to; of something or nothing, the something.
fn resolved<'a>(at: &'a Value, definitions: &'a Value) -> &'a Value {
    if let Some(name) = at["$ref"].as_str().and_then(|it| it.strip_prefix("#/$defs/")) {
        return &definitions[name];
    }
    match at["anyOf"].as_array().and_then(|all| all.first()) {
        Some(first) => resolved(first, definitions),
        None => at,
    }
}

/// Words, and tables of one key, with their meaning.
fn choices(variants: &[Value]) -> Vec<(String, String)> {
    variants.iter().map(|variant| (written(variant), sentence(variant))).collect()
}

/// A choice as it is written.
fn written(variant: &Value) -> String {
    if let Some(word) = variant["const"].as_str() {
        return format!("`\"{word}\"`");
    }
    let keys = variant["properties"].as_object().into_iter().flatten();
    let key = |(name, inner): (&String, &Value)| match inner["properties"].as_object() {
        Some(keys) => {
            let keys: Vec<&str> = keys.keys().map(String::as_str).collect();
            format!("`{{ {name} = {{ {} = … }} }}`", keys.join(" = …, "))
        }
        None => format!("`{{ {name} = … }}`"),
    };
    keys.map(key).collect::<Vec<_>>().join(", ")
}

/// A description on one line.
fn sentence(node: &Value) -> String {
    node["description"].as_str().unwrap_or_default().replace('\n', " ")
}
