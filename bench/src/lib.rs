//! Benchmarks of the whole server, as a client meets it: the release binary in a process of its own, asked over HTTP.
//!
//! What is reported are counts, CPU time of processes, and ratios. Wall-clock figures depend on the machine and are
//! shown to be compared within one run.

// Reports are for a person to read, and figures are divided.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::float_arithmetic)]

pub mod client;
pub mod cpu;
pub mod database;
pub mod fanout;
pub mod limit;
pub mod measure;
pub mod mode;
pub mod peers;
pub mod report;
pub mod saturation;
pub mod scale;
pub mod scenario;
pub mod server;
pub mod suite;
