//! The binary: arguments in, exit code out.

mod cli;
mod exit;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os().collect()).into()
}
