//! Rules on files that are not code: nothing large, goldens small, every run configuration in use.

use crate::finding::Finding;
use crate::tree::{Tree, has_extension};

const KIB: u64 = 1024;
const FILE_LIMIT_BYTES: u64 = 500 * KIB;
const GOLDEN_LIMIT_BYTES: u64 = 64 * KIB;

/// Size findings, then configurations nobody refers to.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        tree.files.iter().filter_map(|(path, entry)| too_large(path, entry.size_bytes)).collect();
    found.extend(unused_configs(tree));
    found
}

fn too_large(path: &str, size_bytes: u64) -> Option<Finding> {
    let is_golden = path.split('/').any(|part| part == "golden");
    let limit = if is_golden { GOLDEN_LIMIT_BYTES } else { FILE_LIMIT_BYTES };
    (size_bytes > limit).then(|| {
        let message = format!("{} KiB; the limit here is {} KiB", size_bytes / KIB, limit / KIB);
        Finding::error(path, None, message)
    })
}

fn unused_configs(tree: &Tree) -> Vec<Finding> {
    let is_config = |path: &str| path.starts_with("configs/") && has_extension(path, "toml");
    let refers = |path: &str| {
        !path.starts_with("configs/")
            && (has_extension(path, "rs")
                || has_extension(path, "md")
                || path.starts_with("benches/"))
    };
    let configs = tree.files.keys().filter(|path| is_config(path));
    configs
        .filter(|config| {
            let name = config.trim_start_matches("configs/");
            !tree.texts(refers).any(|(_, text)| text.contains(name))
        })
        .map(|config| {
            let message = "no test, page or record refers to it: use it or remove it";
            Finding::error(config, None, message.into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_nobody_refers_to_is_an_error() {
        let tree = Tree::of(&[
            ("configs/transformer/used.toml", ""),
            ("configs/transformer/unused.toml", ""),
            ("configs/README.md", "transformer/unused.toml"),
            ("train/tests/curves.rs", "load(\"configs/transformer/used.toml\")"),
        ]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "configs/transformer/unused.toml");
    }

    #[test]
    fn a_golden_has_a_smaller_limit_than_another_file() {
        assert!(too_large("model/golden/a.safetensors", 65 * KIB).is_some());
        assert!(too_large("model/a.safetensors", 65 * KIB).is_none());
        assert!(too_large("model/a.safetensors", 501 * KIB).is_some());
    }
}
