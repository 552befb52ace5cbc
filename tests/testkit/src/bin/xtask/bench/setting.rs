//! What all measurements share: the product, the peers, the data, and a place to write to.
use anyhow::{Context, Result};
use dbbackup_testkit::{DataSet, Flavor, MeasuredData, Peers, Product, Rig, env};
use std::collections::BTreeMap;
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
    examples: BTreeMap<&'static str, PathBuf>,
}

/// Size of the data in a guest, as a part of the size outside.
pub(crate) const GUEST_SCALE: f64 = 0.2;
/// Programs and plugins of the workspace that only measure.
const EXAMPLES: [&str; 10] = [
    "pipeline_bench",
    "abi_bench",
    "stream_to_s3",
    "flood",
    "well",
    "well_two",
    "misdeeds",
    "constructor_aborts",
    "constructor_panics",
    "init_fails",
];

impl Setting {
    /// Builds and fetches; data sets are made when a figure asks for them.
    ///
    /// # Errors
    /// The build fails, or the peers cannot be fetched.
    pub(crate) fn prepare(rounds: u32, scale: f64, sets: Vec<DataSet>) -> Result<Self> {
        println!("== release build");
        let (product, built) = Product::release_with_examples(&EXAMPLES)?;
        let examples = EXAMPLES.into_iter().zip(built).collect();
        println!("== peers");
        let peers = Peers::fetch()?;
        let rig = Rig::of(&product)?;
        Ok(Self { rounds, scale, sets, product, rig, peers, examples })
    }

    /// What a measurement inside of a guest has: a product that was built outside, and no programs
    /// that only measure.
    ///
    /// # Errors
    /// As for [`Setting::prepare`].
    pub(crate) fn inside(rounds: u32, scale: f64) -> Result<Self> {
        let (product, peers) = (Product::built()?, Peers::fetch()?);
        let rig = Rig::of(&product)?;
        Ok(Self { rounds, scale, sets: Vec::new(), product, rig, peers, examples: BTreeMap::new() })
    }

    /// A data set of MySQL at the scale of this run; nobody else uses it meanwhile.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn data(&self, set: DataSet) -> Result<MeasuredData> {
        self.data_on(Flavor::Mysql97, set)
    }

    /// The same on another server.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn data_on(&self, flavor: Flavor, set: DataSet) -> Result<MeasuredData> {
        self.data_at(flavor, set, self.scale)
    }

    /// The same at another scale.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn data_at(&self, flavor: Flavor, set: DataSet, scale: f64) -> Result<MeasuredData> {
        data(set, flavor, scale)
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

    /// A program or plugin of the workspace that only measures.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.examples.get(name).cloned().unwrap_or_else(|| name.into())
    }

    /// Whether the product has an engine's plugin.
    pub(crate) fn has_engine(&self, engine: &str) -> bool {
        let file = format!("libdbbackup_{}.so", engine.replace('-', "_"));
        self.product.plugins.iter().any(|plugin| plugin.ends_with(&file))
    }

    /// A path for output, removed with the setting.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.rig.path(name)
    }
}

/// Fetches the peers and makes data sets.
///
/// # Errors
/// The network or the disk says no.
pub(crate) fn prepare_data(sets: &[DataSet], scale: f64) -> Result<()> {
    Peers::fetch()?;
    for flavor in Flavor::COVERED {
        sets.iter().try_for_each(|set| data(*set, flavor, scale).map(drop))?;
    }
    data(DataSet::Sysbench, Flavor::Mariadb1011, scale * GUEST_SCALE).map(drop)
}

fn data(set: DataSet, flavor: Flavor, scale: f64) -> Result<MeasuredData> {
    println!("   data: {} of {} at scale {scale}", set.name(), flavor.name());
    MeasuredData::prepare(set, flavor, scale)
}

/// The manifest beside an artefact.
pub(crate) fn manifest_of(artefact: &Path) -> PathBuf {
    let mut name = artefact.to_owned().into_os_string();
    name.push(".manifest.json");
    name.into()
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
