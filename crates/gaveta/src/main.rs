//! The binary: arguments in, exit code out.

mod account;
mod ask;
mod cli;
mod exit;
mod manual;
mod offline;
mod serve;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os().collect()).into()
}
