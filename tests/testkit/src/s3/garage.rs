//! Garage: one node with a layout of its own.
use super::access::REGION;
use super::health;
use super::server::{ADMIN, APPENDER, Place, S3_BUCKET, WRITER};
use crate::fetch::{self, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// That of its own protocol.
pub(super) const INNER_PORTS: usize = 1;

const CONFIGURATION: &str = "garage.toml";

/// The command that runs the store; the key that may do everything comes with it.
pub(super) fn command(place: &Place<'_>) -> Result<Command> {
    let directory = place.directory.display();
    let (http, inner) = (place.ports.http.number(), place.ports.inner(0)?);
    let text = format!(
        "metadata_dir = \"{directory}/meta\"\n\
         data_dir = \"{directory}/data\"\n\
         db_engine = \"lmdb\"\n\
         replication_factor = 1\n\
         rpc_bind_addr = \"127.0.0.1:{inner}\"\n\
         rpc_public_addr = \"127.0.0.1:{inner}\"\n\
         rpc_secret = \"{secret}\"\n\
         [s3_api]\n\
         s3_region = \"{REGION}\"\n\
         api_bind_addr = \"127.0.0.1:{http}\"\n",
        secret = ADMIN.secret,
    );
    fs::write(place.directory.join(CONFIGURATION), text).context("write Garage's configuration")?;
    let mut command = garage(place.directory)?;
    command.args(["server", "--single-node", "--default-bucket"]);
    command.env("GARAGE_DEFAULT_ACCESS_KEY", ADMIN.id);
    command.env("GARAGE_DEFAULT_SECRET_KEY", ADMIN.secret);
    command.env("GARAGE_DEFAULT_BUCKET", S3_BUCKET);
    Ok(command)
}

/// Whether it answers at all: without a signature, it refuses.
pub(super) fn is_healthy(port: u16) -> bool {
    health::status(port, "/") == Some(403)
}

/// Adds the keys that may only write, unless they are there.
pub(super) fn provide_keys(directory: &Path) -> Result<()> {
    let known = run(garage(directory)?.args(["key", "list"]))?;
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    for key in [WRITER, APPENDER] {
        if !known.contains(key.id) {
            let import = ["key", "import", "--yes", "-n", key.name, key.id, key.secret];
            run(garage(directory)?.args(import))?;
            run(
                garage(directory)?.args(["bucket", "allow", "--write", S3_BUCKET, "--key", key.id])
            )?;
        }
    }
    Ok(())
}

fn garage(directory: &Path) -> Result<Command> {
    let mut command = Command::new(fetch::garage_program()?);
    command.arg("-c").arg(directory.join(CONFIGURATION));
    Ok(command)
}
