//! Generated documents and checks of this workspace.
fn main() {}
