//! A CUDA driver, run-time compiler, cuBLASLt and NCCL in software, for the tests of Genesis.
//!
//! The library is opened under the names of NVIDIA's (`libcuda.so`, `libnvrtc.so`, `libcublasLt.so` and `libnccl.so` are
//! links to it), so that a program built for a GPU runs unchanged on a CPU. It is there to find faults: streams run
//! in an adversarial order chosen by a seed, memory is tracked byte by byte, every access of a kernel is checked
//! against what is allocated, what is written and what the documented order of streams allows.
//!
//! ```text
//! driver/      the functions of libcuda, by topic      handles, arguments, documented preconditions
//! machine.rs   contexts, streams, events               what may run before what: vector clocks
//! schedule.rs  which stream runs next                  by the seed
//! work.rs      what a stream is given                  copies, fills, launches, products
//! arena.rs     the memory of all devices               who may read and write a byte, and when
//! compiler.rs  CUDA C++ to a library of this machine   the host's C++ compiler, kept by content
//! nvrtc.rs     the functions of libnvrtc
//! blas/        the functions of libcublasLt            plain loops
//! nccl/        the functions of libnccl                between processes, over sockets of the machine
//! finding.rs   what was found                          printed, counted, and an error from then on
//! counters.rs  launches, bytes and waits               written when the process ends
//! ```
//!
//! Not here: speed, the weak memory model of a device, what happens between the threads of one block beyond
//! what `emulator.h` finds.

mod arena;
pub mod blas;
mod compiler;
mod counters;
pub mod driver;
mod finding;
mod host;
mod machine;
pub mod nccl;
pub mod nvrtc;
mod schedule;
mod settings;
mod status;
mod work;

pub use finding::findings;
pub use status::Status;
