//! What all measurements share: the product, the peers, the data, and a place to write to.
use anyhow::{Context, Result};
use dbbackup_testkit::{DataSet, Flavor, MeasuredData, Peers, Product, Rig, env};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that is prepared before the first figure.
pub(crate) struct Setting {
    /// Turns of each pair.
    pub(crate) rounds: u32,
    /// Size of the data.
    pub(crate) scale: f64,
    /// The data to measure with.
    pub(crate) sets: Vec<DataSet>,
    /// The product as built for users, with its plugins.
    pub(crate) product: Product,
    /// The product, installed.
    pub(crate) rig: Rig,
    peers: Peers,
}

impl Setting {
    /// Builds and fetches; data sets are made when a figure asks for them.
    ///
    /// # Errors
    /// The build fails, or the peers cannot be fetched.
    pub(crate) fn prepare(rounds: u32, scale: f64, sets: Vec<DataSet>) -> Result<Self> {
        println!("== release build");
        let product = Product::release()?;
        println!("== peers");
        let peers = Peers::fetch()?;
        let rig = Rig::of(&product)?;
        Ok(Self { rounds, scale, sets, product, rig, peers })
    }

    /// A data set of MySQL at the scale of this run; nobody else uses it meanwhile.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn data(&self, set: DataSet) -> Result<MeasuredData> {
        println!("   data: {} at scale {}", set.name(), self.scale);
        MeasuredData::prepare(set, Flavor::Mysql97, self.scale)
    }

    /// A stock tool, which finds the others on its `PATH`.
    pub(crate) fn peer(&self, name: &str) -> Command {
        let mut path = self.peers.bin_dir().into_os_string();
        path.push(":");
        path.push(env::path());
        let mut command = Command::new(self.peers.program(name));
        command.env("PATH", path).env("LC_ALL", "C");
        command
    }

    /// A path for output, removed with the setting.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.rig.path(name)
    }
}

/// Removes a file or a directory with all that is in it, or nothing.
///
/// # Errors
/// The system refuses it.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("remove {}", path.display()))
}

/// The size of a file.
///
/// # Errors
/// It is not there.
pub(crate) fn size_bytes(path: &Path) -> Result<u64> {
    let found = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(found.len())
}
