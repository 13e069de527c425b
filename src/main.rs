//! The `evenkeel` command. What it does is in the library; here it only becomes a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel::cli::main()
}
