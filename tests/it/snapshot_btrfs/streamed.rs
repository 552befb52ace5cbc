//! A snapshot goes straight into a store: no file of it on any disk of this machine.
use super::{Machine, needs_btrfs};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, Flavor, Invocation, S3_BUCKET, S3FaultProxy, S3Options, S3Server, ServerOptions,
    skip,
};

#[test]
fn a_snapshot_goes_straight_into_a_store() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 20_000, ServerOptions::default())?;
    let store = S3Server::start(S3Options::default())?;
    let proxy = S3FaultProxy::start(store.port())?;
    let access = store.access().through(&proxy);
    machine.server.sql(
        "CREATE DATABASE small; CREATE TABLE small.one (id INT PRIMARY KEY, t VARCHAR(200)); \
         INSERT INTO small.one VALUES (1, 'one')",
    )?;
    let keys = |run: Invocation| {
        access.env().into_iter().fold(run, |run, (name, value)| run.env(name, value))
    };
    let url = format!("s3://{S3_BUCKET}/snapshots/db.tar.zst");
    let backup = ["stream-backup", "--engine", "btrfs-snapshot", "--target", &url];
    let run = keys(machine.rig.dbbackup_on(&machine.server, backup)).run()?;
    run.expect_success()?;
    ensure!(machine.snapshots()?.is_empty(), "left: {:?}", machine.snapshots()?);
    let verify = keys(machine.rig.dbbackup(["verify", &url, "--level", "boot", "--mysqld"]));
    verify.arg(machine.server.tree().mysqld_path()).run()?.expect_success()?;
    only_little_is_read(&machine, &url, &proxy, &store, &keys)
}

/// One table of the archive is restored by reading little more than it.
fn only_little_is_read(
    machine: &Machine,
    url: &str,
    proxy: &S3FaultProxy,
    store: &S3Server,
    keys: &dyn Fn(Invocation) -> Invocation,
) -> Result<()> {
    let size = |name: &str| -> Result<u64> {
        Ok(store.client()?.head(&format!("snapshots/{name}"))?.context("an object")?.size_bytes)
    };
    let (archive, manifest) = (size("db.tar.zst")?, size("db.tar.zst.manifest.json")?);
    proxy.forget();
    let only = ["restore", url, "--target-dir", "one", "--only", "small/one.*"];
    keys(machine.rig.dbbackup(only)).run()?.expect_success()?;
    ensure!(machine.rig.path("one/small/one.ibd").exists(), "the table is not there");
    // The manifest is read twice: for the engine's options, and for the restore.
    let read = proxy.read_bytes().saturating_sub(2 * manifest);
    ensure!(read < 5_000_000 && archive > 5 * read, "{read} bytes of {archive} were read");
    Ok(())
}
