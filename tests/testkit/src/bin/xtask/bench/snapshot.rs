//! Engine `btrfs-snapshot` on MariaDB, beside MariaDB's own physical backup.
use super::contest::{Contest, Round, chain};
use super::dump::{backup, options};
use super::figure::{Bound, Figure};
use super::setting::{Setting, manifest_of};
use super::{mariadb_backup, memory, restore, stall};
use anyhow::{Context, Result};
use dbbackup_testkit::{BtrfsDisk, DataSet, Flavor, MeasuredData, Server};
use std::cell::RefCell;
use std::fs;
use std::path::Path;

const ENGINE: &str = "btrfs-snapshot";
/// Room on the volume: the data, what the probes write, and what a snapshot keeps of it.
const DISK_BYTES: u64 = 16 << 30;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        println!("   left out: {obstacle}");
        return Ok(Vec::new());
    }
    let mut figures = Vec::new();
    for set in setting.sets.iter().copied() {
        let data = setting.data_on(Flavor::Mariadb1011, set)?;
        let disk = BtrfsDisk::mount(DISK_BYTES)?;
        let datadir = disk.subvolume("mysql")?.join("data");
        data.copy_to(&datadir)?;
        let mut server = Server::start_on(Flavor::Mariadb1011, &datadir, options())?;
        let bench = Bench { setting, data: &data, pid: server.pid()?, server: &server };
        figures.extend(bench.to_zstd()?);
        figures.push(bench.restore()?);
        if set == DataSet::Sysbench {
            let scale = setting.scale;
            figures.push(memory::peak(setting, &server, ENGINE, "btrfs.tar.zst", scale)?);
            let tables = datadir.join(data.schema());
            figures.push(stall::of_engine(setting, &server, ENGINE, &tables)?);
            let (name, peer) = (mariadb_backup::PEER, mariadb_backup::stream);
            let run = |output: &Path| peer(setting, &server, output);
            figures.push(stall::of_peer(setting, &server, name, &tables, run)?);
        }
        server.stop()?;
    }
    Ok(figures)
}

struct Bench<'a> {
    setting: &'a Setting,
    data: &'a MeasuredData,
    server: &'a Server,
    pid: u32,
}

impl Bench<'_> {
    /// Time, size, and what the manifests say of the lock.
    fn to_zstd(&self) -> Result<[Figure; 4]> {
        let (set, locks) = (self.data.set().name(), RefCell::new(Locks::default()));
        let begun = Figure::begin("btrfs: tar.zst", set)?;
        let size = begun.another("btrfs: tar.zst size");
        let (held, waited) =
            (begun.another("btrfs: lock held"), begun.another("btrfs: lock waited"));
        let (directory, servers) = (self.setting.path("turn"), [self.pid]);
        let output = "btrfs.tar.zst";
        let contest = Contest { rounds: self.setting.rounds, servers: &servers, directory, output };
        let rounds: Vec<Round> = contest.run(
            |output| {
                self.ours(output)?;
                locks.borrow_mut().add(&manifest_of(output))
            },
            |output| mariadb_backup::stream(self.setting, self.server, output),
        )?;
        let (peer, locks) = (mariadb_backup::PEER, locks.into_inner());
        Ok([
            size.size(peer, Bound::AtMost(1.02), &rounds)?,
            begun.ratio(peer, Bound::AtMost(0.8), rounds)?,
            held.value("", Bound::Informative, "ms", locks.held)?,
            waited.value("", Bound::Informative, "ms", locks.waited)?,
        ])
    }

    fn restore(&self) -> Result<Figure> {
        let artefact = self.setting.path("restored.tar.zst");
        self.ours(&artefact)?;
        restore::beside_extraction(self.setting, "btrfs", self.data.set().name(), &artefact)
    }

    fn ours(&self, output: &Path) -> Result<()> {
        chain(vec![backup(self.setting, self.server, ENGINE, output)], None)
    }
}

/// How long the locks of each backup were held and waited for, milliseconds.
#[derive(Default)]
struct Locks {
    held: Vec<f64>,
    waited: Vec<f64>,
}

impl Locks {
    fn add(&mut self, manifest: &Path) -> Result<()> {
        let bytes = fs::read(manifest).with_context(|| format!("read {}", manifest.display()))?;
        let manifest: serde_json::Value = serde_json::from_slice(&bytes)?;
        let locks = manifest.get("locks").and_then(|locks| locks.as_array());
        let locks = locks.context("a manifest without locks")?;
        let sum = |key: &str| locks.iter().filter_map(|lock| lock.get(key)?.as_f64()).sum();
        self.held.push(sum("held_ms"));
        self.waited.push(sum("waited_ms"));
        Ok(())
    }
}
