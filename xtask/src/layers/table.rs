//! The rooms of each crate, lowest floor first, and the arrows against that order that are known.
//!
//! A room is a module, named by its path below the root; `families::*` is every module of `families`,
//! each a room of its own, and `*` every module of the root that no line names: what a family of models
//! has in the crate, so that a new one needs no line here. Rooms on one floor do not name each other: what others may name stands on
//! a lower floor. A known arrow says why it is still there; the list only shrinks.

/// Where a line is added or removed.
pub(super) const TABLE: &str = "xtask/src/layers/table.rs";

/// The name of a room, and what it holds.
pub(super) type Room = (&'static str, &'static str);

/// Rooms `from` and `to`, `*` standing for every room, and why the one names the other.
pub(super) type Known = (&'static str, &'static str, &'static str);

/// One crate.
#[derive(Debug, Clone, Copy)]
pub(super) struct House {
    pub(super) folder: &'static str,
    /// Lowest first.
    pub(super) floors: &'static [&'static [Room]],
    /// Arrows that do not point down.
    pub(super) known: &'static [Known],
}

/// Every crate.
pub(super) const HOUSES: &[House] = &[SCHEMA, KERNELS, MODEL, DATA, TRAIN, CLI, BENCHES, XTASK];

const SCHEMA: House = House {
    folder: "schema",
    floors: &[
        &[("sample", "which sample a part of a batch is")],
        &[
            ("elements", "symbols of the elements"),
            ("seed", "named random streams"),
            ("*", "samples and packed batches of a kind"),
        ],
    ],
    known: &[],
};

const KERNELS: House = House {
    folder: "kernels",
    floors: &[
        &[
            ("bf16", "the nearest bf16 of a number"),
            ("formula", "elementwise formulas, for packs and for printed kernels"),
            ("memo", "what is computed once for a table"),
            ("oracle", "the comparison of tests, its tolerance derived"),
            ("roofline", "flops and bytes, counted by hand"),
            ("shape", "letters of shapes, checked"),
            ("wigner", "coupling coefficients and rotations, numbers on the host"),
        ],
        &[
            ("cases", "what families give to time: shapes, inputs, least work"),
            ("dispatch", "a family's operations, and which backend has which kernel"),
            ("graph", "one operation is one node of Burn's autodiff graph"),
            ("lend", "memory of a device, lent to libraries"),
        ],
        &[("cpu", "packs, storage, dispatch and matrix products of CPU kernels")],
        &[("machine", "launches and arrays of GPUs")],
        &[("families::precision", "what bf16-mixed means, to the bit")],
        &[
            ("families::embedding", "lookup of rows by token"),
            ("families::linear", "matrix products with a bias or a residual"),
            ("families::reduce", "sums of squares"),
            ("families::rows", "gather and scatter of rows"),
            ("families::silu", "SiLU and its derivatives"),
            ("families::slope", "values and derivatives side by side"),
        ],
        &[("families::*", "a family of operations")],
        &[("families", "their list: the trait of all operations")],
    ],
    known: &[],
};

const MODEL: House = House {
    folder: "model",
    floors: &[
        &[
            ("config_problems", "what is wrong with a network's configuration"),
            ("params", "named flat parameters"),
        ],
        &[("layers", "layers that networks share")],
        &[("*", "networks of a family")],
    ],
    known: &[],
};

const DATA: House = House {
    folder: "data",
    floors: &[
        &[("error", "what is wrong with a dataset, and where")],
        &[("files", "files written whole or not at all")],
        &[("dataset", "what every dataset has: card, shards, order, prefetch")],
        &[("formats", "a file format is one value")],
        &[("ingest", "raw files to datasets, whatever lies in them")],
        &[("*", "datasets of a kind")],
        &[("kinds", "the list of kinds of datasets")],
        &[("verify", "every byte against its digest")],
    ],
    known: &[],
};

const TRAIN: House = House {
    folder: "train",
    floors: &[
        &[("device", "run.device")],
        &[
            ("checkpoint", "the checkpoint format, crash-safe"),
            ("cluster", "ranks, and what carries numbers between them"),
        ],
        &[("keys", "keys of a configuration and their problems")],
        &[("report", "events, TensorBoard, report.html")],
        &[("exchange", "folders and weights of other programs")],
        &[("trainer", "the loop, rates, AdamW, the parity gate")],
        &[("family", "what a family of models is")],
        &[("*", "settings, plan, task and use of models of a family")],
        &[("families", "the list of families")],
    ],
    known: &[],
};

const CLI: House = House {
    folder: "cli",
    floors: &[
        &[
            ("console", "what a terminal shows"),
            ("exit", "exit codes"),
            ("memory", "the allocator's options"),
        ],
        &[
            ("bus_error", "SIGBUS as an error text"),
            ("signals", "signals and the end of the time ask for a stop"),
            ("cuda_settings", "settings of CUDA before its first use"),
            ("device", "--device"),
            ("home", "`~/` in paths of the command line"),
            ("products", "how fast a device multiplies matrices"),
            ("ranks", "the ranks that a launcher started"),
            ("threads", "--threads"),
            ("watch", "a run's progress"),
        ],
        &[("family", "what commands do with any family")],
        &[("*", "words and commands of a family")],
        &[("families", "the list of families")],
        &[("commands::settings", "the configuration a command is given")],
        &[("commands::*", "one command of every family")],
        &[("commands", "the list of commands")],
    ],
    known: &[],
};

const BENCHES: House = House {
    folder: "benches",
    floors: &[
        &[("statistics", "medians and spreads"), ("ceiling", "what the machine can do")],
        &[("case", "one piece of work, timed"), ("kernels", "kernels one by one")],
        &[("compare", "cases and peers, side by side")],
    ],
    known: &[],
};

const XTASK: House = House {
    folder: "xtask",
    floors: &[
        &[
            ("finding", "what a check found"),
            ("rust_text", "a lexical view of a Rust file"),
            ("stage", "one step of a task, timed"),
            ("tree", "the files of the project"),
        ],
        &[("size", "lines per crate")],
        &[
            ("layers", "arrows between crates and rooms"),
            ("nvrtc", "CUDA kernels through NVIDIA's compiler"),
            ("setup", "hooks of git"),
            ("softcuda", "the whole of CUDA on a driver in software"),
            ("test_run", "tests, counted"),
            ("tidy", "the rules of STYLE.md"),
        ],
        &[("check", "everything a change must pass")],
        &[("fast", "the pre-commit hook")],
    ],
    known: &[],
};
