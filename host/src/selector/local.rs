//! Proof that a directory of this machine belongs to the server on the connection: a perfect copy
//! of the wrong server's files is the worst backup.
//!
//! MySQL writes its identity into `auto.cnf`; it must be the one that the server on the connection
//! states. MariaDB has no such identity: there the process that the server names in its pid file
//! must run here, be as old as the server says it is, and hold a file of that directory open, on a
//! machine of the server's host name.
use dbbackup_plugin_api::document::environment::ServerFacts;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Largest difference between the server's uptime and its process's age: the server counts from
/// the end of its start, crash recovery included.
const AGE_TOLERANCE: Duration = Duration::from_secs(120);

/// Files that MariaDB holds open for as long as it runs: at least one of them is in its data directory,
/// wherever its settings put the other.
const HELD_OPEN: [&str; 2] = ["ibdata1", "aria_log_control"];

/// What was proven.
pub(super) struct Proof {
    proven: bool,
}

impl Proof {
    pub(super) fn of(server: &ServerFacts, uptime: Option<Duration>) -> Self {
        let Some(data) = server.variables.get("datadir").map(PathBuf::from) else {
            return Self { proven: false };
        };
        let proven = match &server.uuid {
            Some(uuid) => states_identity(&data, uuid),
            None => is_held_by_the_server(&data, server, uptime),
        };
        Self { proven }
    }

    /// True if the data directory is that of the server.
    pub(super) fn holds(&self) -> bool {
        self.proven
    }

    /// True for a path of that server: a proof of the data directory holds for all that the server
    /// named, because it reads and writes them itself.
    pub(super) fn covers(&self, _path: &Path) -> bool {
        self.proven
    }
}

/// `auto.cnf` holds `server-uuid=…`.
fn states_identity(data: &Path, uuid: &str) -> bool {
    let text = fs::read_to_string(data.join("auto.cnf")).unwrap_or_default();
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    values.any(|(key, value)| {
        key.trim().replace('_', "-") == "server-uuid" && value.trim().eq_ignore_ascii_case(uuid)
    })
}

fn is_held_by_the_server(data: &Path, server: &ServerFacts, uptime: Option<Duration>) -> bool {
    let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let process = server.variables.get("pid_file").and_then(|file| {
        let file = data.join(file);
        fs::read_to_string(file).ok()?.trim().parse::<u32>().ok()
    });
    let (Some(process), Some(uptime)) = (process, uptime) else { return false };
    let same_age = age_of(process).is_some_and(|age| age.abs_diff(uptime) <= AGE_TOLERANCE);
    let holds = |name: &str| holds_open(process, &data.join(name));
    here == server.hostname && same_age && HELD_OPEN.iter().any(|name| holds(name))
}

/// Time since a process started: the kernel gives the start in clock ticks since boot.
fn age_of(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: u64 = after_name.split_whitespace().nth(19)?.parse().ok()?;
    let ticks_a_second = rustix::param::clock_ticks_per_second().max(1);
    let started = Duration::from_millis(ticks.saturating_mul(1000) / ticks_a_second);
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(uptime).ok()?.checked_sub(started)
}

fn holds_open(process: u32, file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    descriptors
        .filter_map(Result::ok)
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_compared_not_guessed() {
        let data = tempfile::tempdir().unwrap();
        assert!(!states_identity(data.path(), "a-b"));
        fs::write(data.path().join("auto.cnf"), "[auto]\nserver-uuid=A-b\n").unwrap();
        assert!(states_identity(data.path(), "a-B"));
        assert!(!states_identity(data.path(), "a-c"));
    }

    #[test]
    fn our_own_age_and_files_are_seen() {
        let age = age_of(std::process::id()).unwrap();
        assert!(age < Duration::from_secs(86_400), "{age:?}");
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(holds_open(std::process::id(), file.path()));
        assert!(!holds_open(std::process::id(), Path::new("/etc/hostname")));
    }
}
