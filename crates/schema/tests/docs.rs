//! The generated page is up to date.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_schema_page_is_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema.md");
    let generated = rockfish_schema::markdown();
    if env::var_os("ROCKFISH_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &generated).expect("docs/schema.md can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/schema.md differs from the column table: run `cargo xtask docs`, or this test with ROCKFISH_BLESS=1"
    );
}
