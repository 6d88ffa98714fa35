//! rockfish_probe.
fn main() {}
