//! Engines `lvm-snapshot` and `zfs-snapshot` on MariaDB in guests, beside MariaDB's own physical backup
//! in the same guest. A guest's processor is slow and its calls of the kernel slower, so that only
//! the ratios say something, and the data is smaller.
use super::contest::Round;
use super::figure::{Bound, Figure};
use super::mariadb_backup::PEER;
use super::setting::{GUEST_SCALE, Setting};
use anyhow::{Context, Result};
use dbbackup_testkit::{DataSet, Flavor, Guest, GuestKind};
use std::time::Duration;

/// Room for the data, and for a snapshot of it.
const DISK_BYTES: u64 = 3 << 30;
/// The guest's memory also holds the artefacts.
const MEMORY_MIB: u32 = 4096;
/// Time around the turns, and of each turn at scale 1.
const AROUND: Duration = Duration::from_secs(180);
const TURN: Duration = Duration::from_secs(240);
/// What a guest's line with the outcome begins with.
pub(super) const ROUNDS: &str = "rounds of the guest: ";

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for kind in GuestKind::ALL {
        if let Some(reason) = kind.unavailable()? {
            println!("   left out: {reason}");
            continue;
        }
        figures.extend(measure_in(setting, kind)?);
    }
    Ok(figures)
}

fn measure_in(setting: &Setting, kind: GuestKind) -> Result<[Figure; 2]> {
    let scale = setting.scale * GUEST_SCALE;
    // Made out here, and found in there.
    drop(setting.data_at(Flavor::Mariadb1011, DataSet::Sysbench, scale)?);
    let engine = engine(kind);
    let begun = Figure::begin(format!("{engine}: tar.zst"), format!("sysbench x {scale}"))?;
    let size = begun.another(format!("{engine}: tar.zst size"));
    let (rounds, scale) = (setting.rounds.to_string(), scale.to_string());
    let words = ["bench-inside", engine, "--rounds", &rounds, "--scale", &scale];
    let deadline = AROUND + TURN * setting.rounds;
    let guest = Guest::new(kind)?.disk(DISK_BYTES)?.memory_mib(MEMORY_MIB);
    let outcome = guest.run_again(&setting.product, &words, deadline)?;
    outcome.expect_success()?;
    let line = outcome.output().lines().find_map(|line| line.strip_prefix(ROUNDS));
    let line =
        line.with_context(|| format!("the guest did not say what it measured: {outcome}"))?;
    let rounds: Vec<Round> = serde_json::from_str(line)?;
    for (number, Round { ours, peer }) in rounds.iter().enumerate() {
        println!("   {}: ours {}, peer {}", number + 1, ours.usage, peer.usage);
    }
    Ok([
        size.size(PEER, Bound::AtMost(1.02), &rounds)?,
        begun.ratio(PEER, Bound::AtMost(0.8), rounds)?,
    ])
}

fn engine(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Lvm => "lvm-snapshot",
        GuestKind::Zfs => "zfs-snapshot",
    }
}
