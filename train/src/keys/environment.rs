//! `${NAME}` in paths, and only there: a run file can name shared storage without knowing where
//! it is mounted. An unset name is an error; there are no defaults.

use toml::Value;

use super::load::Lookup;
use super::path::places;
use super::problem::ConfigProblem;

/// Replaces every `${NAME}` below the `keys` of `tree`. `$${` stands for a literal `${`.
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
    path.replace("${", "$${")
}

fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}').map(|end| at + end) else {
            return Err(format!("{text:?} has `${{` without `}}`"));
        };
        let name = &rest[at + 2..end];
        match lookup(name) {
            Some(value) => out.push_str(&value),
            None => return Err(unset(text, name)),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn unset(text: &str, name: &str) -> String {
    format!(
        "{text:?} needs the environment variable `{name}`, which is not set; \
         run `export {name}=...` first, or give the path with --set"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME_OF_DATA").then(|| "/data".to_owned())
    }

    #[test]
    fn names_are_replaced_and_escapes_are_kept() {
        assert_eq!(expand("${HOME_OF_DATA}/a", &lookup).unwrap(), "/data/a");
        assert_eq!(expand("x$y", &lookup).unwrap(), "x$y");
        assert_eq!(expand("a/$${HOME_OF_DATA}", &lookup).unwrap(), "a/${HOME_OF_DATA}");
        assert_eq!(expand(&escape("a/${b}"), &lookup).unwrap(), "a/${b}");
    }

    #[test]
    fn unset_and_unclosed_names_are_errors_that_quote_the_text() {
        assert!(expand("${NOT_THERE}/a", &lookup).unwrap_err().contains("`NOT_THERE`"));
        assert!(expand("${NOT", &lookup).unwrap_err().contains("without `}`"));
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
