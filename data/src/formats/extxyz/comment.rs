//! The comment line: `key=value` pairs, with quotes, brackets and escapes.
//!
//! A key is a bare word or quoted. A value is a bare word, a text in `"` or `'` with quotes, `\\` and
//! `\n` escaped, or a bracketed list `[..]`, `{..}` or `(..)`, which may nest and is kept with its
//! brackets. Numbers that follow a bare number belong to it, and truths to `pbc`. What begins with
//! `_JSON` is JSON, as ASE writes it. A key without a value is true. A key given twice with two
//! values is refused: which one counts is not for a reader to guess.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::formats::Refusal;

/// The periodic directions, whatever the case of the key.
pub(super) const PBC: &str = "pbc";
/// Keys of the structure itself, as they are called here; files write them in any case.
const OF_STRUCTURE: [&str; 3] = ["Lattice", PBC, "Properties"];

/// The pairs of a comment line; values are text, still to be understood.
pub(super) fn pairs(line: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut rest = Rest { line, at: 0 };
    let mut pairs = BTreeMap::new();
    let mut flags = Vec::new();
    loop {
        rest.skip_blanks();
        if rest.peek().is_none() {
            break;
        }
        let key = as_known(rest.key()?);
        if !rest.skip_equals() {
            flags.push(key);
            continue;
        }
        let Some(value) = meant(rest.value(&key)?) else { continue };
        match pairs.get(&key) {
            Some(known) if *known != value => {
                let problem = format!("key `{key}` is given twice, as `{known}` and as `{value}`");
                return Err(bad(problem));
            }
            _ => pairs.insert(key, value),
        };
    }
    for flag in flags {
        pairs.entry(flag).or_insert_with(|| "T".to_owned());
    }
    Ok(pairs)
}

/// Keys of the structure mean the same in any case.
fn as_known(key: String) -> String {
    let known = OF_STRUCTURE.iter().find(|known| known.eq_ignore_ascii_case(&key));
    known.map_or(key, |&known| known.to_owned())
}

/// The text of a value, of JSON what it holds; `None` where that is nothing.
fn meant(value: String) -> Option<String> {
    let Some(json) = value.strip_prefix("_JSON").map(str::trim) else { return Some(value) };
    match serde_json::from_str(json) {
        Ok(Json::Null) => None,
        Ok(Json::String(text)) => Some(text),
        // Kept as it stands: there is no other spelling of an object.
        Ok(Json::Object(_)) => Some(value),
        // Lists with NaN are no JSON but what Python writes.
        _ => Some(json.to_owned()),
    }
}

/// A number, of Fortran too: its exponent may be written with `D`.
pub(crate) fn number(word: &str) -> Option<f64> {
    word.parse().ok().or_else(|| {
        let digits = word.contains(|c: char| c.is_ascii_digit());
        let exponent = word.contains(['d', 'D']) && digits;
        exponent.then(|| word.replace(['d', 'D'], "e").parse().ok()).flatten()
    })
}

/// The numbers of a value, whatever its brackets and separators; `None` if anything is no number.
pub(crate) fn numbers(value: &str) -> Option<Vec<f64>> {
    words(value).map(number).collect()
}

/// Truth values: `T`, `True`, `1` and their opposites, one after the other or as one word `TTF`.
pub(super) fn truths(value: &str) -> Option<Vec<bool>> {
    let joined = value.len() == 3 && value.chars().all(|c| matches!(c, 'T' | 'F'));
    if joined {
        return Some(value.chars().map(|c| c == 'T').collect());
    }
    words(value).map(truth).collect()
}

fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "t" | "true" | ".true." | "1" => Some(true),
        "f" | "false" | ".false." | "0" => Some(false),
        _ => None,
    }
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    let separates =
        |c: char| c.is_whitespace() || matches!(c, '[' | ']' | '{' | '}' | '(' | ')' | ',');
    value.split(separates).filter(|word| !word.is_empty())
}

fn bad(problem: String) -> Refusal {
    Refusal::new("bad_comment", problem)
}

struct Rest<'l> {
    line: &'l str,
    at: usize,
}

impl Rest<'_> {
    fn peek(&self) -> Option<char> {
        self.line[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// Goes past an `=` and the blanks around it; stays where it is if there is none.
    fn skip_equals(&mut self) -> bool {
        let before = self.at;
        self.skip_blanks();
        if self.peek() != Some('=') {
            self.at = before;
            return false;
        }
        self.next();
        self.skip_blanks();
        true
    }

    fn key(&mut self) -> Result<String, Refusal> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.quoted();
        }
        let key =
            self.bare(|c| c.is_whitespace() || matches!(c, '=' | '"' | '[' | ']' | '{' | '}'));
        if key.is_empty() {
            return Err(bad(format!("a key was expected at byte {} of the comment", self.at)));
        }
        Ok(key)
    }

    fn value(&mut self, key: &str) -> Result<String, Refusal> {
        match self.peek() {
            Some('"' | '\'') => self.quoted(),
            Some('[' | '{' | '(') => self.bracketed(),
            _ => {
                let first = self.bare(char::is_whitespace);
                if first == "_JSON" {
                    self.skip_blanks();
                    return Ok(format!("_JSON {}", self.value(key)?));
                }
                let belongs: fn(&str) -> bool = match () {
                    () if key == PBC && truth(&first).is_some() => |word| truth(word).is_some(),
                    () if number(&first).is_some() => |word| number(word).is_some(),
                    () => return Ok(first),
                };
                Ok(self.continued(first, belongs))
            }
        }
    }

    /// Bare words that belong to the value before them, as in `pbc=T T F`.
    fn continued(&mut self, mut value: String, belongs: fn(&str) -> bool) -> String {
        loop {
            let before = self.at;
            self.skip_blanks();
            let word = self.bare(|c| c.is_whitespace() || c == '=');
            let after = self.at;
            if word.is_empty() || !belongs(&word) || self.skip_equals() {
                self.at = before;
                return value;
            }
            self.at = after;
            value = format!("{value} {word}");
        }
    }

    fn bare(&mut self, ends: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| !ends(c)) {
            self.next();
        }
        self.line[start..self.at].to_owned()
    }

    fn quoted(&mut self) -> Result<String, Refusal> {
        let start = self.at;
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                next if next == quote => return Ok(text),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some(escaped @ ('"' | '\'' | '\\')) => text.push(escaped),
                    // Not an escape of the grammar: kept as it stands.
                    Some(other) => text.extend(['\\', other]),
                    None => break,
                },
                Some(other) => text.push(other),
                None => break,
            }
        }
        Err(bad(format!("the quote at byte {start} of the comment is never closed")))
    }

    fn bracketed(&mut self) -> Result<String, Refusal> {
        let start = self.at;
        let mut open = Vec::new();
        while let Some(next) = self.peek() {
            match next {
                '"' | '\'' => drop(self.quoted()?),
                '[' | '{' | '(' => {
                    open.push(match next {
                        '[' => ']',
                        '{' => '}',
                        _ => ')',
                    });
                    self.next();
                }
                ']' | '}' | ')' => {
                    if open.pop() != Some(next) {
                        return Err(bad(format!("`{next}` at byte {} closes nothing", self.at)));
                    }
                    self.next();
                    if open.is_empty() {
                        return Ok(self.line[start..self.at].to_owned());
                    }
                }
                _ => drop(self.next()),
            }
        }
        Err(bad(format!("the bracket at byte {start} of the comment is never closed")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(line: &str, key: &str) -> String {
        pairs(line).unwrap().remove(key).unwrap()
    }

    #[test]
    fn quotes_brackets_escapes_and_bare_keys_are_read_as_the_grammar_says() {
        let line = r#"Lattice="1 0 0 0 1 0 0 0 1" pbc = "T T F" note="a \"b\" \\ c" flag
            list=[[1, 2], [3, 4]] curly={5 6} "two words"=x mixed=["a ]", 7] energy=-1.5e-3
            round=(1, 2) single='it is "so"' 'a key'='don\'t'"#;
        assert_eq!(numbers(&pair(line, "Lattice")).unwrap().len(), 9);
        assert_eq!(truths(&pair(line, "pbc")).unwrap(), [true, true, false]);
        assert_eq!(pair(line, "note"), r#"a "b" \ c"#);
        assert_eq!(pair(line, "flag"), "T");
        assert_eq!(numbers(&pair(line, "list")).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(numbers(&pair(line, "curly")).unwrap(), [5.0, 6.0]);
        assert_eq!(numbers(&pair(line, "round")).unwrap(), [1.0, 2.0]);
        assert_eq!(pair(line, "two words"), "x");
        assert_eq!(pair(line, "mixed"), r#"["a ]", 7]"#);
        assert_eq!(numbers(&pair(line, "energy")).unwrap(), [-1.5e-3]);
        assert_eq!(pair(line, "single"), "it is \"so\"");
        assert_eq!(pair(line, "a key"), "don't");
    }

    #[test]
    fn unquoted_lists_are_whole_and_no_truth_is_dropped() {
        for spelled in
            ["pbc=T T F x=1", "PBC = True True False", "pbc=TTF", "Pbc=[T,T,F] T=x", "pbc=(1 1 0)"]
        {
            assert_eq!(truths(&pair(spelled, "pbc")), Some(vec![true, true, false]), "{spelled}");
        }
        assert_eq!(truths(&pair("pbc=T T=5", "pbc")), Some(vec![true]), "`T` is a key here");
        let line = "lattice=5 0 0 0 5 0 0 0 5D0 energy=-1 config=2 pbc=F";
        assert_eq!(numbers(&pair(line, "Lattice")).unwrap()[7..], [0.0, 5.0]);
        assert_eq!(pair(line, "energy"), "-1");
        assert_eq!(pair("pbc=T T e=1", "pbc"), "T T", "two are not three, and it shows");
    }

    #[test]
    fn json_is_what_it_holds_quoted_or_not() {
        let line = r#"a="_JSON [[1, 2], [3, 4]]" b=_JSON [5, 6] c="_JSON null" d="_JSON \"text\""
            e="_JSON {\"k\": 1}" f="_JSON [NaN]""#;
        assert_eq!(numbers(&pair(line, "a")).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(numbers(&pair(line, "b")).unwrap(), [5.0, 6.0]);
        assert!(!pairs(line).unwrap().contains_key("c"));
        assert_eq!(pair(line, "d"), "text");
        assert_eq!(pair(line, "e"), r#"_JSON {"k": 1}"#);
        assert!(numbers(&pair(line, "f")).unwrap()[0].is_nan());
    }

    #[test]
    fn what_is_not_closed_doubled_or_no_key_is_refused() {
        for line in
            ["a=\"b", "a=[1, 2", "a=[1}", "=3", "a=1 a=2", "a=\"b\\", "[1]", "a='b", "PBC=T pbc=F"]
        {
            assert_eq!(pairs(line).unwrap_err().reason, "bad_comment", "{line}");
        }
        assert_eq!(pair("a=1 b a=1 b", "a"), "1", "said twice the same");
        assert_eq!(numbers("1 x"), None);
        assert_eq!(number("1.5D-02"), Some(0.015));
        assert_eq!(number("d"), None);
    }
}
