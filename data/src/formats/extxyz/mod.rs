//! Extended XYZ, read strictly: a count, a line of `key=value`, one line an atom.
//!
//! `scan` finds where structures begin and end, in order; `comment` and `parse` take one structure
//! apart, in parallel. Source of the grammar: github.com/libAtoms/extxyz, README.

pub(crate) mod comment;
mod parse;
mod scan;

pub(crate) use parse::parse;
pub(crate) use scan::{FrameText, Scanned, Scanner};
