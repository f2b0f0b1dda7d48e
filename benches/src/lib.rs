//! Where benches and records of speed live; the crate itself holds nothing that a program uses.
//!
//! A bench is a Criterion target of this crate; what it measured on which machine is a record in
//! `records/`, whose README gives the form. There is none yet: the operations are references, and
//! the first bench comes with the first kernel that replaces one. Not here: correctness, which is
//! tested beside the code.
