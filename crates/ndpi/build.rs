//! Finds libndpi and compiles the shim over it.

use std::process::ExitCode;

const SHIM: &str = "src/shim.c";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-changed=build.rs");
    let library = match pkg_config::Config::new().atleast_version("4.2").probe("libndpi") {
        Ok(library) => library,
        Err(error) => {
            println!(
                "cargo::error=libndpi 4.2 or later is not there: install libndpi-dev or build without feature ndpi"
            );
            for line in error.to_string().lines().filter(|line| !line.trim().is_empty()) {
                println!("cargo::warning={line}");
            }
            return ExitCode::FAILURE;
        }
    };
    let mut build = cc::Build::new();
    build.file(SHIM).std("gnu11").warnings(true).extra_warnings(false);
    // As system headers, so that only the shim is held to the warnings.
    for path in &library.include_paths {
        build.flag("-isystem").flag(path);
    }
    match build.try_compile("rockfish_ndpi_shim") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!(
                "cargo::error=the shim over libndpi {} does not compile: {error}",
                library.version
            );
            ExitCode::FAILURE
        }
    }
}
