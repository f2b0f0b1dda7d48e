//! What is wrong with a run file: every problem at once, each with place, reason and fix.

use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Line of the file, from 1.
    Line(usize),
    /// The `--set` argument, as given.
    Override(String),
    /// Not written anywhere, or not known.
    Nowhere,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where the value was written.
    pub origin: Origin,
    /// Key path, e.g. `schedule.decay.floor_ratio`; empty when the file as a whole is meant.
    pub path: String,
    /// What is wrong and what would fix it.
    pub message: String,
}

impl ConfigProblem {
    /// A problem whose origin is filled in later from its path.
    pub(crate) fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin: Origin::Nowhere, path: path.into(), message: message.into() }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Line(line) => write!(f, "line {line}: ")?,
            Origin::Override(text) => write!(f, "--set {text}: ")?,
            Origin::Nowhere => {}
        }
        if self.path.is_empty() {
            write!(f, "{}", self.message)
        } else {
            write!(f, "`{}`: {}", self.path, self.message)
        }
    }
}

/// All problems of one run file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems {
    /// The file, or what stands for it.
    pub file: String,
    /// At least one.
    pub problems: Vec<ConfigProblem>,
}

impl ConfigProblems {
    /// Problems of `file`, sorted by place, each mentioned once.
    pub(crate) fn new(file: impl Into<String>, mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort_by(|a, b| a.origin.cmp(&b.origin));
        problems.dedup();
        Self { file: file.into(), problems }
    }

    /// A single problem of the whole file.
    pub(crate) fn whole(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(file, vec![ConfigProblem::at("", message)])
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{}: {only}", self.file),
            all => {
                write!(f, "{}: {} problems", self.file, all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// `did you mean ...` or the list of what is valid.
pub(super) fn suggestion(name: &str, valid: &[impl AsRef<str>]) -> String {
    let list = || valid.iter().map(|v| format!("`{}`", v.as_ref())).collect::<Vec<_>>().join(", ");
    match nearest(name, valid) {
        Some(near) => format!("did you mean `{near}`? (valid: {})", list()),
        None if valid.is_empty() => "nothing is valid here".to_owned(),
        None => format!("valid: {}", list()),
    }
}

/// The valid name closest to `name`, if it is close enough to be what was meant.
pub fn nearest<'a>(name: &str, valid: &'a [impl AsRef<str>]) -> Option<&'a str> {
    // Similarity in [0, 1]; below one half the guess is more often wrong than right.
    let score = |v: &str| {
        let (a, b) = (name.to_lowercase(), v.to_lowercase());
        strsim::normalized_damerau_levenshtein(&a, &b).max(strsim::jaro_winkler(&a, &b) - 0.25)
    };
    valid
        .iter()
        .map(|v| (score(v.as_ref()), v.as_ref()))
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_found_for_typos_and_refused_for_nonsense() {
        let valid = ["width", "num_layers", "num_heads", "dropout"];
        assert_eq!(nearest("widht", &valid), Some("width"));
        assert_eq!(nearest("n_layers", &valid), Some("num_layers"));
        assert_eq!(nearest("Dropout", &valid), Some("dropout"));
        assert_eq!(nearest("zzz", &valid), None);
    }

    #[test]
    fn several_problems_are_listed_under_the_file_in_line_order() {
        let mut late = ConfigProblem::at("b", "wrong");
        late.origin = Origin::Line(9);
        let mut early = ConfigProblem::at("a", "also wrong");
        early.origin = Origin::Line(2);
        let shown = ConfigProblems::new("x.toml", vec![late, early]).to_string();
        assert_eq!(shown, "x.toml: 2 problems\n  line 2: `a`: also wrong\n  line 9: `b`: wrong");
    }
}
