//! What a `.cu` file says of itself: its entry points with their parameters, and the sets of defines that
//! it may be compiled with (`// variants` lines of its header).
//!
//! The text is the only source: a launch is checked against it, the emulator writes its calls from it, and
//! the check of all kernels by the compiler reads its variants. Understood is what the conventions allow:
//! `extern "C" __global__ void name(…)` with pointers and plain numbers. Not here: a parser of C++.

use std::collections::BTreeMap;
use std::fmt;

/// Type of an element or of a number, as the kernel names it after its defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `float`
    F32,
    /// `double`
    F64,
    /// `u8`
    U8,
    /// `u16`, which also holds the bits of a bf16
    U16,
    /// `u32`
    U32,
    /// `i32`
    I32,
    /// `u64`
    U64,
    /// `i64`
    I64,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "float" => Self::F32,
            "double" => Self::F64,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "i32" => Self::I32,
            "u64" => Self::U64,
            "i64" => Self::I64,
            _ => return None,
        })
    }

    /// Its name in a kernel.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "float",
            Self::F64 => "double",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
        }
    }
}

/// How a parameter is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Passing {
    /// `const T*`
    Input,
    /// `T*`
    Output,
    /// `T`
    Number,
}

/// A parameter of an entry point under some defines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: String,
    /// How it is passed.
    pub(crate) passing: Passing,
    /// The type of what it points to, or its own.
    pub(crate) kind: Kind,
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind.name(), &self.name);
        match self.passing {
            Passing::Input => write!(f, "const {kind}* {name}"),
            Passing::Output => write!(f, "{kind}* {name}"),
            Passing::Number => write!(f, "{kind} {name}"),
        }
    }
}

/// An entry point under some defines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Signature {
    /// Its name.
    pub(crate) name: String,
    /// Its parameters in order.
    pub(crate) parameters: Vec<Parameter>,
}

/// Defines in the order of their names.
pub(crate) type Defines = BTreeMap<String, String>;

/// What is wrong with the text of a kernel.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// An entry point whose end is not found.
    #[error("the entry point at byte {at} has no parameter list")]
    Unfinished {
        /// Where it begins.
        at: usize,
    },
    /// A parameter that is neither a pointer nor a number of the conventions.
    #[error(
        "`{entry}`: `{parameter}` is not understood; parameters are (const) pointers to and \
         numbers of float, double, u8, u16, u32, i32, u64, i64, Real"
    )]
    Parameter {
        /// Name of the entry point.
        entry: String,
        /// Its text.
        parameter: String,
    },
    /// A `// variants` line that is no list of `NAME = value | value`.
    #[error("`{line}` is not understood: write `// variants  NAME = value | value; NAME = value`")]
    Variants {
        /// The line.
        line: String,
    },
}

const ENTRY: &str = "extern \"C\" __global__";

/// The entry points of `text` under `defines`, in the order of the file.
pub(crate) fn entries(text: &str, defines: &Defines) -> Result<Vec<Signature>, SignatureError> {
    let text = without_comments(text);
    text.match_indices(ENTRY).map(|(at, _)| entry(&text, at, defines)).collect()
}

fn entry(text: &str, at: usize, defines: &Defines) -> Result<Signature, SignatureError> {
    let unfinished = || SignatureError::Unfinished { at };
    let mut rest = text[at + ENTRY.len()..].trim_start();
    if let Some(bounds) = rest.strip_prefix("__launch_bounds__") {
        rest = bounds.split_once(')').ok_or_else(unfinished)?.1.trim_start();
    }
    rest = rest.strip_prefix("void").ok_or_else(unfinished)?;
    let (name, rest) = rest.split_once('(').ok_or_else(unfinished)?;
    let (list, _) = rest.split_once(')').ok_or_else(unfinished)?;
    let name = name.trim().to_owned();
    let parameters = list.split(',').map(str::trim).filter(|text| !text.is_empty());
    let parameters = parameters.map(|text| {
        parameter(text, defines).ok_or_else(|| SignatureError::Parameter {
            entry: name.clone(),
            parameter: text.to_owned(),
        })
    });
    let parameters = parameters.collect::<Result<_, _>>()?;
    Ok(Signature { name, parameters })
}

fn parameter(text: &str, defines: &Defines) -> Option<Parameter> {
    let spaced = text.replace('*', " * ");
    let mut words: Vec<&str> =
        spaced.split_whitespace().filter(|word| *word != "__restrict__").collect();
    let name = words.pop()?.to_owned();
    let (passing, kind) = match words[..] {
        ["const", kind, "*"] => (Passing::Input, kind),
        [kind, "*"] => (Passing::Output, kind),
        [kind] | ["const", kind] => (Passing::Number, kind),
        _ => return None,
    };
    // `Real` and its like are defines; the prelude's default is f32.
    let default = (kind == "Real" || kind == "Accumulator").then_some("float");
    let real = defines.get("Real").map(String::as_str);
    let resolved = match kind {
        "Accumulator" => defines.get("Accumulator").map(String::as_str).or(real),
        kind => defines.get(kind).map(String::as_str),
    };
    let kind = Kind::named(resolved.or(default).unwrap_or(kind))?;
    Some(Parameter { name, passing, kind })
}

/// The text with comments replaced by spaces, so that places stay the same.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        out.push_str(&rest[..at]);
        let comment = &rest[at..];
        let end = if comment.starts_with("//") {
            comment.find('\n').unwrap_or(comment.len())
        } else {
            comment.find("*/").map_or(comment.len(), |end| end + 2)
        };
        out.extend(comment[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &comment[end..];
    }
    out + rest
}

/// Every set of defines that the `// variants` lines allow: of each line the product of its choices. A
/// file without such a line has one variant, without defines.
pub(crate) fn variants(text: &str) -> Result<Vec<Defines>, SignatureError> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("// variants"));
    let mut all = Vec::new();
    for line in lines {
        all.extend(products(line)?);
    }
    if all.is_empty() {
        all.push(Defines::new());
    }
    Ok(all)
}

fn products(line: &str) -> Result<Vec<Defines>, SignatureError> {
    let wrong = || SignatureError::Variants { line: line.trim().to_owned() };
    let mut sets = vec![Defines::new()];
    for choice in line.split(';').map(str::trim).filter(|choice| !choice.is_empty()) {
        let (name, values) = choice.split_once('=').ok_or_else(wrong)?;
        let values: Vec<&str> = values.split('|').map(str::trim).collect();
        if values.iter().any(|value| value.is_empty()) || name.trim().contains(char::is_whitespace)
        {
            return Err(wrong());
        }
        let with = |set: &Defines, value: &str| {
            let mut set = set.clone();
            set.insert(name.trim().to_owned(), value.to_owned());
            set
        };
        sets =
            sets.iter().flat_map(|set| values.iter().map(move |value| with(set, value))).collect();
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// scale.cu: multiples.
// variants       Real = float | double; TILE = 4 | 8
#include \"prelude.cuh\"
/* extern \"C\" __global__ void gone(u32 x) {} */
extern \"C\" __global__ void __launch_bounds__gone2;
";

    fn defines(pairs: &[(&str, &str)]) -> Defines {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn parameters_are_read_with_their_types_after_the_defines() {
        let text = "extern \"C\" __global__ __launch_bounds__(256, 2) void scale(\n  const Real* __restrict__ x, \
                    // a comment, with a comma\n  Real *y, const u16* bits,\n  u32 count, Real by) {}";
        let of = |set: &Defines| {
            let all = entries(text, set).unwrap();
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].name, "scale");
            all[0].parameters.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let narrow = ["const float* x", "float* y", "const u16* bits", "u32 count", "float by"];
        assert_eq!(of(&Defines::new()), narrow);
        let wide = ["const double* x", "double* y", "const u16* bits", "u32 count", "double by"];
        assert_eq!(of(&defines(&[("Real", "double")])), wide);
    }

    #[test]
    fn every_entry_is_found_and_comments_are_not() {
        let text = "extern \"C\" __global__ void a() {}\n// extern \"C\" __global__ void b() {}\n\
                    extern \"C\" __global__ void c(u64 n) {}";
        let names: Vec<_> = entries(text, &Defines::new()).unwrap();
        assert_eq!(names.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn a_parameter_outside_of_the_conventions_is_named() {
        let wrong = entries("extern \"C\" __global__ void f(float4 x) {}", &Defines::new());
        let want = SignatureError::Parameter { entry: "f".into(), parameter: "float4 x".into() };
        assert_eq!(wrong, Err(want));
        assert!(matches!(entries(TEXT, &Defines::new()), Err(SignatureError::Unfinished { .. })));
    }

    #[test]
    fn variants_are_the_products_of_their_choices() {
        let all = variants(TEXT).unwrap();
        let pairs = |real, tile| defines(&[("Real", real), ("TILE", tile)]);
        let want =
            [pairs("float", "4"), pairs("float", "8"), pairs("double", "4"), pairs("double", "8")];
        assert_eq!(all, want);
        assert_eq!(variants("// nothing of the kind\n").unwrap(), [Defines::new()]);
    }

    #[test]
    fn a_line_of_variants_without_values_is_refused() {
        for line in ["// variants Real", "// variants Real = float |", "// variants A B = 1"] {
            assert!(matches!(variants(line), Err(SignatureError::Variants { .. })), "{line}");
        }
    }
}
