//! What every snapshot engine asks of a server, and the statement that gives what is missing.

use dbbackup_plugin_api::document::{
    assessment::{Assessment, Blocker, Consistency, Estimate, Remedy},
    environment::{Environment, ServerFacts, ServerFlavor},
};

use super::{error::SnapshotError, paths::ServerPaths};
use crate::failure::Classify;

/// Oldest versions whose files and positions are understood.
const OLDEST_MYSQL: [u16; 3] = [5, 6, 0];
const OLDEST_MARIADB: [u16; 3] = [10, 1, 0];
/// First version of MySQL with a backup lock.
const BACKUP_LOCK: [u16; 3] = [8, 0, 0];
/// First version of MariaDB in which what may be asked about replication has privileges of its own.
const MONITOR_PRIVILEGES: [u16; 3] = [10, 5, 2];
/// Bytes a second that are copied out of a snapshot and compressed.
const BYTES_PER_SECOND: u64 = 300_000_000;
/// How long commits usually wait where a lock stops them.
const USUAL_LOCK_MS: u64 = 50;

/// Whether a snapshot can come between the halves of a page that the server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageWrites {
    /// It can: recovery then needs the server's doublewrite.
    MayTear,
    /// The file system writes a page as a whole (ZFS with records at least as large as a page).
    AreAtomic,
}

/// The assessment of a snapshot engine that has looked at its volume: `volume` are its own blockers.
#[must_use]
pub fn assessment(
    environment: &Environment,
    writes: PageWrites,
    volume: Vec<Blocker>,
) -> Assessment {
    let mut blockers = server_blockers(environment, writes);
    blockers.extend(volume);
    let mut assessment = Assessment {
        applicable: blockers.is_empty(),
        blockers,
        consistency: Consistency::Physical,
        score: 60,
        ..Assessment::default()
    };
    if let Some(server) = &environment.server {
        let stops_commits = stops_commits(server);
        if stops_commits && server.flavor != ServerFlavor::MariaDB && server.version >= BACKUP_LOCK
        {
            assessment.warnings.push(
                "tables without transactions: commits wait while the snapshot is made".to_owned(),
            );
        }
        let has_select = server.privileges.iter().any(|privilege| privilege == "SELECT");
        if !has_select && server.flavor != ServerFlavor::MariaDB && server.version >= BACKUP_LOCK {
            // Grants on single tables are not among the facts; the run asks for this one first.
            let statement = log_status_grant(&server.account);
            assessment.warnings.push(format!("the positions are in a table: {statement}"));
        }
        assessment.estimate = Estimate {
            bytes: Some(server.data_bytes),
            seconds: Some(server.data_bytes / BYTES_PER_SECOND),
            commit_lock_ms: Some(if stops_commits { USUAL_LOCK_MS } else { 0 }),
            extra_disk_bytes: Some(0),
        };
    }
    assessment
}

/// What stands in the way on the server's side.
#[must_use]
pub fn server_blockers(environment: &Environment, writes: PageWrites) -> Vec<Blocker> {
    let Some(server) = &environment.server else {
        return vec![Blocker { what: "no server answers".to_owned(), remedy: None }];
    };
    let mut blockers = Vec::new();
    let oldest = match server.flavor {
        ServerFlavor::MariaDB => OLDEST_MARIADB,
        ServerFlavor::MySQL | ServerFlavor::Percona => OLDEST_MYSQL,
    };
    if server.version < oldest {
        let [major, minor, _] = oldest;
        blockers.push(Blocker {
            what: format!("{} {} is too old", server.flavor, server.version_text),
            remedy: Some(Remedy::Advice(format!("upgrade to {major}.{minor} or later"))),
        });
    }
    if let Err(error) = ServerPaths::proven_local(environment) {
        blockers.push(blocker_of(&error));
    }
    blockers.extend(lacking_privilege(server));
    if writes == PageWrites::MayTear && !has_doublewrite(server) {
        blockers.push(Blocker {
            what: "innodb_doublewrite is off, so that a snapshot may hold torn pages".to_owned(),
            remedy: Some(Remedy::Advice(
                "start the server with --innodb-doublewrite=ON".to_owned(),
            )),
        });
    }
    blockers
}

/// A failure as a blocker.
fn blocker_of(error: &SnapshotError) -> Blocker {
    Blocker { what: error.to_string(), remedy: error.hint().map(Remedy::Advice) }
}

/// Whether recovery finds every page that was under way a second time.
#[must_use]
pub fn has_doublewrite(server: &ServerFacts) -> bool {
    let value = server.variables.get("innodb_doublewrite").map(|value| value.to_ascii_uppercase());
    // `DETECT_ONLY` writes no pages, only their numbers.
    !matches!(value.as_deref(), Some("OFF" | "0" | "DETECT_ONLY"))
}

/// Whether the lock that fits this server keeps commits waiting.
fn stops_commits(server: &ServerFacts) -> bool {
    let old = match server.flavor {
        ServerFlavor::MariaDB => return true,
        ServerFlavor::MySQL | ServerFlavor::Percona => server.version < BACKUP_LOCK,
    };
    let engines = server.storage_engines.iter();
    old || engines
        .filter(|(_, facts)| facts.tables > 0 && facts.bytes > 0)
        .any(|(name, _)| matches!(name.to_ascii_uppercase().as_str(), "MYISAM" | "CSV" | "ARCHIVE"))
}

fn lacking_privilege(server: &ServerFacts) -> Option<Blocker> {
    let is_mariadb = server.flavor == ServerFlavor::MariaDB;
    let mut needed = vec!["PROCESS"];
    if is_mariadb || server.version < BACKUP_LOCK || stops_commits(server) {
        needed.push("RELOAD");
    }
    if !is_mariadb && server.version >= BACKUP_LOCK {
        needed.push("BACKUP_ADMIN");
    }
    let asks_position = is_mariadb || server.version < BACKUP_LOCK || stops_commits(server);
    if (asks_position && server.binlog) || server.replica {
        needed.push("REPLICATION CLIENT");
    }
    if server.replica && is_mariadb && server.version >= MONITOR_PRIVILEGES {
        needed.push("SLAVE MONITOR");
    }
    let has = |name: &str| server.privileges.iter().any(|privilege| privilege == name);
    let has_other_name = |name: &str| match name {
        "RELOAD" => has("FLUSH_TABLES"),
        // The host spells `ALL PRIVILEGES` out, without the names that MariaDB has added.
        "SLAVE MONITOR" => has("REPLICA MONITOR") || has("SUPER"),
        _ => false,
    };
    needed.retain(|name| !has(name) && !has_other_name(name));
    if needed.is_empty() {
        return None;
    }
    let modern = is_mariadb && server.version >= MONITOR_PRIVILEGES;
    let names: Vec<&str> = needed
        .into_iter()
        .map(|name| if modern && name == "REPLICATION CLIENT" { "BINLOG MONITOR" } else { name })
        .collect();
    let listed = names.join(", ");
    Some(Blocker {
        what: format!("{} lacks {listed}", server.account),
        remedy: Some(Remedy::Sql(format!(
            "GRANT {listed} ON *.* TO {};",
            account_in_sql(&server.account)
        ))),
    })
}

/// What stands in the way of an account that may not read the server's positions.
pub(super) fn log_status_blocker(account: &str) -> Blocker {
    Blocker {
        what: format!("{account} lacks SELECT on performance_schema.log_status"),
        remedy: Some(Remedy::Sql(log_status_grant(account))),
    }
}

fn log_status_grant(account: &str) -> String {
    format!("GRANT SELECT ON performance_schema.log_status TO {};", account_in_sql(account))
}

fn account_in_sql(account: &str) -> String {
    match account.rsplit_once('@') {
        Some((user, host)) => format!("'{}'@'{}'", quoted(user), quoted(host)),
        None => format!("'{}'", quoted(account)),
    }
}

fn quoted(name: &str) -> String {
    name.replace('\\', r"\\").replace('\'', "''")
}
