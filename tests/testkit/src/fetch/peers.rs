//! The stock tools that benchmarks measure against, and sysbench to make their data.
use super::apt::{self, Selection};
use super::wrapper::{self, Program};
use crate::cache;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A fetched set of tools: `sysbench`, `tar`, `gzip`, `pigz`, `zstd`, `mydumper`, `myloader`.
///
/// `mysqldump` and `mariadb-dump` come with their [`ServerTree`](super::ServerTree).
#[derive(Debug, Clone)]
pub struct Peers {
    directory: PathBuf,
}

/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 2;

const PROGRAMS: [&str; 7] = [
    "usr/bin/sysbench",
    "bin/tar",
    "bin/gzip",
    "usr/bin/pigz",
    "usr/bin/zstd",
    "usr/bin/mydumper",
    "usr/bin/myloader",
];

impl Peers {
    /// Fetches the tools, or finds them in the cache.
    ///
    /// # Errors
    /// The machine has no apt, no Debian mirror, or no network while the cache is cold.
    pub fn fetch() -> Result<Self> {
        let directory = cache::entry(&format!("peers-bookworm-{LAYOUT}"), |building, home| {
            let selection = Selection {
                suite: "bookworm",
                components: "main",
                packages: &["sysbench", "tar", "gzip", "pigz", "zstd", "mydumper"],
                alone: &[],
            };
            let unpacked = building.join("root");
            apt::unpack(&selection, &unpacked, &building.join("apt"))?;
            let root = home.join("root");
            wrapper::write(&unpacked, &root, &building.join("bin"), &programs(&root))
        })?;
        Ok(Self { directory })
    }

    /// A tool by its name.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }

    /// The directory of the programs, for the `PATH` of one that starts another.
    pub fn bin_dir(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// One of sysbench's own scripts, such as `oltp_read_write`.
    pub fn sysbench_script(&self, name: &str) -> PathBuf {
        self.directory.join("root/usr/share/sysbench").join(format!("{name}.lua"))
    }
}

fn programs(root: &Path) -> Vec<Program<'static>> {
    let plugins = root.join("usr/lib/x86_64-linux-gnu/libmariadb3/plugin");
    let scripts = root.join("usr/share/sysbench/?.lua");
    let variables = vec![
        ("MARIADB_PLUGIN_DIR", plugins.display().to_string()),
        ("LUA_PATH", format!("{};;", scripts.display())),
    ];
    PROGRAMS
        .into_iter()
        .map(|path| Program { path, arguments: Vec::new(), variables: variables.clone() })
        .collect()
}
