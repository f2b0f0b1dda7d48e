//! The text of CUDA C++, as far as it has to be read: which kernels it has, and what C++ does not know.

use std::fmt::Write as _;

/// A kernel as its text declares it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) parameters: Vec<String>,
    /// What `__launch_bounds__` allows, when it is a number.
    pub(crate) most_threads: Option<u32>,
}

/// Calls that make threads wait for one another, in CUDA and in the kernels' prelude. A text with a header of
/// its own may hide them there.
const WAITS: [&str; 9] = [
    "__sync",
    "_sync(",
    "wmma",
    "mma_",
    "barrier",
    "pipeline",
    "cooperative",
    "asm",
    "#include \"",
];

/// Dynamic shared memory, which C++ cannot declare like that.
pub(super) fn rewrite(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let declared = line.trim_start().strip_prefix("extern __shared__").and_then(|rest| {
            let rest = rest.trim().strip_suffix("[];")?;
            let (before, name) = rest.rsplit_once(' ')?;
            let kind = before.rsplit_once(' ').map_or(before, |(_, kind)| kind);
            Some(format!("DYNAMIC_SHARED({kind}, {name});"))
        });
        lines.push(declared.unwrap_or_else(|| line.to_owned()));
    }
    lines.join("\n") + "\n"
}

/// The kernels of a text, in its order.
pub(crate) fn kernels(text: &str) -> Vec<Declared> {
    let text = without_comments(text);
    let pieces = text.split("__global__").skip(1);
    pieces.filter_map(declared).collect()
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// A kernel from behind `__global__` on.
fn declared(text: &str) -> Option<Declared> {
    let mut rest = text;
    let mut most_threads = None;
    loop {
        let open = rest.find('(')?;
        let (inside, behind) = within(&rest[open..])?;
        let name = rest[..open].trim_end().rsplit(|c: char| !is_word(c)).next()?;
        if name == "__launch_bounds__" {
            most_threads = inside.split(',').next().and_then(|bound| bound.trim().parse().ok());
        } else if name != "__cluster_dims__" {
            let parameters = parameters(inside);
            return Some(Declared { name: name.to_owned(), parameters, most_threads });
        }
        rest = behind;
    }
}

/// What is between the bracket at the beginning and its partner, and what is behind.
fn within(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

/// The names of parameters: the last word before each comma outside of brackets.
fn parameters(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ',')]) {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                let mut words = text[start..at].split(|c: char| !is_word(c));
                names.extend(words.rfind(|word| !word.is_empty()).map(str::to_owned));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The unit that is compiled: the text in an unnamed namespace, so that nothing of it is shared with another
/// library, and the table of its kernels.
pub(super) fn unit(text: &str) -> String {
    let waits = WAITS.iter().any(|word| text.contains(word));
    let mut unit = "#include \"softcuda.h\"\nnamespace {\n#include \"source.cu\"\n}\n".to_owned();
    let mut table = String::new();
    for Declared { name, parameters, most_threads } in kernels(text) {
        let names: Vec<String> = parameters.iter().map(|name| format!("\"{name}\", ")).collect();
        let names = names.concat();
        let threads = most_threads.unwrap_or(0);
        let _ = write!(
            unit,
            "static const char* const names_of_{name}[] = {{{names}\"\"}};\n\
             static int run_{name}(const softcuda::Grid* grid) {{\n    \
             return softcuda::run<&{name}, {waits}>(grid, \"{name}\");\n}}\n"
        );
        let _ = writeln!(
            table,
            "    {{\"{name}\", run_{name}, softcuda::Parameters<decltype(&{name})>::count, {threads}, \
             softcuda::Parameters<decltype(&{name})>::sizes, \
             softcuda::Parameters<decltype(&{name})>::pointers, names_of_{name}}},"
        );
    }
    let exported = "extern \"C\" __attribute__((visibility(\"default\")))";
    unit + exported
        + " const softcuda::Entry softcuda_entries[] = {\n"
        + &table
        + "    {},\n};\n"
        + exported
        + " const unsigned long long softcuda_shared_bytes = shared_end - shared_begin - sizeof shared_anchor;\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_with_their_parameters_and_bounds() {
        let text = "// __global__ void no(int x)\n\
                    extern \"C\" __global__ __launch_bounds__(256) void scale(const float* __restrict__ x, float *y,\n \
                    u32 n) {}\n\
                    extern \"C\" __global__ void __launch_bounds__(BLOCK)other (\n const info_st info\n) { f(1); }";
        let found = kernels(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name, "scale");
        assert_eq!(found[0].parameters, ["x", "y", "n"]);
        assert_eq!(found[0].most_threads, Some(256));
        assert_eq!((found[1].name.as_str(), found[1].most_threads), ("other", None));
        assert_eq!(found[1].parameters, ["info"]);
    }

    #[test]
    fn dynamic_shared_memory_is_declared_as_the_emulator_has_it() {
        let text = "int a;\nextern __shared__ __align__(16) uint8 dynamic_shared_mem[];\n";
        assert_eq!(rewrite(text), "int a;\nDYNAMIC_SHARED(uint8, dynamic_shared_mem);\n");
    }
}
