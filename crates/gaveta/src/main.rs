//! The binary: arguments in, exit code out.

mod account;
mod ask;
mod cli;
mod exit;
mod handles;
mod manual;
mod offline;
mod serve;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    handles::raise();
    cli::run(std::env::args_os().collect()).into()
}
