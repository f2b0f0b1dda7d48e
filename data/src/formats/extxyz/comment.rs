//! The comment line: `key=value` pairs, with quotes, brackets and escapes.
//!
//! A key is a bare word or quoted. A value is a bare word, `"quoted"` with `\"`, `\\` and `\n`
//! escaped, or a bracketed list `[..]` or `{..}`, which may nest and is kept with its brackets. A
//! key without a value is true. A key given twice is refused: which one counts is not for a reader
//! to guess.

use std::collections::BTreeMap;

use crate::formats::Refusal;

/// The pairs of a comment line; values are text, still to be understood.
pub(super) fn pairs(line: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut rest = Rest { line, at: 0 };
    let mut pairs = BTreeMap::new();
    loop {
        rest.skip_blanks();
        if rest.peek().is_none() {
            return Ok(pairs);
        }
        let key = rest.key()?;
        let after_key = rest.at;
        rest.skip_blanks();
        let value = if rest.peek() == Some('=') {
            rest.at += 1;
            rest.skip_blanks();
            rest.value()?
        } else {
            rest.at = after_key;
            "T".to_owned()
        };
        if pairs.insert(key.clone(), value).is_some() {
            return Err(bad(format!("key `{key}` is given twice")));
        }
    }
}

/// The numbers of a value, whatever its brackets and separators; `None` if anything is no number.
pub(crate) fn numbers(value: &str) -> Option<Vec<f64>> {
    words(value).map(|word| word.parse().ok()).collect()
}

/// Truth values: `T`, `True`, `1` and their opposites.
pub(super) fn truths(value: &str) -> Option<Vec<bool>> {
    let truth = |word: &str| match word.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" => Some(true),
        "f" | "false" | "0" => Some(false),
        _ => None,
    };
    words(value).map(truth).collect()
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

    fn key(&mut self) -> Result<String, Refusal> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let key =
            self.bare(|c| c.is_whitespace() || matches!(c, '=' | '"' | '[' | ']' | '{' | '}'));
        if key.is_empty() {
            return Err(bad(format!("a key was expected at byte {} of the comment", self.at)));
        }
        Ok(key)
    }

    fn value(&mut self) -> Result<String, Refusal> {
        match self.peek() {
            Some('"') => self.quoted(),
            Some('[' | '{') => self.bracketed(),
            _ => Ok(self.bare(char::is_whitespace)),
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
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some(escaped @ ('"' | '\\')) => text.push(escaped),
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
                '"' => drop(self.quoted()?),
                '[' | '{' => {
                    open.push(if next == '[' { ']' } else { '}' });
                    self.next();
                }
                ']' | '}' => {
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
            list=[[1, 2], [3, 4]] curly={5 6} "two words"=x mixed=["a ]", 7] energy=-1.5e-3"#;
        assert_eq!(numbers(&pair(line, "Lattice")).unwrap().len(), 9);
        assert_eq!(truths(&pair(line, "pbc")).unwrap(), [true, true, false]);
        assert_eq!(pair(line, "note"), r#"a "b" \ c"#);
        assert_eq!(pair(line, "flag"), "T");
        assert_eq!(numbers(&pair(line, "list")).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(numbers(&pair(line, "curly")).unwrap(), [5.0, 6.0]);
        assert_eq!(pair(line, "two words"), "x");
        assert_eq!(pair(line, "mixed"), r#"["a ]", 7]"#);
        assert_eq!(numbers(&pair(line, "energy")).unwrap(), [-1.5e-3]);
    }

    #[test]
    fn what_is_not_closed_doubled_or_no_key_is_refused() {
        for line in ["a=\"b", "a=[1, 2", "a=[1}", "=3", "a=1 a=2", "a=\"b\\", "[1]"] {
            assert_eq!(pairs(line).unwrap_err().reason, "bad_comment", "{line}");
        }
        assert_eq!(numbers("1 x"), None);
    }
}
