//! Names of snapshots: one prefix, by which a snapshot of ours is told from all others.

/// What the name of every snapshot of ours begins with.
pub const SNAPSHOT_PREFIX: &str = "dbbackup-";

/// Longest name: LVM takes 127 bytes for a volume with its suffixes.
const MAX_NAME_BYTES: usize = 100;

/// The name of the snapshot of a backup: its id behind our prefix, in characters that LVM, ZFS and
/// file systems all take.
#[must_use]
pub fn snapshot_name(backup_id: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '_' };
    let id = backup_id.chars().map(plain).take(MAX_NAME_BYTES - SNAPSHOT_PREFIX.len());
    format!("{SNAPSHOT_PREFIX}{}", id.collect::<String>())
}

/// Whether [`snapshot_name`] may have made this name; nothing else may ever be destroyed.
#[must_use]
pub fn is_snapshot_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.strip_prefix(SNAPSHOT_PREFIX).is_some_and(|id| !id.is_empty())
        && name.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests;
