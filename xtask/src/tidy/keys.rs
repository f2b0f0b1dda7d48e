//! The page of every key says what the structs say: the comment of each key is on it.
//!
//! Lexical, so that it costs nothing. Defaults and types are compared, with every other byte, by the
//! test `the_page_of_every_key_is_what_the_structs_say`.

use crate::finding::Finding;
use crate::tree::Tree;

const PAGE: &str = "docs/reference/keys.md";
const REWRITE: &str = "cargo run -p genesis -- plan --keys page > docs/reference/keys.md";

/// Comments that are not on the page.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let page = tree.files.get(PAGE).and_then(|entry| entry.text.as_deref()).unwrap_or_default();
    let sources = tree.rust().filter(|(path, _)| !path.starts_with("xtask/"));
    let comments = sources.flat_map(|(path, text)| {
        comments(text).into_iter().map(move |(line, comment)| (path, line, comment))
    });
    comments
        .filter(|(.., comment)| !page.contains(comment.as_str()))
        .map(|(path, line, comment)| {
            let message = format!("`{comment}` is not in {PAGE}: rewrite the page with {REWRITE}");
            Finding::error(path, Some(line), message)
        })
        .collect()
}

/// `(line, comment)` of every field and variant of items with a schema, as the page writes it.
fn comments(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut comment) = (Vec::new(), Vec::new());
    let (mut has_schema, mut inside) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        has_schema |= !inside && line.contains("JsonSchema") && !line.starts_with("use ");
        match trimmed.strip_prefix("///") {
            Some(words) if inside => comment.push(words.trim()),
            _ if line.starts_with("pub struct ") || line.starts_with("pub enum ") => {
                inside = std::mem::take(&mut has_schema);
            }
            _ if line == "}" || line.starts_with("impl ") => (inside, has_schema) = (false, false),
            _ if inside && !comment.is_empty() && !is_attribute(trimmed) => {
                let words = std::mem::take(&mut comment).join(" ").replace('|', "\\|");
                found.push((index + 1, words.trim_end_matches('.').to_owned()));
            }
            _ => {}
        }
    }
    found
}

/// A line of an attribute, whose inner lines are indented texts and closing brackets.
fn is_attribute(trimmed: &str) -> bool {
    trimmed.starts_with("#[") || trimmed.starts_with('"') || trimmed.starts_with(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
use schemars::JsonSchema;
/// Not on the page.
#[derive(Debug, JsonSchema)]
pub struct Batch {
    /// Slices that are
    /// summed.
    #[serde(default)]
    pub accumulation: usize,
}
/// Of no file.
#[derive(Debug)]
pub struct Other {
    /// Nothing.
    pub a: usize,
}
";

    #[test]
    fn a_key_whose_comment_is_not_on_the_page_is_an_error() {
        let page = "| `accumulation` | Slices that are summed. |";
        let tree = |page| Tree::of(&[("train/src/keys.rs", SOURCE), (PAGE, page)]);
        assert!(findings(&tree(page)).is_empty());
        let found = findings(&tree("| `accumulation` | Slices. |"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(8));
        assert!(found[0].message.contains(REWRITE));
    }
}
