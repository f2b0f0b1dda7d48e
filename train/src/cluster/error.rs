//! What goes wrong between ranks.

/// Ranks cannot go on together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// A rank failed; what failed there is said there too.
    #[error("rank {rank} on {host} failed {doing}: {message}")]
    Elsewhere {
        /// Which.
        rank: usize,
        /// Where it runs.
        host: String,
        /// What all ranks were doing.
        doing: &'static str,
        /// Its error.
        message: String,
    },
    /// A rank ended without a word.
    #[error("rank {rank} is gone; look for its last words in the output, then go on with --resume")]
    Gone {
        /// Which.
        rank: usize,
    },
    /// Ranks were started that are not alike.
    #[error(
        "rank {rank} on {host} has another {what} than rank 0 on {first_host}: {theirs} against {first}; start \
         every rank with the same program, run file and data"
    )]
    Unlike {
        /// The first rank that differs.
        rank: usize,
        /// Where it runs.
        host: String,
        /// Where rank 0 runs.
        first_host: String,
        /// What differs.
        what: &'static str,
        /// Its value.
        theirs: String,
        /// The value of rank 0.
        first: String,
    },
    /// Parameters that have to be equal are not.
    #[error(
        "after {step} steps the parameters of rank {rank} on {host} are not those of rank 0 on {first_host}: one of \
         the two computes or receives wrong numbers. Nothing was saved from them: test the memory and processors of \
         both hosts, and go on from the last checkpoint with --resume"
    )]
    Apart {
        /// The first rank that differs.
        rank: usize,
        /// Where it runs.
        host: String,
        /// Where rank 0 runs.
        first_host: String,
        /// Updates done.
        step: u64,
    },
    /// The engine refused.
    #[error("{engine}: {reason}")]
    Engine {
        /// Which.
        engine: String,
        /// Its words.
        reason: String,
    },
    /// Ranks did not find each other.
    #[error("rendezvous at {at}: {problem}")]
    Rendezvous {
        /// Where rank 0 is waited for, or waits.
        at: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// What a launcher said in the environment makes no sense.
    #[error("{problem}; {fix}")]
    Launch {
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: String,
    },
}
