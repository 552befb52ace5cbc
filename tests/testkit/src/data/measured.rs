//! Large data sets for measurements: a server's data directory, made once and kept in the cache.
//!
//! A set is used where it lies, because copies of gigabytes would be what is measured; so one
//! process uses it at a time.
use crate::cache;
use crate::env;
use crate::fetch::{Flavor, Peers, ServerTree, TpchGenerator, run};
use crate::server::{Server, ServerOptions};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DataSet {
    /// Four tables as sysbench makes them for its OLTP loads: mostly random digits.
    Sysbench,
    /// The tables of TPC-H: numbers, dates, and text of English words.
    Tpch,
}

impl DataSet {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Sysbench, Self::Tpch];

    /// A short name, which is also that of its schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sysbench => "sysbench",
            Self::Tpch => "tpch",
        }
    }
}

/// Rows of each sysbench table at scale 1: about 1.06 GB in all.
const SYSBENCH_ROWS: f64 = 1_100_000.0;
const SYSBENCH_TABLES: u32 = 4;
/// The tables of TPC-H, those that take longest first.
const TPCH_TABLES: [&str; 8] =
    ["lineitem", "orders", "partsupp", "part", "customer", "supplier", "nation", "region"];
const TPCH_SCHEMA: &str = include_str!("tpch.sql");
/// Raised when the recipe below changes.
const RECIPE: u32 = 1;

/// A data set that this process may use.
#[derive(Debug)]
pub struct MeasuredData {
    set: DataSet,
    flavor: Flavor,
    directory: PathBuf,
    /// Locked for as long as the set is in use.
    _in_use: File,
}

impl MeasuredData {
    /// Makes the data set, which takes minutes, or finds it in the cache. At scale 1 it is about
    /// 1 GB: 4 million rows of sysbench, or TPC-H at scale factor 1.
    ///
    /// # Errors
    /// Server or tools cannot be fetched, or the disk is full.
    pub fn prepare(set: DataSet, flavor: Flavor, scale: f64) -> Result<Self> {
        let tree = ServerTree::fetch(flavor)?;
        let (name, version) = (set.name(), tree.version()?);
        let entry = format!("measured-{name}-{scale}-{}-{version}-{RECIPE}", flavor.name());
        let directory = cache::entry(&entry, |building, _| make(set, flavor, scale, building))?;
        let in_use = cache::lock(&env::cache_root()?, &format!("{entry}.in-use"))?;
        Ok(Self { set, flavor, directory, _in_use: in_use })
    }

    /// Which set it is.
    pub fn set(&self) -> DataSet {
        self.set
    }

    /// The name of its one schema.
    pub fn schema(&self) -> &'static str {
        self.set.name()
    }

    /// The directory with the tables' `.ibd` files.
    pub fn tables_dir(&self) -> PathBuf {
        self.datadir().join(self.schema())
    }

    /// The data directory of the server, which is not running.
    pub fn datadir(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts a server on the set itself: nothing may be written that later measurements see.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn start(&self, options: ServerOptions) -> Result<Server> {
        Server::start_on(self.flavor, &self.datadir(), options)
    }

    /// Copies the data directory.
    ///
    /// # Errors
    /// The disk is full.
    pub fn copy_to(&self, datadir: &Path) -> Result<()> {
        run(Command::new("cp")
            .args(["--archive", "--reflink=auto", "--no-target-directory"])
            .arg(self.datadir())
            .arg(datadir))?;
        Ok(())
    }
}

fn make(set: DataSet, flavor: Flavor, scale: f64, building: &Path) -> Result<()> {
    let mut server = Server::start_at(flavor, &building.join("data"), loading_options(flavor))?;
    server.sql(&format!("CREATE DATABASE {}", set.name()))?;
    match set {
        DataSet::Sysbench => load_sysbench(&server, scale)?,
        DataSet::Tpch => load_tpch(&server, scale, &building.join("tbl"))?,
    }
    // Purged and written back, so that the files are all that there is.
    server.sql("SET GLOBAL innodb_fast_shutdown = 0")?;
    server.stop()
}

/// A server that loads fast and need not survive a crash.
fn loading_options(flavor: Flavor) -> ServerOptions {
    let redo = if flavor.is_mariadb() {
        "--innodb-log-file-size=256M"
    } else {
        "--innodb-redo-log-capacity=256M"
    };
    ["--innodb-buffer-pool-size=1G", "--innodb-doublewrite=OFF", "--secure-file-priv=", redo]
        .into_iter()
        .fold(ServerOptions::default().without_binlog(), ServerOptions::arg)
}

fn load_sysbench(server: &Server, scale: f64) -> Result<()> {
    let peers = Peers::fetch()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a scale is positive, and a number of rows far below the limits"
    )]
    let rows = (SYSBENCH_ROWS * scale).ceil() as u64;
    run(Command::new(peers.program("sysbench"))
        .arg(peers.sysbench_script("oltp_read_write"))
        .args(["--db-driver=mysql", "--mysql-user=root"])
        .arg(format!("--mysql-socket={}", server.socket().display()))
        .arg(format!("--mysql-db={}", DataSet::Sysbench.name()))
        .arg(format!("--tables={SYSBENCH_TABLES}"))
        .arg(format!("--threads={SYSBENCH_TABLES}"))
        .arg(format!("--table-size={rows}"))
        .arg("prepare"))?;
    Ok(())
}

fn load_tpch(server: &Server, scale: f64, texts: &Path) -> Result<()> {
    fs::create_dir_all(texts)?;
    TpchGenerator::fetch()?.generate(scale, texts)?;
    let schema = DataSet::Tpch.name();
    server.sql(&format!("USE {schema}; {TPCH_SCHEMA}"))?;
    let load = |table: &str| {
        let path = texts.join(format!("{table}.tbl"));
        let name = path.to_str().context("the cache lies at a path that is no UTF-8")?;
        let name = name.replace('\\', r"\\").replace('\'', "''");
        server.sql(&format!(
            "LOAD DATA INFILE '{name}' INTO TABLE {schema}.{table} \
             FIELDS TERMINATED BY '|' LINES TERMINATED BY '|\n'"
        ))?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
    };
    let (first, others) = TPCH_TABLES.split_first().context("no tables")?;
    std::thread::scope(|scope| {
        let longest = scope.spawn(|| load(first));
        others.iter().try_for_each(|table| load(table))?;
        longest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    fs::remove_dir(texts).with_context(|| format!("remove {}", texts.display()))
}
