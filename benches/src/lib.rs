//! Where benches and records of speed live; the crate itself holds nothing that a program uses.
//!
//! A bench is a Criterion target of this crate; what it measured on which machine is a record in
//! `records/`, whose README gives the form. `neighbors` measures the neighbour list; kernels are still
//! references, and a bench comes with the first that replaces one. Not here: correctness, which is
//! tested beside the code.
