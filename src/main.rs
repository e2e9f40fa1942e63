//! The `admit` binary: all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(admit::run(std::env::args_os()))
}
