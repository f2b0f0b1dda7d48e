//! Every path that a Rust file writes: those of `use` trees, one by one, and those in code.
//!
//! Works on masked text, so that comments, links of docs and strings hold no path. Not seen: a path
//! inside a string (serde's `with = "…"`), and what a type or a method resolves to.

use crate::rust_text::is_word;

/// A word, `::`, or one other character.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// Byte where it starts.
    pub(super) at: usize,
}

/// One path as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// Byte where its first word of its own stands.
    pub(super) at: usize,
    /// Its words, `crate`, `self` and `super` among them.
    pub(super) words: Vec<&'a str>,
    pub(super) kind: Kind<'a>,
}

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `use path as name`: the name stands for it from then on.
    Import(&'a str),
    /// `use path::*`
    Glob,
    /// In an expression, a type, a macro's arguments.
    Inline,
}

/// The tokens of masked text.
pub(super) fn tokens(masked: &str) -> Vec<Token<'_>> {
    let bytes = masked.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            byte if is_word(byte) => rest.iter().take_while(|&&byte| is_word(byte)).count(),
            b':' if rest.starts_with(b"::") => 2,
            _ => 1,
        };
        if !rest[0].is_ascii_whitespace() {
            found.push(Token { text: &masked[at..at + length], at });
        }
        at += length;
    }
    found
}

/// Every path of two words or more, and every import.
pub(super) fn written<'a>(tokens: &[Token<'a>]) -> Vec<Written<'a>> {
    let mut reader = Reader { tokens, found: Vec::new() };
    let mut at = 0;
    while at < tokens.len() {
        at = reader.step(at);
    }
    reader.found
}

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    found: Vec<Written<'a>>,
}

impl<'a> Reader<'_, 'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn before(&self, at: usize, by: usize) -> &'a str {
        at.checked_sub(by).map_or("", |at| self.text(at))
    }

    /// Reads what starts at token `at`; the token after it.
    fn step(&mut self, at: usize) -> usize {
        // `impl Trait + use<'a>` captures, it imports nothing.
        if self.text(at) == "use" && self.text(at + 1) != "<" {
            return self.tree(at + 1, Vec::new());
        }
        if !is_name(self.text(at)) || self.text(at + 1) != "::" || self.goes_on(at) {
            return at + 1;
        }
        let mut words = vec![self.text(at)];
        let mut end = at + 1;
        while self.text(end) == "::" && is_name(self.text(end + 1)) {
            words.push(self.text(end + 1));
            end += 2;
        }
        self.found.push(Written { at: self.tokens[at].at, words, kind: Kind::Inline });
        end
    }

    /// Is the word the middle of something: a path, a method, a macro's variable, a `pub(in path)`?
    fn goes_on(&self, at: usize) -> bool {
        match self.before(at, 1) {
            "::" | "." => true,
            "$" => self.text(at) != "crate",
            "in" => self.before(at, 2) == "(" && self.before(at, 3) == "pub",
            _ => false,
        }
    }

    /// Reads one tree of a `use` that starts with `words`; the token after it.
    fn tree(&mut self, mut at: usize, mut words: Vec<&'a str>) -> usize {
        loop {
            match self.text(at) {
                "{" => return self.group(at + 1, &words),
                "*" => {
                    self.found.push(Written { at: self.tokens[at].at, words, kind: Kind::Glob });
                    return at + 1;
                }
                "::" if words.is_empty() => words.push("::"), // another crate, whatever is here
                "::" | "$" => {}
                name if is_name(name) => {
                    words.push(name);
                    if self.text(at + 1) != "::" {
                        return self.leaf(at, words);
                    }
                }
                _ => return at + 1,
            }
            at += 1;
        }
    }

    fn group(&mut self, mut at: usize, words: &[&'a str]) -> usize {
        while !matches!(self.text(at), "}" | "") {
            at = if self.text(at) == "," { at + 1 } else { self.tree(at, words.to_vec()) };
        }
        at + 1
    }

    fn leaf(&mut self, at: usize, mut words: Vec<&'a str>) -> usize {
        if words.len() > 1 && words.last() == Some(&"self") {
            words.pop();
        }
        let renamed = self.text(at + 1) == "as";
        let (name, end) = if renamed { (self.text(at + 2), at + 3) } else { ("", at + 1) };
        let name = if renamed { name } else { words[words.len() - 1] };
        self.found.push(Written { at: self.tokens[at].at, words, kind: Kind::Import(name) });
        end
    }
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| is_word(byte) && !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust_text::mask;

    fn paths(source: &str) -> Vec<String> {
        let masked = mask(source);
        written(&tokens(&masked)).iter().map(|path| path.words.join("::")).collect()
    }

    #[test]
    fn groups_renames_and_globs_of_a_use_are_told_apart() {
        let masked = mask("pub(crate) use super::super::{a::{self, B as C}, d::*, e};");
        let found = written(&tokens(&masked));
        let words: Vec<_> = found.iter().map(|path| path.words[2..].join("::")).collect();
        assert_eq!(words, ["a", "a::B", "d", "e"]);
        let kinds: Vec<_> = found.iter().map(|path| path.kind).collect();
        let import = Kind::Import;
        assert_eq!(kinds, [import("a"), import("C"), Kind::Glob, import("e")]);
    }

    #[test]
    fn paths_in_code_and_in_arguments_of_macros_are_found() {
        let source = "fn f(x: &crate::a::B) -> <X as super::c::D>::Out { g!(h, self::i::<u8>(1)) }\n\
                      macro_rules! m { ($t:ident) => { $crate::j::k($t::l) } }";
        assert_eq!(
            paths(source),
            ["crate::a::B", "super::c::D", "self::i", "crate::j::k"],
            "neither `::Out` nor `$t::l` starts a path"
        );
    }

    #[test]
    fn words_that_are_no_path_are_left_out() {
        let source = "//! See [`crate::a`].\nuse ::crate_of_others::b;\npub(in crate::c) fn f() {}\n\
                      fn g<'a>(x: &'a str) -> impl Fn() + use<'a> { x.parse::<u8>(\"crate::d\") }";
        assert_eq!(paths(source), ["::::crate_of_others::b"], "the mark of another crate");
    }
}
