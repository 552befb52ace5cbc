//! Engine `btrfs-snapshot` on real servers and a real Btrfs: what it makes is proven by a restore, what
//! it must not make is refused, and whatever ends a run leaves no snapshot.
mod doctor;
mod faults;
mod killed;
mod paths;
mod refusals;
mod servers;
mod streamed;

use anyhow::{Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, Flavor, Invocation, Proof, Rig, SampleTables, Server, ServerOptions,
    prove_under_load, skip,
};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Room on the file system; it is taken as it is written.
const DISK_BYTES: u64 = 3 << 30;
/// The subvolume that the servers live in.
const SUBVOLUME: &str = "mysql";
/// The artefact that [`prove_under_load`] makes.
const PROOF: &str = "proof.tar.zst";
/// What the names of our snapshots begin with.
const OURS: &str = ".dbbackup-";

/// Ends the test where there can be no Btrfs.
macro_rules! needs_btrfs {
    () => {
        if let Some(obstacle) = BtrfsDisk::obstacle() {
            skip!("{obstacle}");
        }
    };
}
use needs_btrfs;

/// A server in a subvolume, and a dbbackup beside it. The server goes before its disk.
struct Machine {
    server: Server,
    rig: Rig,
    disk: BtrfsDisk,
}

impl Machine {
    fn start(flavor: Flavor, rows: u64, options: ServerOptions) -> Result<Self> {
        let disk = BtrfsDisk::mount(DISK_BYTES)?;
        let server = Server::start(flavor, options.under(disk.subvolume(SUBVOLUME)?))?;
        SampleTables { rows, ..SampleTables::small() }.load(&server)?;
        Ok(Self { server, rig: Rig::new()?, disk })
    }

    fn backup(&self, output: &str) -> Invocation {
        let arguments = ["physical-backup", "--engine", "btrfs-snapshot", "--output", output];
        self.rig.dbbackup_on(&self.server, arguments)
    }

    fn proof(&self, artefact: &str) -> Proof<'_> {
        Proof { rig: &self.rig, source: &self.server, artefact: self.rig.path(artefact) }
    }

    /// The product's own proof of what [`prove_under_load`] has left.
    fn verify_by_boot(&self) -> Result<()> {
        let verify = self.rig.dbbackup(["verify", PROOF, "--level", "boot", "--mysqld"]);
        verify.arg(self.server.tree().mysqld_path()).run()?.expect_success().map(drop)
    }

    fn snapshots(&self) -> Result<Vec<String>> {
        let all = self.disk.subvolumes()?;
        Ok(all.into_iter().filter(|path| path.contains(OURS)).collect())
    }

    /// Nothing is left of a run that failed: no snapshot, no file, no record.
    fn expect_nothing_left(&self) -> Result<()> {
        ensure!(self.snapshots()?.is_empty(), "left: {:?}", self.snapshots()?);
        for directory in [self.rig.work_dir(), self.rig.state_dir().join("dbbackup/journal")] {
            if !directory.exists() {
                continue;
            }
            let left: Vec<_> = fs::read_dir(&directory)?.collect::<std::io::Result<_>>()?;
            ensure!(left.is_empty(), "left in {}: {left:?}", directory.display());
        }
        Ok(())
    }
}

/// Names of the members of a root, without the root.
fn members<'m>(manifest: &'m Value, root: &str) -> Vec<&'m str> {
    let files = manifest["files"].as_array().expect("a manifest lists files");
    let paths = files.iter().filter_map(|file| file["path"].as_str());
    paths.filter_map(|path| path.strip_prefix(root)?.strip_prefix('/')).collect()
}

fn has(manifest: &Value, path: &str) -> bool {
    let files = manifest["files"].as_array().expect("a manifest lists files");
    files.iter().any(|file| file["path"] == path)
}

#[test]
fn mariadb_under_load_is_proven() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 2000, ServerOptions::default())?;
    // The handbook's keys, and the family in place of the engine.
    let subvolume = machine.disk.path().join(SUBVOLUME);
    let config = format!(
        "backup:\n  engine: snapshot\n  snapshot:\n    backend: btrfs\n    btrfs:\n      subvolume: {}\n",
        subvolume.display()
    );
    fs::write(machine.rig.path("dbbackup.yaml"), config)?;
    let manifest = prove_under_load(&machine.rig, &machine.server, &[])?;
    ensure!(manifest["engine"]["id"] == "btrfs-snapshot", "{}", manifest["engine"]);
    ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
    ensure!(manifest["coordinates"]["gtid"].is_string(), "{}", manifest["coordinates"]);
    let lock = &manifest["locks"][0];
    ensure!(lock["statement"] == "BACKUP STAGE START" && lock["blocks_commits"] == true, "{lock}");
    ensure!(lock["held_ms"].as_u64().is_some_and(|ms| ms < 1000), "{lock}");
    expect_only_the_servers_files(&manifest)?;
    ensure!(machine.snapshots()?.is_empty());
    machine.verify_by_boot()
}

#[test]
fn mysql_under_load_is_proven() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 2000, ServerOptions::default())?;
    let engine = ["--engine", "btrfs-snapshot"];
    let manifest = prove_under_load(&machine.rig, &machine.server, &engine)?;
    ensure!(manifest["coordinates"]["precision"] == "bracket", "{}", manifest["coordinates"]);
    ensure!(manifest["coordinates"]["lsn"].as_u64() > Some(0), "{}", manifest["coordinates"]);
    let lock = &manifest["locks"][0];
    ensure!(lock["statement"] == "LOCK INSTANCE FOR BACKUP", "{lock}");
    ensure!(lock["blocks_commits"] == false, "{lock}");
    ensure!(manifest["pages"]["bad"] == 0, "{}", manifest["pages"]);
    ensure!(manifest["pages"]["checked"].as_u64() > Some(0), "{}", manifest["pages"]);
    expect_only_the_servers_files(&manifest)?;
    ensure!(machine.snapshots()?.is_empty());
    machine.verify_by_boot()?;
    let known = fs::read(machine.rig.path(format!("{PROOF}.coordinates.json")))?;
    let known: Value = serde_json::from_slice(&known)?;
    ensure!(known["coordinates"]["precision"] == "exact", "{known}");
    ensure!(known["coordinates"]["gtid"].is_string(), "{known}");
    let explained = machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--json"]);
    let explained = explained.run()?.stdout_text();
    let subvolume = machine.disk.path().join(SUBVOLUME);
    ensure!(explained.contains("btrfs.subvolume"), "{explained}");
    ensure!(explained.contains(&subvolume.display().to_string()), "{explained}");
    Ok(())
}

#[test]
fn mysql_without_gtids_is_proven() -> Result<()> {
    needs_btrfs!();
    let options =
        ServerOptions::default().arg("--gtid-mode=OFF").arg("--enforce-gtid-consistency=OFF");
    let machine = Machine::start(Flavor::Mysql97, 500, options)?;
    let engine = ["--engine", "btrfs-snapshot"];
    let manifest = prove_under_load(&machine.rig, &machine.server, &engine)?;
    ensure!(manifest["coordinates"]["gtid"].is_null(), "{}", manifest["coordinates"]);
    ensure!(manifest["coordinates"]["binlog"].is_string(), "{}", manifest["coordinates"]);
    Ok(())
}

/// The identity and everything that only the running server needs stay out, and of the binlogs all
/// but the newest.
fn expect_only_the_servers_files(manifest: &Value) -> Result<()> {
    let data = members(manifest, "data");
    for name in ["ibdata1", "sbtest/sbtest1.ibd", "binlog.index"] {
        ensure!(data.contains(&name), "{name} is not among {data:?}");
    }
    for name in ["auto.cnf", "ibtmp1", "#innodb_temp", "server.pid", "error.log"] {
        ensure!(!data.contains(&name), "{name} is among the files");
    }
    let binlogs = data.iter().filter(|name| is_binlog(name)).count();
    ensure!((1..=2).contains(&binlogs), "{binlogs} binlogs among {data:?}");
    let roots = manifest["roots"].as_object().expect("roots");
    ensure!(roots.keys().all(|root| root == "data"), "{roots:?}");
    Ok(())
}

fn is_binlog(name: &str) -> bool {
    name.strip_prefix("binlog.").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Redo, undo, doublewrite, a system tablespace of two files, a general tablespace, a table of
/// another directory and the binlogs lie outside of the data directory, and each comes under its
/// root; a neighbour of theirs does not.
#[test]
fn every_path_of_the_server_comes_and_nothing_else_of_the_volume() -> Result<()> {
    needs_btrfs!();
    let disk = BtrfsDisk::mount(DISK_BYTES)?;
    let volume = disk.subvolume(SUBVOLUME)?;
    for name in ["redo", "undo", "dblwr", "tables", "logs"] {
        fs::create_dir(volume.join(name))?;
    }
    fs::write(volume.join("tables/neighbour.ibd"), "not the server's")?;
    let option = |name: &str, path: &str| format!("--{name}={}", volume.join(path).display());
    let options = ServerOptions::default()
        .under(&volume)
        .arg(option("innodb-doublewrite-dir", "dblwr"))
        .arg(option("innodb-directories", "tables"))
        .arg(option("log-bin", "logs/mysql-bin"));
    let server = Server::start(Flavor::Mysql97, options)?;
    server.sql(&format!(
        "CREATE DATABASE shop; \
         CREATE TABLE shop.far (id INT PRIMARY KEY) DATA DIRECTORY '{0}'; \
         INSERT INTO shop.far VALUES (1), (2); \
         CREATE TABLESPACE general ADD DATAFILE '{0}/general.ibd'; \
         CREATE TABLE shop.inside (id INT PRIMARY KEY) TABLESPACE general; \
         FLUSH BINARY LOGS; INSERT INTO shop.far VALUES (3)",
        volume.join("tables").display()
    ))?;
    let machine = Machine { server, rig: Rig::new()?, disk };
    machine.backup("db.tar").run()?.expect_success()?;
    let manifest = machine.proof("db.tar").manifest()?;
    expect_roots(&manifest, &volume)?;
    for path in ["data/ibdata1", "binlog/mysql-bin.000002", "binlog/mysql-bin.index"] {
        ensure!(has(&manifest, path), "{path} is not in {:?}", manifest["files"]);
    }
    ensure!(!has(&manifest, "binlog/mysql-bin.000001"), "an old binlog came");
    let doublewrite = members(&manifest, "doublewrite");
    ensure!(doublewrite.iter().any(|name| name.ends_with(".dblwr")), "{doublewrite:?}");
    let external = ["external/1", "external/2"].map(|root| members(&manifest, root)).concat();
    ensure!(external.len() == 2, "{external:?}");
    ensure!(external.contains(&"far.ibd") && external.contains(&"general.ibd"), "{external:?}");
    let restored = machine.proof("db.tar").restored(ServerOptions::default())?;
    // A table of another directory names it in its definition.
    let contents =
        |server: &Server| Ok::<_, anyhow::Error>(server.checksum_all()?.without("table"));
    contents(&machine.server)?.expect_same(&contents(&restored.server)?)
}

/// MariaDB lists only the tablespaces that it has opened since its start, and finds the others by
/// link files, which must not lead a restored server to the tables of its source.
#[test]
fn mariadb_tables_of_another_directory_come_and_their_links_follow() -> Result<()> {
    needs_btrfs!();
    let mut machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    let volume = machine.disk.path().join(SUBVOLUME);
    fs::create_dir(volume.join("tables"))?;
    machine.server.sql(&format!(
        "CREATE DATABASE shop; CREATE TABLE shop.far (id INT PRIMARY KEY) DATA DIRECTORY '{}'; \
         INSERT INTO shop.far VALUES (1), (2)",
        volume.join("tables").display()
    ))?;
    machine.server.restart()?;
    machine.backup("db.tar").run()?.expect_success()?;
    let manifest = machine.proof("db.tar").manifest()?;
    ensure!(has(&manifest, "external/1/far.ibd"), "{:?}", manifest["files"]);
    let restored = machine.proof("db.tar").restored(ServerOptions::default())?;
    let link = fs::read_to_string(restored.server.datadir().join("shop/far.isl"))?;
    let link = Path::new(link.trim());
    ensure!(link.is_file() && !link.starts_with(&volume), "{}", link.display());
    restored.server.sql("INSERT INTO shop.far VALUES (3)")?;
    ensure!(machine.server.row::<(u64,)>("SELECT COUNT(*) FROM shop.far")? == (2,));
    ensure!(restored.server.row::<(u64,)>("SELECT COUNT(*) FROM shop.far")? == (3,));
    Ok(())
}

fn expect_roots(manifest: &Value, volume: &Path) -> Result<()> {
    let roots = manifest["roots"].as_object().expect("roots");
    let expected = [
        ("binlog", "logs"),
        ("doublewrite", "dblwr"),
        ("external/1", "tables"),
        ("external/2", "tables/shop"),
    ];
    for (root, path) in expected {
        let path = volume.join(path).display().to_string();
        ensure!(roots.get(root).and_then(Value::as_str) == Some(&path), "{root}: {roots:?}");
    }
    Ok(())
}
