//! A restore changes nothing on the word of a damaged artefact, and a verification says so.
use crate::shop::Shop;
use anyhow::{Result, ensure};
use dbbackup_testkit::{Flavor, Random, Server, ServerOptions, env};
use std::fs;

fn rounds() -> u64 {
    if env::is_acceptance() { 60 } else { 8 }
}

#[test]
fn truncation_and_flipped_bits_are_found_before_anything_is_restored() -> Result<()> {
    let shop = Shop::open(2000)?;
    let empty = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let before = empty.checksum_all()?;
    let mut random = Random::announced("damaged artefacts");
    for name in ["db.tar.gz", "db.sql.zst", "db.tar"] {
        shop.backed_up(name)?;
        let path = shop.rig.path(name);
        let good = fs::read(&path)?;
        for round in 0..rounds() {
            let mut bad = good.clone();
            let place = usize::try_from(random.below(good.len() as u64))?;
            if round % 2 == 0 {
                bad.truncate(place);
            } else {
                bad[place] ^= 1 << random.below(8);
            }
            fs::write(&path, &bad)?;
            let verified = shop.rig.dbbackup(["verify", name]).run()?;
            ensure!(verified.code() == Some(20), "{name} at {place}: {verified}");
            let restored =
                shop.rig.dbbackup_on(&empty, ["restore", name, "--into-server"]).run()?;
            ensure!(matches!(restored.code(), Some(20 | 23)), "{name} at {place}: {restored}");
            empty.checksum_all()?.expect_same(&before)?;
        }
        fs::write(&path, &good)?;
    }
    shop.expect_backups(3)?;
    shop.expect_clean()
}

#[test]
fn a_backup_without_a_manifest_it_fits_is_refused() -> Result<()> {
    let shop = Shop::open(500)?;
    shop.backed_up("db.tar.gz")?;
    let manifest = shop.rig.path("db.tar.gz.manifest.json");
    let good = fs::read_to_string(&manifest)?;

    fs::write(&manifest, good.replace("dbbackup.manifest/1", "dbbackup.manifest/2"))?;
    for arguments in [vec!["verify", "db.tar.gz"], vec!["info", "db.tar.gz"]] {
        let outcome = shop.rig.dbbackup(arguments).run()?;
        outcome.expect_exit(4)?.expect_stderr("dbbackup.manifest/2")?;
    }
    let restore = ["restore", "db.tar.gz", "--into-server"];
    shop.rig.dbbackup_on(&shop.server, restore).run()?.expect_exit(4)?;

    fs::remove_file(&manifest)?;
    shop.rig.dbbackup(["verify", "db.tar.gz"]).run()?.expect_exit(20)?;
    shop.rig.dbbackup_on(&shop.server, restore).run()?.expect_exit(23)?.expect_stderr("--force")?;

    fs::write(&manifest, "{\"schema\":")?;
    shop.rig.dbbackup(["verify", "db.tar.gz"]).run()?.expect_exit(20)?;
    shop.rig.dbbackup_on(&shop.server, restore).run()?.expect_exit(23)?;
    shop.expect_clean()
}

#[test]
fn a_forced_restore_uses_the_manifest_inside() -> Result<()> {
    let shop = Shop::open(500)?;
    shop.backed_up("db.tar.gz")?;
    fs::remove_file(shop.rig.path("db.tar.gz.manifest.json"))?;
    let empty = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let restore = ["restore", "db.tar.gz", "--into-server", "--force"];
    shop.rig.dbbackup_on(&empty, restore).run()?.expect_success()?;
    empty.checksum_all()?.expect_same(&shop.server.checksum_all()?)
}

#[test]
fn a_verified_backup_boots_a_scratch_server_of_its_series() -> Result<()> {
    let shop = Shop::open(500)?;
    shop.backed_up("db.tar.gz")?;
    let mysqld = shop.server.tree().mysqld_path().display().to_string();
    let verify = ["verify", "db.tar.gz", "--level", "boot", "--mysqld", &mysqld];
    // A short place: the path of the scratch server's socket has a limit.
    let state = tempfile::tempdir()?;
    let run = shop.rig.dbbackup(verify).env("DBBACKUP_STATE_DIR", state.path());
    run.run()?.expect_success()?;
    shop.expect_names(&["db.tar.gz", "db.tar.gz.manifest.json"])?;
    shop.expect_clean()
}
