//! Object lock, on a bucket that has it and on one that has not.
use super::{Cloud, FOLDER, url, with};
use anyhow::{Context as _, Result, ensure};
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn backups_are_locked_where_the_bucket_can() -> Result<()> {
    // More than a part, because uploads in parts are locked in another request than small objects.
    let cloud = Cloud::start(14_000)?;
    let access = cloud.access().bucket("vault");
    access.client()?.create_locking_bucket()?;
    let backup = |target: &str| {
        let arguments = ["stream-backup", "--engine", "mysqldump", "--target", target];
        let run = with(cloud.rig.dbbackup_on(&cloud.server, arguments), &access);
        run.args(["--object-lock", "GOVERNANCE:2d", "--part-size", "5M"]).run()
    };
    backup(&format!("s3://vault/{FOLDER}/db.sql"))?.expect_success()?;
    let now: i64 = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().try_into()?;
    for name in ["db.sql", "db.sql.manifest.json"] {
        let head = access.client()?.head(&format!("{FOLDER}/{name}"))?.context(name)?;
        let (mode, until) = head.locked.with_context(|| format!("{name} is not locked"))?;
        ensure!(mode == "GOVERNANCE", "{name}: {mode}");
        let days: i64 = (until - now + 3600) / 86_400;
        ensure!(days == 2, "{name} is locked for {days} days");
    }
    ensure!(access.client()?.keys(FOLDER)?.len() == 2, "more than the backup is left");
    // A bucket without locks either refuses or is named for it; it is never silent.
    let outcome = backup(&url("db.sql"))?;
    ensure!(outcome.code() != Some(0), "{outcome}");
    let said = outcome.to_string().to_lowercase();
    ensure!(said.contains("object lock") || said.contains("object_lock"), "{outcome}");
    Ok(())
}
