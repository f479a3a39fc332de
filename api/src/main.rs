//! The command line of Dermaga.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dermaga_api::cli::run(std::env::args_os())
}
