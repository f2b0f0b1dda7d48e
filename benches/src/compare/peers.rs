//! The programs of the peers: ours are part of the binary, so that an installed one has them.

use std::path::{Path, PathBuf};

/// Name and text of every program in `benches/peers`.
pub const SCRIPTS: [(&str, &str); 3] = [
    (TRANSFORMER, include_str!("../../peers/torch_transformer.py")),
    (MACE, include_str!("../../peers/torch_mace.py")),
    (NEIGHBORS, include_str!("../../peers/matscipy_neighbors.py")),
];

/// The transformer in PyTorch.
pub const TRANSFORMER: &str = "torch_transformer.py";
/// mace-torch.
pub const MACE: &str = "torch_mace.py";
/// matscipy.
pub const NEIGHBORS: &str = "matscipy_neighbors.py";

/// Where each program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    given: Option<PathBuf>,
    own: PathBuf,
}

impl Scripts {
    /// Those of the folder `given`; ours, written to the folder `own`, for what it lacks.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn new(given: Option<PathBuf>, own: &Path) -> std::io::Result<Self> {
        for (name, text) in SCRIPTS {
            std::fs::write(own.join(name), text)?;
        }
        Ok(Self { given, own: own.to_path_buf() })
    }

    /// The program called `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        let given = self.given.as_ref().map(|folder| folder.join(name));
        given.filter(|path| path.is_file()).unwrap_or_else(|| self.own.join(name))
    }

    /// Programs that the given folder lacks: ours stand in for them.
    pub fn stand_ins(&self) -> Vec<&'static str> {
        let Some(folder) = &self.given else { return Vec::new() };
        let names = SCRIPTS.iter().map(|(name, _)| *name);
        names.filter(|name| !folder.join(name).is_file()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_folder_comes_first_and_ours_stand_in_for_what_it_lacks() {
        let (given, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(given.path().join(MACE), "print('{}')").unwrap();
        let scripts = Scripts::new(Some(given.path().to_path_buf()), own.path()).unwrap();
        assert_eq!(scripts.path(MACE), given.path().join(MACE));
        assert_eq!(scripts.path(TRANSFORMER), own.path().join(TRANSFORMER));
        assert_eq!(scripts.stand_ins(), [TRANSFORMER, NEIGHBORS]);
        let written = std::fs::read_to_string(own.path().join(NEIGHBORS)).unwrap();
        assert!(written.contains("neighbour_list"));
    }
}
