//! A snapshot goes straight into a store: no file of it on any disk of this machine.
use super::{Machine, needs_btrfs};
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, Flavor, Invocation, S3_BUCKET, S3Options, S3Server, ServerOptions, skip,
};

#[test]
fn a_snapshot_goes_straight_into_a_store() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 20_000, ServerOptions::default())?;
    let store = S3Server::start(S3Options::default())?;
    let keys = |run: Invocation| {
        store.access().env().into_iter().fold(run, |run, (name, value)| run.env(name, value))
    };
    let url = format!("s3://{S3_BUCKET}/snapshots/db.tar.zst");
    let backup = ["stream-backup", "--engine", "btrfs-snapshot", "--target", &url];
    let run = keys(machine.rig.dbbackup_on(&machine.server, backup)).run()?;
    run.expect_success()?;
    ensure!(machine.snapshots()?.is_empty(), "left: {:?}", machine.snapshots()?);
    let verify = keys(machine.rig.dbbackup(["verify", &url, "--level", "boot", "--mysqld"]));
    verify.arg(machine.server.tree().mysqld_path()).run()?.expect_success()?;
    Ok(())
}
