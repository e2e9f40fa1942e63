//! The `admit` binary: all of it is in the library.

fn main() {}
