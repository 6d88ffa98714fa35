//! rockfish_license: issue and check licences.

use std::process::ExitCode;

fn main() -> ExitCode {
    rockfish_license_cli::main()
}
