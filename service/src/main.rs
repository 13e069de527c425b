//! The `api` command.

use std::process::ExitCode;

/// Half the time of the C library's for what a request takes and gives back, also in a static executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    api::run(std::env::args_os().skip(1), &|name| std::env::var_os(name))
}
