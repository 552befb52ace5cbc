//! Files and directories as targets: refused, full, replaced, or committed whole.
use crate::shop::Shop;
use anyhow::{Result, ensure};
use dbbackup_testkit::{Random, SmallDisk, env, is_root, skip};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn committed_backups_are_private_in_every_container() -> Result<()> {
    let shop = Shop::open(1000)?;
    for name in ["db.tar", "db.tar.gz", "db.tar.zst", "db.sql", "db.sql.gz", "db.sql.zst"] {
        shop.backed_up(name)?;
        for path in [shop.rig.path(name), shop.rig.path(format!("{name}.manifest.json"))] {
            let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
            ensure!(mode == 0o600, "{} has mode {mode:o}", path.display());
        }
    }
    shop.expect_backups(6)?;
    shop.backed_up("dir/")?;
    shop.rig.dbbackup(["verify", "dir"]).run()?.expect_success()?;
    let mode = fs::metadata(shop.rig.path("dir"))?.permissions().mode() & 0o777;
    ensure!(mode == 0o700, "the directory has mode {mode:o}");
    shop.expect_clean()
}

#[test]
fn what_is_there_is_refused_or_replaced() -> Result<()> {
    let shop = Shop::open(1000)?;
    for name in ["db.tar.gz", "dir/"] {
        shop.backed_up(name)?;
        shop.backup(name).run()?.expect_exit(23)?.expect_stderr("--force")?;
        shop.backup(name).arg("--force").run()?.expect_success()?;
        shop.rig.dbbackup(["verify", name]).run()?.expect_success()?;
    }
    shop.expect_names(&["db.tar.gz", "db.tar.gz.manifest.json", "dir"])?;
    fs::create_dir(shop.rig.path("home"))?;
    fs::write(shop.rig.path("home/letter"), "dear")?;
    shop.backup("home/").arg("--force").run()?.expect_exit(23)?;
    ensure!(shop.rig.path("home/letter").exists());
    shop.expect_clean()
}

#[test]
fn a_missing_directory_is_a_target_error() -> Result<()> {
    let shop = Shop::open(100)?;
    shop.backup("nosuch/db.tar.gz").run()?.expect_exit(6)?.expect_stderr("nosuch")?;
    shop.backup("/proc/db.tar.gz").run()?.expect_exit(6)?;
    shop.expect_clean()
}

#[test]
fn a_disk_that_fills_at_any_byte_leaves_no_backup() -> Result<()> {
    if !is_root() {
        skip!("mounting a small filesystem needs root");
    }
    let shop = Shop::open(5000)?;
    let disk = SmallDisk::mount(64 << 20)?;
    let mut random = Random::announced("full disk");
    let rounds = if env::is_acceptance() { 40 } else { 6 };
    for (round, name) in (0..rounds).zip(["db.tar", "db.sql.gz", "dir/"].into_iter().cycle()) {
        // From nothing at all to just less than what the backup and its manifest take.
        let free = random.below(if name == "db.sql.gz" { 1 << 20 } else { 3 << 20 });
        disk.leave_free(free)?;
        let output = format!("{}/{name}", disk.path().display());
        let outcome = shop.backup(&output).run()?;
        ensure!(outcome.code() == Some(7), "round {round}, {free} bytes free: {outcome}");
        let left = crate::aftermath::names(disk.path())?;
        ensure!(left.iter().all(|name| name == ".filler"), "round {round}: {left:?}");
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn a_full_disk_does_not_cost_the_backup_that_is_replaced() -> Result<()> {
    if !is_root() {
        skip!("mounting a small filesystem needs root");
    }
    let shop = Shop::open(5000)?;
    let disk = SmallDisk::mount(64 << 20)?;
    let output = format!("{}/db.tar", disk.path().display());
    shop.backed_up(&output)?;
    disk.leave_free(1 << 20)?;
    shop.backup(&output).arg("--force").run()?.expect_exit(7)?;
    shop.rig.dbbackup(["verify", &output]).run()?.expect_success()?;
    shop.expect_clean()
}

#[test]
fn standard_output_needs_a_place_for_its_manifest_or_is_degraded() -> Result<()> {
    let shop = Shop::open(1000)?;
    shop.backup("-").run()?.expect_exit(2)?;
    let with = ["--format", "tar.gz", "--manifest", "db.tar.gz.manifest.json"];
    let outcome = shop.backup("-").args(with).run()?;
    outcome.expect_success()?;
    fs::write(shop.rig.path("db.tar.gz"), &outcome.stdout)?;
    shop.expect_backups(1)?;
    let without = shop.backup("-").args(["--format", "tar.gz", "--no-manifest"]).run()?;
    without.expect_exit(10)?;
    ensure!(without.stdout.starts_with(&[0x1f, 0x8b]), "the bytes are not the artefact alone");
    shop.expect_clean()
}
