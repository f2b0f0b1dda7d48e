//! What a shell would do with a path: `~/`, `$NAME`, `${NAME}`, `${NAME:-default}`, in paths and only
//! there, so that a run file can name shared storage without knowing where it is mounted. An unset
//! or empty name without a default is an error.

use toml::Value;

use super::load::Lookup;
use super::path::places;
use super::problem::ConfigProblem;

/// Expands every text below the `keys` of `tree`. `$$` stands for a `$`, `./~` for a `~` in front.
pub(super) fn expand_paths(
    tree: &mut Value,
    keys: &[&str],
    lookup: Lookup<'_>,
) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for place in places(tree, keys) {
        let Some(Value::String(text)) = place.find(tree) else { continue };
        match expand(text, lookup) {
            Ok(expanded) => {
                place.put(tree, Value::String(expanded));
            }
            Err(message) => problems.push(ConfigProblem::at(place.to_string(), message)),
        }
    }
    problems
}

/// Writes a path so that reading it back gives the same path.
pub(super) fn escape(path: &str) -> String {
    let home = if path.starts_with('~') { "./" } else { "" };
    format!("{home}{}", path.replace('$', "$$"))
}

/// A path as it is meant.
///
/// # Errors
/// What cannot be expanded, with the way out.
pub(super) fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let expanded = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            format!("{}{}", value(text, "HOME", lookup)?, variables(rest, lookup)?)
        }
        Some(_) => {
            let name = text.split('/').next().unwrap_or(text);
            return Err(format!(
                "{text:?}: the home folder of another user is not looked up; write the path in \
                 full, or ./{name} for a folder of this name"
            ));
        }
        None => variables(text, lookup)?,
    };
    Ok(expanded)
}

fn variables(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.chars().next() {
            Some('$') => {
                out.push('$');
                &after[1..]
            }
            Some('{') => {
                let (inside, rest) = braced(text, after)?;
                out.push_str(&substitute(text, inside, lookup)?);
                rest
            }
            Some('(') => return Err(format!("{text:?}: commands are not run in paths")),
            Some(first) if is_of_name(first) && !first.is_ascii_digit() => {
                let end = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
                out.push_str(&value(text, &after[..end], lookup)?);
                &after[end..]
            }
            _ => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Defaults within defaults; more is no path that a person wrote.
const MOST_NESTED: usize = 8;

/// What stands between the brace that `after` begins with and the one that closes it, and the rest.
fn braced<'a>(text: &str, after: &'a str) -> Result<(&'a str, &'a str), String> {
    let mut depth = 0;
    for (at, c) in after.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth > MOST_NESTED {
            let begin: String = text.chars().take(40).collect();
            return Err(format!("{begin:?}…: more than {MOST_NESTED} braces within each other"));
        }
        if depth == 0 {
            return Ok((&after[1..at], &after[at + 1..]));
        }
    }
    Err(format!("{text:?} has `${{` without `}}`"))
}

/// The value of `NAME` or `NAME:-default`.
fn substitute(text: &str, inside: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(format!(
            "{text:?}: `${{{inside}}}` is not understood; write `${{NAME}}` or `${{NAME:-default}}`"
        ));
    }
    match (lookup(name).filter(|value| !value.is_empty()), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => expand(default, lookup),
        (None, None) => value(text, name, lookup),
    }
}

fn value(text: &str, name: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let state = match lookup(name) {
        Some(value) if !value.is_empty() => return Ok(value),
        Some(_) => "is empty",
        None => "is not set",
    };
    Err(format!(
        "{text:?} needs the environment variable `{name}`, which {state}; run `export {name}=...` \
         first, write `${{{name}:-default}}`, or `$${name}` for a `$` in the name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let known = [("HOME_OF_DATA", "/data"), ("HOME", "/home/me"), ("EMPTY", "")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn paths_are_expanded_as_a_shell_would() {
        for (text, want) in [
            ("${HOME_OF_DATA}/a", "/data/a"),
            ("$HOME_OF_DATA/a", "/data/a"),
            ("a-$HOME_OF_DATA.b", "a-/data.b"),
            ("~/runs/${HOME_OF_DATA}", "/home/me/runs//data"),
            ("~", "/home/me"),
            ("a/~/b", "a/~/b"),
            ("./~/b", "./~/b"),
            ("${NOT_THERE:-/tmp}/x", "/tmp/x"),
            ("${EMPTY:-~/x}", "/home/me/x"),
            ("${NOT_THERE:-${HOME_OF_DATA}/y}", "/data/y"),
            ("${HOME_OF_DATA:-/tmp}", "/data"),
            ("5$/$7/100$", "5$/$7/100$"),
            ("a/$${HOME_OF_DATA}", "a/${HOME_OF_DATA}"),
            ("$$HOME", "$HOME"),
        ] {
            assert_eq!(expand(text, &lookup).as_deref(), Ok(want), "{text}");
        }
        for path in ["a/${b}", "$HOME", "$$", "plain", "a$", "$(x)"] {
            assert_eq!(expand(&escape(path), &lookup).unwrap(), path);
        }
        assert_eq!(expand(&escape("~/x"), &lookup).unwrap(), "./~/x", "the same folder");
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error_that_quotes_the_text() {
        for (text, part) in [
            ("${NOT_THERE}/a", "`NOT_THERE`, which is not set"),
            ("$NOT_THERE/a", "`NOT_THERE`, which is not set"),
            ("$EMPTY/a", "`EMPTY`, which is empty"),
            ("${NOT", "without `}`"),
            ("${HOME%/x}", "`${NAME:-default}`"),
            ("${}", "is not understood"),
            ("~alice/runs", "another user"),
            ("$(date)", "commands are not run"),
        ] {
            let error = expand(text, &lookup).unwrap_err();
            assert!(error.contains(part) && error.contains(text), "{error}");
        }
        let nested = |depth| format!("{}x{}", "${NOT_THERE:-".repeat(depth), "}".repeat(depth));
        assert_eq!(expand(&nested(8), &lookup).as_deref(), Ok("x"));
        assert!(expand(&nested(50_000), &lookup).unwrap_err().contains("within each other"));
    }

    #[test]
    fn only_path_keys_are_expanded() {
        let mut tree: Value = "[run]\ndir = \"${HOME_OF_DATA}\"\n[model]\nkind = \"${X}\"\n"
            .parse::<toml::Table>()
            .unwrap()
            .into();
        assert_eq!(expand_paths(&mut tree, &["run.dir"], &lookup), []);
        assert_eq!(tree["run"]["dir"].as_str(), Some("/data"));
        assert_eq!(tree["model"]["kind"].as_str(), Some("${X}"));
    }
}
