//! Families and backends: a vendor's engine in the family `snapshot` is chosen like ours, where it is
//! meant, and not by itself.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions, build_examples};
use std::{fs, path::PathBuf};

fn vendor() -> Result<PathBuf> {
    let is_vendor =
        |path: &PathBuf| path.file_name().is_some_and(|name| name == "libfamily_member.so");
    build_examples()?.into_iter().find(is_vendor).context("the vendor's engine was not built")
}

#[test]
fn a_vendors_engine_in_the_family() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    rig.add_plugin(&vendor()?)?;
    let select = |more: &[&str]| rig.dbbackup_on(&server, ["engine", "select"]).args(more.to_vec());

    // Without being named it is listed, with what would let it be chosen.
    select(&["--explain"])
        .run()?
        .expect_success()?
        .expect_stdout("Engine: mysqldump\n")?
        .expect_stdout("acme-ceph: not eligible: of a third party, and not named\n")?
        .expect_stdout("unlock: name it with --engine acme-ceph, or set plugins.auto_select_")?
        .expect_stdout("acme-ceph.pool = \"rbd\"\n")?;
    // Storage with snapshots is a fact, whichever engine is meant.
    select(&["--engine", "mysqldump"])
        .run()?
        .expect_success()?
        .expect_stdout("Snapshot: true\n")?;

    for named in [&["--snapshot-backend", "ceph"][..], &[]] {
        select(&[&["--engine", "snapshot"], named].concat())
            .run()?
            .expect_success()?
            .expect_stdout("Engine: acme-ceph\nReason: the volume has snapshots, optimal for ")?;
    }
    for engine in [&["--engine", "snapshot"][..], &[]] {
        select(&[engine, &["--snapshot-backend", "cephh"]].concat())
            .run()?
            .expect_exit(4)?
            .expect_stderr("cephh")?
            .expect_stderr("ceph")?;
    }

    let backup = ["physical-backup", "--engine", "snapshot", "--snapshot-backend", "ceph"];
    rig.dbbackup_on(&server, backup).args(["--output", "a.tar"]).run()?.expect_success()?;
    let info = rig.dbbackup(["info", "a.tar", "--json"]).run()?.expect_success()?.json()?;
    let engine = &info["data"]["engine"];
    ensure!(engine["id"] == "acme-ceph" && engine["family"] == "snapshot", "{engine}");
    Ok(())
}

#[test]
fn a_vendors_engine_is_chosen_by_itself_where_the_configuration_allows_it() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    rig.add_plugin(&vendor()?)?;
    let select = |more: &[&str]| rig.dbbackup_on(&server, ["engine", "select"]).args(more.to_vec());
    let config =
        "plugins:\n  auto_select_third_party: true\nbackup:\n  snapshot:\n    backend: lvm\n";
    fs::write(rig.path("dbbackup.yaml"), config)?;
    // Another backend is meant, so it is not among the engines at all.
    let other = select(&["--explain", "--prefer-physical"]).run()?;
    ensure!(!other.stdout_text().contains("acme-ceph"), "{other}");

    fs::write(rig.path("dbbackup.yaml"), "plugins:\n  auto_select_third_party: true\n")?;
    let explained = select(&["--explain", "--prefer-physical"]).run()?;
    explained.expect_success()?.expect_stdout("acme-ceph: 90 points\n")?;

    // What stands in its way is said, with the command that removes it, and the next one is taken.
    let blocked =
        "plugins:\n  auto_select_third_party: true\nengines:\n  acme-ceph:\n    without: rbd\n";
    fs::write(rig.path("dbbackup.yaml"), blocked)?;
    select(&["--explain"])
        .run()?
        .expect_success()?
        .expect_stdout("acme-ceph: not eligible: rbd is not enabled\n")?
        .expect_stdout("    unlock: acmectl enable rbd\n")?;
    select(&["--engine", "acme-ceph"])
        .run()?
        .expect_exit(4)?
        .expect_stdout("Snapshot: ")?
        .expect_stderr("rbd is not enabled")?
        .expect_stderr("hint: acmectl enable rbd")?;
    Ok(())
}
