//! Every engine's backup goes to the store and comes back from there, without a copy on a local disk.
use super::{Cloud, FOLDER, url, with};
use crate::cloned::{Source, expect_bracket};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, Flavor, S3_BUCKET, S3Operation, S3Options, S3Server, SampleTables, Server,
    ServerOptions,
};
use serde_json::Value;

#[test]
fn a_dump_comes_back_and_is_listed_as_on_a_local_disk() -> Result<()> {
    let cloud = Cloud::start(20_000)?;
    let done = cloud.stream("mysqldump", "db.sql.gz").args(["--json"]).run()?;
    let done = done.expect_success()?.json()?["data"].clone();
    ensure!(done["artefact"] == url("db.sql.gz"), "{done}");
    ensure!(done["manifest"] == url("db.sql.gz.manifest.json"), "{done}");
    cloud.expect_objects(&["db.sql.gz", "db.sql.gz.manifest.json"])?;
    cloud.expect_good("db.sql.gz")?;

    let listed = cloud.data(&["list", &url("")])?;
    let backup = &listed["locations"][0]["backups"][0];
    ensure!(backup["artefact"] == url("db.sql.gz"), "{listed}");
    ensure!(backup["state"]["state"] == "complete", "{listed}");
    let info = cloud.data(&["info", &url("db.sql.gz")])?;
    let object = &info["objects"][0];
    let there = cloud.client()?.head(&format!("{FOLDER}/db.sql.gz"))?.context("the object")?;
    ensure!(object["size_bytes"] == there.size_bytes, "{info}");
    let checksum = object["checksum"].as_str().context("no checksum")?;
    let confirmed = there.crc64nvme.context("the store keeps no checksum")?;
    ensure!(checksum == format!("crc64nvme:{confirmed}"), "{checksum} and {confirmed}");
    let status = cloud.dbbackup(&["status", &url(""), "--max-age", "1h"]).run()?;
    status.expect_success()?.expect_stdout("Status: fresh")?;
    // A folder without a slash at its end is the same place.
    let folder = format!("s3://{S3_BUCKET}/{FOLDER}");
    cloud.dbbackup(&["list", &folder]).run()?.expect_stdout(&url("db.sql.gz"))?;
    cloud.expect_nothing_left()
}

#[test]
fn a_clone_comes_back_as_of_an_exact_position() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let store = S3Server::start(S3Options::default())?;
    let access = store.access();
    let arguments = ["stream-backup", "--target", &url("db.tar.zst"), "--engine", "clone"];
    let backup = with(source.rig.dbbackup_on(&source.server, arguments), &access);
    source.under_load(backup.args(["--part-size", "5M", "--workers", "3"]))?;
    let info = with(source.rig.dbbackup(["info", &url("db.tar.zst"), "--json"]), &access).run()?;
    let manifest = info.expect_success()?.json()?["data"].clone();
    let restore = ["restore", &url("db.tar.zst"), "--target-dir", "restored"];
    with(source.rig.dbbackup(restore), &access).run()?.expect_success()?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&manifest, &told)?;
    // The exact coordinates of the first boot lie beside the manifest.
    let program = source.server.tree().program("mysqld").display().to_string();
    let verify = ["verify", &url("db.tar.zst"), "--level", "boot", "--mysqld", &program];
    with(source.rig.dbbackup(verify), &access).run()?.expect_success()?;
    let info = with(source.rig.dbbackup(["info", &url("db.tar.zst"), "--json"]), &access).run()?;
    let exact = info.expect_success()?.json()?["data"]["exact_coordinates"].clone();
    ensure!(exact["coordinates"]["precision"] == "exact", "{exact}");
    Ok(())
}

#[test]
fn a_backup_encrypted_for_a_key_comes_back_with_it_alone() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let key = age::x25519::Identity::generate();
    let secret = cloud.rig.path("key.txt");
    std::fs::write(&secret, age::secrecy::ExposeSecret::expose_secret(&key.to_string()))?;
    let public = key.to_public().to_string();
    let backup = cloud.stream("mysqldump", "db.sql.zst.age").args(["--encrypt-to", &public]);
    backup.run()?.expect_success()?;
    cloud.dbbackup(&["verify", &url("db.sql.zst.age")]).run()?.expect_exit(4)?;
    let identity = secret.display().to_string();
    let verify = cloud.dbbackup(&["verify", &url("db.sql.zst.age"), "--identity", &identity]);
    verify.run()?.expect_success()?;
    Ok(())
}

#[test]
fn the_store_encrypts_if_asked_to_and_is_reached_over_tls() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables { schema: "shop".to_owned(), tables: 2, rows: 30_000 }.load(&server)?;
    let rig = dbbackup_testkit::Rig::new()?;
    let store = S3Server::start(S3Options::default().tls())?;
    let access = store.access();
    let arguments = ["stream-backup", "--target", &url("db.sql.gz"), "--engine", "mysqldump"];
    let ca = store.ca_path().context("an authority")?.display().to_string();
    let backup = |more: &[&str]| -> Result<_> {
        let run = rig.dbbackup_on(&server, arguments).args(["--encryption", "AES256"]);
        access
            .env()
            .into_iter()
            .filter(|(name, _)| *name != "AWS_CA_BUNDLE")
            .fold(run.args(more), |run, (name, value)| run.env(name, value))
            .run()
    };
    backup(&["--target-option", "retry_deadline_s=5"])?
        .expect_exit(6)?
        .expect_stderr("certificate")?;
    backup(&["--target-ca", &ca])?.expect_success()?;
    for name in ["db.sql.gz", "db.sql.gz.manifest.json"] {
        let there = store.client()?.head(&format!("{FOLDER}/{name}"))?.context(name)?;
        ensure!(there.encryption.as_deref() == Some("AES256"), "{name}: {there:?}");
    }
    Ok(())
}

#[test]
fn the_request_for_a_key_management_service_reaches_the_store() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let how = "aws:kms:arn:aws:kms:us-east-1:111122223333:key/1234";
    let backup = cloud.stream("mysqldump", "db.sql.gz").args(["--encryption", how]);
    // This store has no such service: what counts is what it was asked for.
    let outcome = backup.args(["--target-option", "retry_deadline_s=5"]).run()?;
    ensure!(outcome.code() != Some(0), "{outcome}");
    let asked = cloud.proxy.requests();
    let asked: Vec<_> = asked
        .iter()
        .filter(|request| matches!(request.operation, S3Operation::CreateUpload | S3Operation::Put))
        .collect();
    ensure!(!asked.is_empty(), "nothing was put");
    for request in asked {
        let header = request.header("x-amz-server-side-encryption");
        ensure!(header == Some("aws:kms"), "{request:?}");
        let key = request.header("x-amz-server-side-encryption-aws-kms-key-id");
        ensure!(key == Some("arn:aws:kms:us-east-1:111122223333:key/1234"), "{request:?}");
    }
    cloud.expect_objects(&[])
}

#[test]
fn keys_that_may_only_write_are_enough() -> Result<()> {
    let cloud = Cloud::start(10_000)?;
    let access = cloud.store.write_only().through(&cloud.proxy);
    cloud.stream_as(&access, "mysqldump", "db.sql.gz").run()?.expect_success()?;
    cloud.expect_objects(&["db.sql.gz", "db.sql.gz.manifest.json"])?;
    cloud.expect_good("db.sql.gz")?;
    // Not even a delete is needed: the marker then stays, which is said.
    let access = cloud.store.append_only().through(&cloud.proxy);
    let outcome = cloud.stream_as(&access, "mysqldump", "two.sql.gz").run()?;
    outcome.expect_success()?.expect_stderr("two.sql.gz.run.json")?;
    cloud.expect_good("two.sql.gz")?;
    // Nothing is written over, although nobody could look.
    let again = cloud.stream_as(&cloud.store.write_only(), "mysqldump", "db.sql.gz").run()?;
    again.expect_exit(23)?.expect_stderr("exists")?;
    Ok(())
}

#[test]
fn keys_that_may_not_list_are_told_of_what_is_missing_that_it_is_denied() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    for operation in [S3Operation::Get, S3Operation::Head] {
        cloud.proxy.add(FaultRule::on(operation, Fault::HideMissing));
    }
    cloud.proxy.add(FaultRule::on(S3Operation::List, Fault::Deny));
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    let requests = cloud.proxy.requests();
    let denied = requests.iter().filter(|request| request.status == Some(403)).count();
    ensure!(denied > 0, "nothing was denied");
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    // What is there is seen, and not written over.
    cloud.stream("mysqldump", "db.sql").run()?.expect_exit(23)?.expect_stderr("--force")?;
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    ensure!(cloud.names()?.len() == 2, "the old backup is left: {:?}", cloud.names()?);
    cloud.proxy.clear();
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}

#[test]
fn a_slow_store_is_read_by_several_requests_at_a_time() -> Result<()> {
    let cloud = Cloud::start(40_000)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    cloud.proxy.add(FaultRule::on(S3Operation::Get, Fault::Slow(20_000)));
    cloud.proxy.forget();
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    let gets = cloud.proxy.requests_of(S3Operation::Get);
    let ranged = gets.iter().filter(|get| get.header("range").is_some()).count();
    ensure!(ranged >= 3, "{ranged} ranged reads");
    let value: Value = cloud.data(&["info", &url("db.sql")])?;
    ensure!(value["encoding"]["compression"] == "none", "{value}");
    Ok(())
}
