//! Credentials come from the SDK's chain, which fetches new ones before those it has expire.
use super::streamer;
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{S3_BUCKET, S3Options, S3Server, wait_until};
use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

/// Life of a set of credentials. The SDK fetches new ones five to ten seconds before its end.
const LIFE: &str = "12 seconds";
/// Bytes of a part, and of what is written between two looks at how often the program was asked.
const PART_BYTES: usize = 5 << 20;
const CHUNK_BYTES: usize = 256 << 10;

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
    let store = S3Server::start(S3Options::default())?;
    let access = store.access();
    let place = tempfile::tempdir()?;
    let [program, asked, config] = ["login", "asked", "config"].map(|name| place.path().join(name));
    write_program(&program, &asked, (&access.access_key, &access.secret_key))?;
    let profile = format!("[profile nightly]\ncredential_process = {}\n", program.display());
    fs::write(&config, profile)?;

    let mut command = streamer::begin(&streamer::example()?, &access, "db.tar");
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_CONFIG_FILE", &config).args(["profile=nightly", "workers=1"]);
    let mut run = command.arg(format!("part_size={PART_BYTES}")).spawn()?;
    let mut input = run.stdin.take().context("its input")?;
    let chunk = vec![7; CHUNK_BYTES];
    let mut written = 0;
    // One process has one memory of its credentials, so that more than one question is a renewal.
    let times = || fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
    wait_until("new credentials are fetched", Duration::from_secs(60), || {
        input.write_all(&chunk)?;
        written += chunk.len();
        Ok(times() >= 3)
    })?;
    drop(input);
    ensure!(run.wait()?.success(), "the example failed");
    let there = access.client()?.head("db.tar")?.with_context(|| format!("in {S3_BUCKET}"))?;
    ensure!(there.size_bytes == u64::try_from(written)?, "{written} bytes became {there:?}");
    Ok(())
}
