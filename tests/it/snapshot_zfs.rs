//! Engine `zfs-snapshot` on real servers and real datasets, in a guest with ZFS, as a user who is not
//! root: what it makes is proven by a restore, what it must not make is refused, and whatever ends a
//! run leaves no snapshot.
mod inside;
mod pool;

use anyhow::Result;
use dbbackup_testkit::{Guest, GuestKind, skip};
use std::time::Duration;

/// Room for the pool of the servers.
const DISK_BYTES: u64 = 3 << 30;
/// Room for another pool.
const OTHER_DISK_BYTES: u64 = 512 << 20;
/// The scenarios' time, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(1080);

#[test]
fn datasets_are_snapshotted_by_a_user_and_nothing_is_left() -> Result<()> {
    if let Some(reason) = GuestKind::Zfs.unavailable()? {
        skip!("{reason}");
    }
    let guest = Guest::new(GuestKind::Zfs)?.disk(DISK_BYTES)?.disk(OTHER_DISK_BYTES)?;
    let outcome = guest.memory_mib(3072).run_test("snapshot_zfs::inside::as_root", DEADLINE)?;
    outcome.expect_steps(&[
        "mysql under load is proven",
        "mariadb on two datasets under load is proven",
        "mariadb comes back from a store",
        "the doctor says what is free",
        "a run that is ended leaves nothing",
        "a tool that outlives its run leaves nothing",
        "another backend is refused",
        "cleanup removes what a crash left and nothing else",
        "a snapshot that is held stays and is reported",
        "two pools are refused with the list",
        "a user with permissions",
        "what is missing is named with the command",
        "a user without permissions",
    ])?;
    println!("{outcome}");
    Ok(())
}
