//! Measurements of speed: against other programs, and against what this machine can do.
//!
//! [`kernels`] times kernels one by one under the [`ceiling`]s of the machine. [`case`] runs one piece of work in this process and times it; [`compare`] runs cases and peer
//! programs alternately as processes and puts them side by side. The command `genesis bench` parses
//! and prints; records of what was measured are in `records/`. Not here: correctness, which is
//! tested beside the code, and Criterion targets, which are in `benches/`.

pub mod case;
pub mod ceiling;
pub mod compare;
pub mod kernels;
pub mod statistics;
