//! Files of a replica: a server on them takes the replica's place at its own sources, by the statements
//! that are printed, and comes to hold what they hold.
use super::{
    chain::{Chain, grow, replica_options, wait_for_rows},
    run_statements, statements,
};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, Flavor, Restored, Rig, Server, WriteLoad, check_tables, skip, wait_until,
};
use std::time::Duration;

/// Room on the file system; it is taken as it is written.
const DISK_BYTES: u64 = 3 << 30;
/// How long a server may take to catch up.
const CATCH_UP: Duration = Duration::from_secs(90);
/// Transactions of the load before and after the backup.
const COMMITS: u64 = 30;
/// Tables of the two sources, the load's among them.
const TABLES: [(&str, &str); 3] =
    [("east", "write_load.ledger"), ("east", "east.orders"), ("west", "west.orders")];

/// Backs the replica up while its sources go on, restores, starts, attaches, and compares.
fn takes_the_place_of_its_source(chain: &Chain, engine: &str) -> Result<()> {
    let rig = Rig::new()?;
    let flavor = chain.replica.flavor();
    grow(&chain.west, "west", 20)?;
    wait_for_rows(&chain.replica, "west", 20)?;
    let load = WriteLoad::start_paced(&chain.east, Duration::from_millis(5))?;
    load.wait_for_commits(COMMITS, CATCH_UP)?;
    let is_applied = "SELECT COUNT(*) FROM information_schema.tables \
                      WHERE table_schema = 'write_load' AND table_name = 'ledger'";
    wait_until("the load has come to the replica", CATCH_UP, || {
        Ok(chain.replica.row::<u64>(is_applied)? == 1)
    })?;
    let backup = ["physical-backup", "--engine", engine, "--output", "b.tar"];
    rig.dbbackup_on(&chain.replica, backup).run()?.expect_success()?;
    load.wait_for_commits(COMMITS, CATCH_UP)?;
    let report = load.stop();
    ensure!(report.failures == 0, "{report:?}");
    grow(&chain.west, "west", 7)?;
    grow(&chain.east, "east", 5)?;

    let restore = rig.dbbackup(["restore", "b.tar"]);
    let restored = Restored::by(restore, &chain.replica, replica_options(flavor))?;
    check_tables(&restored.server)?;
    let behind = differences(chain, &restored.server)?;
    ensure!(behind.len() == TABLES.len(), "it has come to hold {behind:?} by itself");
    run_statements(&restored.server, &statements(&rig, "b.tar", "channels")?)?;
    let caught_up = wait_until("it has caught up with the sources", CATCH_UP, || {
        Ok(differences(chain, &restored.server)?.is_empty())
    });
    caught_up.with_context(|| restored.server.error_log().unwrap_or_default())?;
    WriteLoad::check(&restored.server)?;
    check_tables(&restored.server)
}

/// Tables whose checksum is another one than at their source.
fn differences(chain: &Chain, server: &Server) -> Result<Vec<&'static str>> {
    let mut different = Vec::new();
    for (channel, table) in TABLES {
        let source = if channel == "east" { &chain.east } else { &chain.west };
        let expected = checksum(source, table)?;
        ensure!(expected.is_some(), "{channel} has no {table}");
        if checksum(server, table)? != expected {
            different.push(table);
        }
    }
    Ok(different)
}

/// Nothing for a table that is not there.
fn checksum(server: &Server, table: &str) -> Result<Option<u64>> {
    let (_, checksum): (String, Option<u64>) = server.row(&format!("CHECKSUM TABLE {table}"))?;
    Ok(checksum)
}

#[test]
fn a_clone_of_a_mysql_replica_takes_its_place() -> Result<()> {
    let chain = Chain::start(Flavor::Mysql97)?;
    takes_the_place_of_its_source(&chain, "clone")
}

#[test]
fn a_snapshot_of_a_mariadb_replica_takes_its_place() -> Result<()> {
    snapshot_takes_its_place(Flavor::Mariadb1011)
}

#[test]
fn a_snapshot_of_a_mysql_replica_takes_its_place() -> Result<()> {
    snapshot_takes_its_place(Flavor::Mysql97)
}

fn snapshot_takes_its_place(flavor: Flavor) -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let disk = BtrfsDisk::mount(DISK_BYTES)?;
    let options = replica_options(flavor).under(disk.subvolume("mysql")?);
    // The servers go before the disk of one of them.
    let chain = Chain::start_with(flavor, options)?;
    takes_the_place_of_its_source(&chain, "btrfs-snapshot")
}
