//! ZFS's command line: its words and its answers, nothing else. Only what FreeBSD's `zfs` has too.

use std::time::Duration;

use dbbackup_sdk::Tool;

use crate::error::ZfsError;

/// Time of a command that only reads.
const QUERY_LIMIT: Duration = Duration::from_secs(20);
/// Time of a command that changes something: it waits for the pool's next transaction group.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// `zfs snapshot`: all of them in one transaction, or none.
pub(crate) fn snapshot(names: &[String]) -> Tool {
    Tool::change("zfs", CHANGE_LIMIT).args(["snapshot"]).args(names)
}

/// `zfs destroy` of one snapshot, refused while something depends on it or holds it.
///
/// # Errors
/// [`ZfsError::NotASnapshot`]: without an `@` the same words would destroy a dataset.
pub(crate) fn destroy(snapshot: &str) -> Result<Tool, ZfsError> {
    if !snapshot.contains('@') {
        return Err(ZfsError::NotASnapshot { name: snapshot.to_owned() });
    }
    Ok(Tool::change("zfs", CHANGE_LIMIT).args(["destroy", snapshot]))
}

/// How often a destroy is tried in all.
const DESTROYS: u32 = 12;

/// Whether a destroy is worth another try after so many, by what ZFS said: only words tell that a
/// snapshot is in use. One that is held (`zfs hold`) says the same, and stays so.
pub(crate) fn is_tried_again(tries: u32, said: &str) -> bool {
    tries < DESTROYS && said.contains("is busy")
}

/// `zfs list`: the names of a dataset's own snapshots.
pub(crate) fn snapshots_of(dataset: &str) -> Tool {
    let words = ["list", "-H", "-p", "-o", "name", "-t", "snapshot", "-d", "1", dataset];
    Tool::query("zfs", QUERY_LIMIT).args(words)
}

/// `zfs list`: the names of datasets; those that are not there make it fail.
pub(crate) fn filesystems() -> Tool {
    Tool::query("zfs", QUERY_LIMIT).args(["list", "-H", "-p", "-o", "name", "-t", "filesystem"])
}

/// `zfs get`: the record sizes of datasets, in bytes.
pub(crate) fn record_sizes(datasets: &[String]) -> Tool {
    Tool::query("zfs", QUERY_LIMIT)
        .args(["get", "-H", "-p", "-o", "value", "recordsize"])
        .args(datasets)
}

/// `zfs get`: what is free for datasets, in bytes.
pub(crate) fn available_bytes(datasets: &[String]) -> Tool {
    Tool::query("zfs", QUERY_LIMIT)
        .args(["get", "-H", "-p", "-o", "value", "available"])
        .args(datasets)
}

/// `zfs allow`: who may do what with a dataset.
pub(crate) fn delegations(dataset: &str) -> Tool {
    Tool::query("zfs", QUERY_LIMIT).args(["allow", dataset])
}

/// The name of the account that runs us, as `zfs allow` shows it.
pub(crate) fn account() -> Tool {
    Tool::query("id", QUERY_LIMIT).args(["-un"])
}

/// The lines of an answer.
pub(crate) fn lines(answer: &str) -> Vec<String> {
    answer.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

/// The smallest number of an answer; none if one is not a number.
pub(crate) fn smallest(answer: &str) -> Option<u64> {
    let sizes: Option<Vec<u64>> = answer.lines().map(|line| line.trim().parse().ok()).collect();
    sizes?.into_iter().min()
}

/// What a backup needs.
const NEEDED: [&str; 3] = ["snapshot", "mount", "destroy"];

/// Which of the needed permissions an account lacks, by the answer of `zfs allow`.
///
/// Permission sets (`@backup`) and groups are not looked into: what they may hold counts as given,
/// because a wrong "no" would keep a backup from being made, and a wrong "yes" ends with an error.
pub(crate) fn lacking(answer: &str, account: &str) -> Vec<&'static str> {
    let mut given: Vec<&str> = Vec::new();
    // `\tuser mysql create,destroy,mount,snapshot`
    for line in answer.lines().filter(|line| line.starts_with(['\t', ' '])) {
        let mut words = line.split_whitespace();
        let permissions = match (words.next(), words.next()) {
            (Some("user"), Some(name)) if name == account => words.next(),
            (Some("group"), Some(_)) => words.next(),
            (Some("everyone"), permissions) => permissions,
            _ => None,
        };
        given.extend(permissions.into_iter().flat_map(|list| list.split(',')));
    }
    let has_set = given.iter().any(|permission| permission.starts_with('@'));
    NEEDED.into_iter().filter(|needed| !has_set && !given.contains(needed)).collect()
}

#[cfg(test)]
mod tests;
