//! What a run of sequences declares to the report: rates of tokens, nats and what they mean.

use crate::report::{Better, Brief, Declaration, Digits, Figure, Role};

/// Tokens of a step over its wall time.
pub static TOKENS_PER_S: Figure = Figure {
    key: "tokens_per_s",
    label: "tokens",
    unit: "tokens/s",
    role: Role::Rate,
    brief: Some(Brief { name: "", digits: Digits::Whole, unit: "tok/s" }),
};

/// Tokens since step 0, over all ranks.
pub static TOKENS: Figure =
    Figure { key: "tokens", label: "tokens", unit: "", role: Role::Seen, brief: None };

/// `exp(val_loss)`.
pub static PERPLEXITY: Figure = Figure {
    key: "perplexity",
    label: "perplexity",
    unit: "",
    role: Role::Quality(Better::Lower),
    brief: Some(Brief { name: "perplexity", digits: Digits::Decimals(2), unit: "" }),
};

/// Bits per byte of raw text; only where every token is predicted.
pub static BITS_PER_BYTE: Figure = Figure {
    key: "bits_per_byte",
    label: "bits per byte",
    unit: "",
    role: Role::Quality(Better::Lower),
    brief: Some(Brief { name: "", digits: Digits::Decimals(3), unit: "bits/byte" }),
};

/// Labels measured on.
pub static VAL_LABELS: Figure =
    Figure { key: "val_labels", label: "labels", unit: "", role: Role::MeasuredOn, brief: None };

/// Figures of a run of sequences; its loss is the mean over labels.
pub static DECLARATION: Declaration = Declaration {
    loss: Figure {
        key: "loss",
        label: "loss",
        unit: "nats",
        role: Role::Quality(Better::Lower),
        brief: None,
    },
    figures: &[&TOKENS_PER_S, &TOKENS, &PERPLEXITY, &BITS_PER_BYTE, &VAL_LABELS],
    counts: &[("documents", "documents"), ("tokens", "tokens")],
    sections: |_| Vec::new(),
};
