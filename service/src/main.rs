//! The `api` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(std::env::args_os().skip(1), &|name| std::env::var_os(name))
}
