//! Kernel families are complete: every folder of `kernels/src/families` has each file, or its `mod.rs` says
//! why one is absent with a line such as `//! No op: nothing here is differentiated.`

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::Tree;

const FILES: [&str; 6] = ["mod.rs", "reference.rs", "op.rs", "roofline.rs", "cases.rs", "tests.rs"];
const FAMILIES: &str = "kernels/src/families/";

/// A finding per missing file.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    families(tree).into_iter().flat_map(|family| missing(tree, &family)).collect()
}

fn families(tree: &Tree) -> BTreeSet<String> {
    let inside = tree.files.keys().filter_map(|path| path.strip_prefix(FAMILIES));
    inside.filter_map(|path| Some(path.split_once('/')?.0.to_owned())).collect()
}

fn missing(tree: &Tree, family: &str) -> Vec<Finding> {
    let contract = format!("{FAMILIES}{family}/mod.rs");
    let text = tree.files.get(&contract).and_then(|entry| entry.text.as_deref()).unwrap_or("");
    let excused = |file: &str| text.contains(&format!("//! No {}:", file.trim_end_matches(".rs")));
    let absent = |file: &str| !tree.files.contains_key(&format!("{FAMILIES}{family}/{file}"));
    FILES
        .into_iter()
        .filter(|file| absent(file) && !excused(file))
        .map(|file| {
            let stem = file.trim_end_matches(".rs");
            let message =
                format!("family `{family}` has no {file}: add it, or `//! No {stem}: why`");
            Finding::error(&contract, None, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_of_a_family_must_be_explained() {
        let tree = Tree::of(&[
            ("kernels/src/lib.rs", ""),
            ("kernels/src/machine/cuda/context.rs", ""),
            ("kernels/src/families/mod.rs", ""),
            ("kernels/src/families/norm/mod.rs", "//! Norms.\n//! No op: never differentiated.\n"),
            ("kernels/src/families/norm/reference.rs", ""),
            ("kernels/src/families/norm/roofline.rs", ""),
            ("kernels/src/families/norm/cases.rs", ""),
        ]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("tests.rs"));
    }
}
