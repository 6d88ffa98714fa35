//! Writes the databases of `tests/data` anew: `cargo run -p rockfish-enrich --example write_databases`.

#[path = "../tests/mmdb/mod.rs"]
mod mmdb;

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (name, octets) in mmdb::samples() {
        std::fs::write(folder.join(name), octets)?;
    }
    Ok(())
}
