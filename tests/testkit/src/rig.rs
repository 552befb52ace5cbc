//! The rig: an installed dbbackup, with nothing of this machine's configuration around it.
mod invocation;
mod outcome;
mod running;

pub use invocation::Invocation;
pub use outcome::Outcome;
pub use running::{Running, children_of};

use crate::product::Product;
use crate::scratch::Scratch;
use crate::server::{ADMIN_PASSWORD, Server};
use crate::{env, scratch};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A prefix with `bin/dbbackup` and `lib/dbbackup/plugins`, and a home directory of its own.
#[derive(Debug)]
pub struct Rig {
    scratch: Scratch,
}

impl Rig {
    /// Builds the product if this run has not yet, and installs it into a scratch prefix.
    ///
    /// # Errors
    /// The build fails, or the disk is full.
    pub fn new() -> Result<Self> {
        Self::of(&Product::built()?)
    }

    /// Installs a product that is built already.
    ///
    /// # Errors
    /// The disk is full.
    pub fn of(product: &Product) -> Result<Self> {
        let rig = Self::with_binary(product)?;
        for plugin in &product.plugins {
            rig.add_plugin(plugin)?;
        }
        Ok(rig)
    }

    /// The same with an empty plugins directory.
    ///
    /// # Errors
    /// As for [`Rig::new`].
    pub fn without_plugins() -> Result<Self> {
        Self::with_binary(&Product::built()?)
    }

    fn with_binary(product: &Product) -> Result<Self> {
        let scratch = Scratch::under(&private_parent()?)?;
        let rig = Self { scratch };
        for directory in ["bin", "lib/dbbackup/plugins", "home", "state", "config", "work", "tmp"] {
            let path = rig.scratch.join(directory);
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        for directory in ["bin", "lib", "lib/dbbackup", "lib/dbbackup/plugins"] {
            fs::set_permissions(rig.scratch.join(directory), fs::Permissions::from_mode(0o755))?;
        }
        install(&product.binary, &rig.binary(), 0o755)?;
        Ok(rig)
    }

    /// Prepares a run of `dbbackup` with these arguments.
    pub fn dbbackup<I, S>(&self, arguments: I) -> Invocation
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        Invocation::new(self, arguments.into_iter().map(Into::into).collect())
    }

    /// Prepares a run of `dbbackup` against `server` as the account that may do everything.
    pub fn dbbackup_on<I, S>(&self, server: &Server, arguments: I) -> Invocation
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.dbbackup(arguments).args(server.connection_args()).env("MYSQL_PWD", ADMIN_PASSWORD)
    }

    /// Copies a shared library into the plugins directory and returns its place.
    ///
    /// # Errors
    /// The library is missing, or the disk is full.
    pub fn add_plugin(&self, library: &Path) -> Result<PathBuf> {
        let name = library.file_name().context("a plugin without a file name")?;
        let path = self.plugins_dir().join(name);
        install(library, &path, 0o644)?;
        Ok(path)
    }

    /// The installed binary.
    pub fn binary(&self) -> PathBuf {
        self.scratch.join("bin/dbbackup")
    }

    /// The plugins directory.
    pub fn plugins_dir(&self) -> PathBuf {
        self.scratch.join("lib/dbbackup/plugins")
    }

    /// The directory that `dbbackup` is run in: empty, and removed with the rig.
    pub fn work_dir(&self) -> PathBuf {
        self.scratch.join("work")
    }

    /// A path in the directory that `dbbackup` is run in.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work_dir().join(name)
    }

    /// The `HOME` of each run.
    pub fn home(&self) -> PathBuf {
        self.scratch.join("home")
    }

    /// The `XDG_STATE_HOME` of each run, where the undo journal lies.
    pub fn state_dir(&self) -> PathBuf {
        self.scratch.join("state")
    }

    /// The `XDG_CONFIG_HOME` of each run.
    pub fn config_dir(&self) -> PathBuf {
        self.scratch.join("config")
    }

    /// The `TMPDIR` of each run.
    pub fn tmp_dir(&self) -> PathBuf {
        self.scratch.join("tmp")
    }
}

/// Plugins are trusted only below directories that nobody else can write to, whatever the umask.
fn private_parent() -> Result<PathBuf> {
    let root = env::cache_root()?;
    let parent = root.join("rigs");
    fs::create_dir_all(&parent).with_context(|| format!("create {}", parent.display()))?;
    for directory in [&root, &parent] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    scratch::sweep(&parent);
    Ok(parent)
}

fn install(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}
