//! A serde deserialiser of TOML trees whose errors are data: the place, the kind, the names that
//! would have been valid. `repair` reads them to find every problem of a file, not only the first.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use toml::Value;

use super::path::{Path, Step};

/// Why a tree does not fit its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mismatch {
    /// Steps from the root, innermost first while the error travels up.
    steps: Vec<Step>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    UnknownKey { name: String, valid: Vec<String> },
    UnknownName { name: String, valid: Vec<String> },
    Missing { name: String },
    WrongType { found: Found, expected: String },
    Other(String),
}

/// The value that was found, as far as serde tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Array,
    Table,
    Other(String),
}

impl Found {
    fn new(unexpected: &Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Bool(b) => Self::Bool(*b),
            Unexpected::Signed(i) => Self::Integer(*i),
            Unexpected::Unsigned(u) => i64::try_from(*u).map_or(Self::Array, Self::Integer),
            Unexpected::Float(x) => Self::Float(*x),
            Unexpected::Str(s) => Self::Text((*s).to_owned()),
            Unexpected::Seq => Self::Array,
            Unexpected::Map => Self::Table,
            other => Self::Other(other.to_string()),
        }
    }

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Boolean(b) => Self::Bool(*b),
            Value::Integer(i) => Self::Integer(*i),
            Value::Float(x) => Self::Float(*x),
            Value::String(s) => Self::Text(s.clone()),
            Value::Array(_) => Self::Array,
            Value::Table(_) => Self::Table,
            Value::Datetime(d) => Self::Other(format!("the date {d}")),
        }
    }
}

impl Mismatch {
    pub(super) fn path(&self) -> Path {
        Path(self.steps.iter().rev().cloned().collect())
    }

    fn new(kind: Kind) -> Self {
        Self { steps: Vec::new(), kind }
    }

    fn below(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.path(), self.kind)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::WrongType { found: Found::new(&found), expected: expected.to_string() })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(name: &str, valid: &'static [&'static str]) -> Self {
        let valid = valid.iter().map(|&v| v.to_owned()).collect();
        Self::new(Kind::UnknownName { name: name.to_owned(), valid })
    }

    fn unknown_field(name: &str, valid: &'static [&'static str]) -> Self {
        let valid = valid.iter().map(|&v| v.to_owned()).collect();
        Self::new(Kind::UnknownKey { name: name.to_owned(), valid })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Kind::Missing { name: name.to_owned() })
    }
}

/// A place of the tree as serde input.
pub(super) struct Node<'a>(pub(super) &'a Value);

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Boolean(b) => visitor.visit_bool(*b),
            Value::Integer(i) => visitor.visit_i64(*i),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::String(s) => visitor.visit_str(s),
            Value::Array(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Table(table) => visitor.visit_map(Entries { rest: table.iter(), now: None }),
            Value::Datetime(date) => {
                let found = format!("the date {date}");
                Err(de::Error::invalid_type(Unexpected::Other(&found), &visitor))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            // serde would also read an array as fields without names.
            Value::Array(_) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Table(table) if table.len() == 1 => {
                let (name, content) = table.iter().next().expect("has one entry");
                visitor.visit_enum(Variant { name, content })
            }
            other => Err(Mismatch::new(Kind::WrongType {
                found: Found::of(other),
                expected: format!("one of {}", variants.join(", ")),
            })),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Value>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Node(item)).map(Some).map_err(|e| e.below(Step::Index(index)))
    }
}

struct Entries<'a> {
    rest: toml::map::Iter<'a, String, Value>,
    now: Option<(&'a String, &'a Value)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        self.now = self.rest.next();
        let Some((key, _)) = self.now else { return Ok(None) };
        let key: StrDeserializer<'_, Mismatch> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (key, value) = self.now.take().expect("serde asks for a key before its value");
        seed.deserialize(Node(value)).map_err(|e| e.below(Step::Key(key.clone())))
    }
}

/// `{ name = content }`: a variant that holds something.
struct Variant<'a> {
    name: &'a str,
    content: &'a Value,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Mismatch;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'a>), Mismatch> {
        let name: StrDeserializer<'_, Mismatch> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self)))
    }
}

struct Content<'a>(Variant<'a>);

impl Content<'_> {
    fn below(&self, error: Mismatch) -> Mismatch {
        error.below(Step::Key(self.0.name.to_owned()))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        let expected = format!("the plain name \"{}\"", self.0.name);
        Err(Mismatch::new(Kind::WrongType { found: Found::Table, expected }))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        seed.deserialize(Node(self.0.content)).map_err(|e| self.below(e))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        Node(self.0.content).deserialize_any(visitor).map_err(|e| self.below(e))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        Node(self.0.content).deserialize_any(visitor).map_err(|e| self.below(e))
    }
}
