//! The binary: arguments in, exit code out.

mod exit;

fn main() {}
