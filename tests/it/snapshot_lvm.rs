//! Engine `lvm-snapshot` on real servers and real logical volumes, in a guest with a device mapper:
//! what it makes is proven by a restore, what it must not make is refused, and whatever ends a run
//! leaves no snapshot and no mount.
mod inside;
mod volumes;

use anyhow::Result;
use dbbackup_testkit::{Guest, GuestKind, skip};
use std::time::Duration;

/// Room for a thick volume with snapshots, a thin pool, and a volume beside them.
const DISK_BYTES: u64 = 4 << 30;
/// The scenarios' time, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(1080);

/// Starts a scenario in a guest of its own, so that two of them share two processors.
fn in_a_guest(scenario: &str, steps: &[&str]) -> Result<()> {
    if let Some(reason) = GuestKind::Lvm.unavailable()? {
        skip!("{reason}");
    }
    let guest = Guest::new(GuestKind::Lvm)?.disk(DISK_BYTES)?;
    let outcome = guest.run_test(&format!("snapshot_lvm::inside::{scenario}"), DEADLINE)?;
    outcome.expect_steps(steps)?;
    println!("{outcome}");
    Ok(())
}

#[test]
fn a_thick_volume_is_snapshotted_and_nothing_is_left() -> Result<()> {
    let steps = [
        "mariadb under load is proven",
        "the doctor says what is free",
        "an overflow fails the backup and leaves nothing",
        "a run that is ended leaves nothing",
        "a tool that outlives its run leaves nothing",
        "cleanup removes what a crash left and nothing else",
        "a snapshot without room is refused",
        "another backend is refused",
        "two volumes are refused with the list",
        "the data directory of another server is refused",
        "mysql comes back",
    ];
    in_a_guest("thick", &steps)
}

#[test]
fn a_thin_volume_is_snapshotted_and_nothing_is_left() -> Result<()> {
    let steps = [
        "mariadb comes back",
        "mariadb comes back from a store",
        "mysql under load is proven",
        "a full pool is refused",
    ];
    in_a_guest("thin", &steps)
}
