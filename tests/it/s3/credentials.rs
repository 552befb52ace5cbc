//! Credentials come from the SDK's chain, which fetches new ones before those it has expire.
use super::{Cloud, url, with};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, S3Operation};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// Life of a set of credentials. The SDK fetches new ones ten seconds before its end.
const LIFE: &str = "12 seconds";

/// A program of a profile, as a company's own login tool is one; it notes that it was asked.
fn write_program(path: &Path, asked: &Path, keys: (&str, &str)) -> Result<()> {
    let (asked, (id, secret)) = (asked.display(), keys);
    let text = format!(
        "#!/bin/sh\necho asked >> '{asked}'\n\
         printf '{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\", \
         \"Expiration\": \"%s\"}}' \"$(date -u -d '+{LIFE}' +%Y-%m-%dT%H:%M:%SZ)\"\n",
    );
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

#[test]
fn credentials_that_expire_in_the_middle_are_fetched_anew() -> Result<()> {
    let cloud = Cloud::start(40_000)?;
    let access = cloud.access();
    let [program, asked, config] = ["login", "asked", "config"].map(|name| cloud.rig.path(name));
    write_program(&program, &asked, (&access.access_key, &access.secret_key))?;
    let profile = format!("[profile nightly]\ncredential_process = {}\n", program.display());
    fs::write(&config, profile)?;

    // A second for each part, one after the other.
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Slow(5_000)));
    let arguments = ["stream-backup", "--engine", "mysqldump", "--target", &url("db.sql")];
    let run = cloud.rig.dbbackup_on(&cloud.server, arguments).args(["--part-size", "5M"]);
    let run = run.args(["--workers", "1", "--endpoint-url", &access.endpoint]);
    let run = run.args(["--target-option", "profile=nightly", "--region", "us-east-1"]);
    let outcome = run.env("AWS_CONFIG_FILE", &config).run()?;
    outcome.expect_success()?;
    ensure!(!outcome.to_string().contains(&access.secret_key), "a secret was printed: {outcome}");
    let asked = fs::read_to_string(&asked).context("the program was never asked")?.lines().count();
    ensure!(asked >= 3, "the program was asked {asked} times");
    cloud.proxy.clear();
    with(cloud.rig.dbbackup(["verify", &url("db.sql")]), &access).run()?.expect_success()?;
    Ok(())
}
