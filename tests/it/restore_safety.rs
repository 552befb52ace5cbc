//! A restore changes nothing on the word of a damaged artefact, and a verification says so.
use crate::aftermath::names;
use crate::shop::Shop;
use anyhow::{Result, bail, ensure};
use dbbackup_testkit::{Flavor, Invocation, Random, Rig, Server, ServerOptions, env, wait_until};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

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
fn a_verified_backup_boots_a_scratch_server_of_its_series_however_deep_the_state_lies() -> Result<()>
{
    let shop = Shop::open(500)?;
    shop.backed_up("db.tar.gz")?;
    let temporary = tempfile::tempdir()?;
    let state = shop.rig.state_dir().join("deep/".repeat(30));
    let run = boot(&shop, temporary.path()).env("DBBACKUP_STATE_DIR", &state);
    run.run()?.expect_success()?;
    shop.expect_names(&["db.tar.gz", "db.tar.gz.manifest.json"])?;
    for part in [temporary.path().to_owned(), state.join("journal"), state.join("scratch")] {
        ensure!(names(&part)?.is_empty(), "{} holds {:?}", part.display(), names(&part)?);
    }
    shop.expect_clean()
}

#[test]
fn the_socket_directory_of_a_killed_verification_is_private_and_goes_with_the_next_cleanup()
-> Result<()> {
    let shop = Shop::open(500)?;
    shop.backed_up("db.tar.gz")?;
    let temporary = tempfile::tempdir()?;
    let run = boot(&shop, temporary.path()).start()?;
    let mut left = Vec::new();
    wait_until("the scratch server has a socket directory", Duration::from_secs(60), || {
        left = names(temporary.path())?;
        Ok(!left.is_empty())
    })?;
    run.kill9_after(Duration::ZERO)?;
    let [directory] = left.as_slice() else { bail!("not one directory: {left:?}") };
    let mode = fs::metadata(temporary.path().join(directory))?.permissions().mode();
    ensure!(mode & 0o777 == 0o700, "{directory} has mode {mode:o}");
    shop.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(directory)?;
    ensure!(names(temporary.path())?.is_empty(), "left: {:?}", names(temporary.path())?);
    shop.expect_clean()
}

/// The place takes connections and never answers.
#[test]
fn the_time_limit_counts_while_a_place_is_opened() -> Result<()> {
    let rig = Rig::new()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", silent.local_addr()?);
    let artefact = "s3://rig/db.tar.gz";
    for words in [
        &["verify", "s3://rig/"][..],
        &["verify", artefact],
        &["restore", artefact, "--target-dir", "restored"],
    ] {
        let run = rig.dbbackup(words.to_vec()).args(["--timeout", "2s"]);
        let run = run.env("AWS_ENDPOINT_URL", &endpoint).env("AWS_REGION", "rig");
        let run = run.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
        let outcome = run.run()?;
        outcome.expect_exit(124)?.expect_stderr("not done within 2.0s; cleaned up")?;
        ensure!(names(&rig.work_dir())?.is_empty(), "{outcome} left something");
    }
    Ok(())
}

/// A server that takes connections and says nothing is waited for no longer than allowed, either.
#[test]
fn the_time_limit_counts_while_the_server_is_asked() -> Result<()> {
    let rig = Rig::new()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port().to_string();
    let server = ["--host", "127.0.0.1", "--port", &port, "--timeout", "2s"];
    let backup = rig.dbbackup(["physical-backup", "--output", "db.tar"]).args(server).run()?;
    backup.expect_exit(124)?.expect_stderr("not done within 2.0s; cleaned up")?;
    ensure!(names(&rig.work_dir())?.is_empty(), "{backup} left something");
    Ok(())
}

/// `verify --level boot` of `db.tar.gz`, with this temporary directory.
fn boot(shop: &Shop, temporary: &Path) -> Invocation {
    let mysqld = shop.server.tree().mysqld_path().display().to_string();
    let verify = ["verify", "db.tar.gz", "--level", "boot", "--mysqld", &mysqld];
    shop.rig.dbbackup(verify).env("TMPDIR", temporary)
}
