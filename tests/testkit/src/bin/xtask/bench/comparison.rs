//! The handbook's table: engines beside each other, as measured.
use super::contest::chain;
use super::dump::{backup, options};
use super::setting::{Setting, manifest_of, remove};
use super::stream::{stream, url};
use anyhow::{Context, Result};
use dbbackup_testkit::{BtrfsDisk, DataSet, Flavor, S3Access, S3Peers, Server};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// Room for the data and what a snapshot keeps of it.
const DISK_BYTES: u64 = 16 << 30;

/// One engine's row.
struct Row {
    engine: &'static str,
    backup_s: f64,
    locks: Held,
    disk_mb: f64,
    transfer: String,
}

/// Backs a server up by each engine, and prints the table. What lies on a disk afterwards is sent to the
/// store by `s5cmd`, which is what an operator would have to do next.
pub(crate) fn print(setting: &Setting, peers: &S3Peers, access: &S3Access) -> Result<()> {
    let data = setting.data(DataSet::Sysbench)?;
    let mut server = data.start(options())?;
    let local =
        |server: &Server, engine, output| into_file(setting, peers, access, server, engine, output);
    let mut rows = vec![
        local(&server, "mysqldump", "compared.sql.gz")?,
        local(&server, "clone", "compared.tar.gz")?,
        straight(setting, access, &server)?,
    ];
    server.stop()?;
    if BtrfsDisk::obstacle().is_none() && setting.has_engine("btrfs-snapshot") {
        let data = setting.data_on(Flavor::Mariadb1011, DataSet::Sysbench)?;
        let disk = BtrfsDisk::mount(DISK_BYTES)?;
        let datadir = disk.subvolume("mysql")?.join("data");
        data.copy_to(&datadir)?;
        let mut server = Server::start_on(Flavor::Mariadb1011, &datadir, options())?;
        rows.insert(2, local(&server, "btrfs-snapshot", "compared.tar.gz")?);
        server.stop()?;
    }
    println!(
        "\n| engine | backup time | lock time | disk used | cloud transfer |\n|---|---|---|---|---|"
    );
    for row in rows {
        println!(
            "| {} | {:.1} s | {} | {:.0} MB | {} |",
            row.engine, row.backup_s, row.locks, row.disk_mb, row.transfer
        );
    }
    println!();
    Ok(())
}

fn into_file(
    setting: &Setting,
    peers: &S3Peers,
    access: &S3Access,
    server: &Server,
    engine: &'static str,
    output: &str,
) -> Result<Row> {
    let output = setting.path(output);
    let backup_s = timed(|| chain(vec![backup(setting, server, engine, &output)], None))?;
    let locks = Held::of(&fs::read(manifest_of(&output))?)?;
    #[allow(clippy::cast_precision_loss, reason = "sizes that a double counts exactly")]
    let disk_mb = fs::metadata(&output)?.len() as f64 / 1e6;
    let transfer_s = timed(|| {
        let mut copy = Command::new(peers.program("s5cmd"));
        copy.args(["--endpoint-url", &access.endpoint, "cp"]).arg(&output);
        copy.arg(url(access, engine)).envs(access.env());
        chain(vec![copy], None)
    })?;
    remove(&output)?;
    remove(&manifest_of(&output))?;
    Ok(Row { engine, backup_s, locks, disk_mb, transfer: format!("{transfer_s:.1} s after it") })
}

/// A clone straight into the store.
fn straight(setting: &Setting, access: &S3Access, server: &Server) -> Result<Row> {
    let name = "streamed.tar.gz";
    let backup_s = timed(|| stream(setting, server, access, name))?;
    let manifest = access.client()?.get(&format!("bench/{name}.manifest.json"))?;
    let locks = Held::of(&manifest)?;
    let (engine, transfer) = ("clone, streamed", "parallel, in it".to_owned());
    Ok(Row { engine, backup_s, locks, disk_mb: 0.0, transfer })
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

/// How long locks were held, milliseconds.
struct Held {
    /// Those that commits had to wait for.
    commits: u64,
    /// Those that only DDL had to wait for.
    ddl: u64,
}

impl Held {
    fn of(manifest: &[u8]) -> Result<Self> {
        let manifest: serde_json::Value = serde_json::from_slice(manifest)?;
        let locks = manifest.get("locks").and_then(|locks| locks.as_array());
        let mut held = Self { commits: 0, ddl: 0 };
        for lock in locks.context("a manifest without locks")? {
            let blocks = lock.get("blocks_commits").and_then(serde_json::Value::as_bool);
            let sum = if blocks == Some(true) { &mut held.commits } else { &mut held.ddl };
            *sum += lock.get("held_ms").and_then(serde_json::Value::as_u64).unwrap_or_default();
        }
        Ok(held)
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { commits, ddl: 0 } => write!(f, "{commits} ms"),
            Self { commits, ddl } => write!(f, "{commits} ms; DDL {ddl} ms"),
        }
    }
}
