//! The `api` command.

fn main() {}
