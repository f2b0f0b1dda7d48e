//! What is wrong with a network's configuration.

/// Everything wrong with a configuration, found in one pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} problem(s) in the model configuration:\n- {}", .problems.len(), .problems.join("\n- "))]
pub struct ConfigProblems {
    /// One sentence each: the key, its value, what is allowed.
    pub problems: Vec<String>,
}

impl ConfigProblems {
    /// `Ok` if nothing was found.
    pub(crate) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}
