//! Making keys.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use rockfish_app::{Exit, ResultExt};
use rockfish_license::PrivateKey;
use zeroize::Zeroizing;

use crate::args::Keygen;

pub(crate) fn run(options: &Keygen) -> anyhow::Result<Exit> {
    if options.out.file_name().is_none() {
        return Err(anyhow!("--out {}: expected DIR/NAME", options.out.display()))
            .exit(Exit::Usage);
    }
    let private_path = with_suffix(&options.out, ".key");
    let public_path = with_suffix(&options.out, ".pub");
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    let private = PrivateKey::from_seed(&seed);
    let public = private.public_key();
    create(&public_path, true, public.to_pem()?.as_bytes())?;
    if let Err(error) = create(&private_path, false, private.to_pem()?.as_bytes()) {
        // It was made just now, and belongs to no key that anyone has.
        let _ = fs::remove_file(&public_path);
        return Err(error);
    }
    tracing::info!(private = %private_path.display(), public = %public_path.display(), "keys made");
    crate::print(&format!(
        "private key  {}\npublic key   {}\nin base64    {public}\n",
        private_path.display(),
        public_path.display()
    ))?;
    Ok(Exit::Done)
}

fn create(path: &Path, public: bool, octets: &[u8]) -> anyhow::Result<()> {
    match crate::create_new(path, public, octets) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(anyhow!("{} is there already: keys are not overwritten", path.display()))
                .exit(Exit::Usage)
        }
        result => result.with_context(|| format!("cannot write {}", path.display())),
    }
}

/// `path` with `suffix` after its name, whatever points that has.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
