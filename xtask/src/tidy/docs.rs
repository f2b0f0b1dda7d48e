//! Rules on Markdown: links resolve, every page of the book is in its summary, and a decision page
//! has its five headings.

use crate::finding::Finding;
use crate::tree::{Tree, resolve};

const SUMMARY: &str = "docs/SUMMARY.md";
const DECISION_HEADINGS: [&str; 5] =
    ["Context", "Choice", "Alternatives", "Consequence", "How we would know it was wrong"];

/// Findings in every Markdown file.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.markdown() {
        found.extend(broken_links(tree, path, text));
        if path.starts_with("docs/decisions/") {
            found.extend(missing_headings(path, text));
        }
        if path.starts_with("docs/") && path != SUMMARY {
            found.extend(not_in_summary(tree, path));
        }
    }
    found
}

fn broken_links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    links(text)
        .into_iter()
        .filter(|(_, target)| is_relative(target))
        .filter(|(_, target)| {
            let file = target.split('#').next().unwrap_or_default();
            !file.is_empty() && !resolve(folder, file).is_some_and(|file| tree.has(&file))
        })
        .map(|(line, target)| {
            Finding::error(path, Some(line), format!("the link `{target}` leads nowhere"))
        })
        .collect()
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:")
}

/// `(line, target)` of every inline link outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside_fence = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside_fence = !inside_fence;
        } else if !inside_fence {
            let targets = line.match_indices("](").filter_map(|(at, _)| {
                let rest = &line[at + 2..];
                let is_code = line[..at].matches('`').count() % 2 == 1;
                (!is_code).then(|| rest.find(')').map(|end| &rest[..end]))?
            });
            found.extend(targets.map(|target| (index + 1, target)));
        }
    }
    found
}

fn missing_headings(path: &str, text: &str) -> Vec<Finding> {
    let has = |heading: &str| text.lines().any(|line| line == format!("## {heading}"));
    DECISION_HEADINGS
        .into_iter()
        .filter(|heading| !has(heading))
        .map(|heading| Finding::error(path, None, format!("no heading `## {heading}`")))
        .collect()
}

fn not_in_summary(tree: &Tree, path: &str) -> Option<Finding> {
    let summary = tree.files.get(SUMMARY)?.text.as_deref()?;
    let page = path.trim_start_matches("docs/");
    let listed = links(summary).iter().any(|(_, target)| *target == page);
    (!listed).then(|| Finding::error(path, None, format!("not in {SUMMARY}: nobody would find it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_from_the_folder_of_its_page() {
        let page = "[a](b.md) [c](../../ARCHITECTURE.md#map) [d](https://x.y) [e](#here)\n\
                    ```\n[f](absent)\n```\n`[g](absent)` [h](absent.md)\n";
        let tree = Tree::of(&[
            ("docs/guides/a.md", page),
            ("docs/guides/b.md", ""),
            ("ARCHITECTURE.md", ""),
        ]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(5));
    }

    #[test]
    fn a_link_out_of_the_project_leads_nowhere() {
        assert_eq!(resolve("docs", "../../elsewhere.md"), None);
        assert_eq!(resolve("docs/guides", "../concepts/./a.md"), Some("docs/concepts/a.md".into()));
    }

    #[test]
    fn a_decision_page_needs_every_heading() {
        let tree = Tree::of(&[("docs/decisions/0001-x.md", "# X\n## Context\n## Choice\n")]);
        assert_eq!(findings(&tree).len(), 3);
    }

    #[test]
    fn a_page_missing_from_the_summary_is_an_error() {
        let tree = Tree::of(&[
            ("docs/SUMMARY.md", "- [A](guides/a.md)\n"),
            ("docs/guides/a.md", ""),
            ("docs/guides/b.md", ""),
        ]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "docs/guides/b.md");
    }
}
