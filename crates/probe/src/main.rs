//! rockfish_probe: packets to flow records.

use std::process::ExitCode;

fn main() -> ExitCode {
    rockfish_probe::main()
}
