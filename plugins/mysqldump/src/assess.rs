//! What the engine says of an environment, from the facts that the host gathered.

use dbbackup_sdk::{
    document::{
        assessment::{Assessment, Blocker, Consistency, Estimate, Remedy},
        environment::{Environment, ServerFacts, ServerFlavor},
    },
    server::{Account, quote::Escaping},
};

/// Oldest versions whose protocol and dictionary this engine speaks.
const OLDEST_MYSQL: [u16; 3] = [5, 6, 0];
const OLDEST_MARIADB: [u16; 3] = [10, 1, 0];
/// First MariaDB with a privilege of its own for looking at replication.
const SLAVE_MONITOR_SINCE: [u16; 3] = [10, 5, 2];
/// Bytes a second that a server delivers as text rows, and a reader formats.
const BYTES_PER_SECOND: u64 = 150_000_000;
/// How long the read lock is usually held on MySQL.
const USUAL_LOCK_MS: u64 = 10;
/// Storage engines whose tables the snapshot covers, or that have no rows.
const COVERED: [&str; 7] =
    ["InnoDB", "ROCKSDB", "TokuDB", "BLACKHOLE", "FEDERATED", "MRG_MYISAM", "SEQUENCE"];

/// Judges an environment.
pub(crate) fn assess(environment: &Environment) -> Assessment {
    let mut assessment = Assessment {
        reason: "works with every version and any target version".to_owned(),
        consistency: Consistency::Logical,
        score: 30,
        ..Assessment::default()
    };
    let Some(server) = &environment.server else {
        assessment.blockers.push(Blocker { what: "no server answers".to_owned(), remedy: None });
        return assessment;
    };
    assessment.blockers = blockers(server);
    assessment.applicable = assessment.blockers.is_empty();
    assessment.estimate = estimate(server);
    assessment
}

fn blockers(server: &ServerFacts) -> Vec<Blocker> {
    let oldest = match server.flavor {
        ServerFlavor::MariaDB => OLDEST_MARIADB,
        ServerFlavor::MySQL | ServerFlavor::Percona => OLDEST_MYSQL,
    };
    let mut blockers = Vec::new();
    if server.version < oldest {
        let [major, minor, _] = oldest;
        blockers.push(Blocker {
            what: format!("{} {} is too old", server.flavor, server.version_text),
            remedy: Some(Remedy::Advice(format!("upgrade to {major}.{minor} or later"))),
        });
    }
    let uncovered: Vec<&str> = server
        .storage_engines
        .iter()
        .filter(|(name, facts)| facts.tables > 0 && !is_covered(name))
        .map(|(name, _)| name.as_str())
        .collect();
    if !uncovered.is_empty() {
        blockers.push(Blocker {
            what: format!("tables in engines without transactions: {}", uncovered.join(", ")),
            remedy: Some(Remedy::Option("--accept-degraded non-transactional".to_owned())),
        });
    }
    blockers.extend(lacking_privileges(server));
    blockers
}

/// What the account lacks on the whole server. What it needs on each schema depends on what is
/// dumped, and is looked at when that is known.
fn lacking_privileges(server: &ServerFacts) -> Option<Blocker> {
    let mut needed = match server.flavor {
        ServerFlavor::MariaDB if server.version >= SLAVE_MONITOR_SINCE => vec!["SLAVE MONITOR"],
        ServerFlavor::MariaDB | ServerFlavor::MySQL | ServerFlavor::Percona => {
            vec!["REPLICATION CLIENT"]
        }
    };
    if server.flavor != ServerFlavor::MariaDB && server.binlog {
        needed.extend(["RELOAD", "PROCESS"]);
    }
    needed.retain(|name| !has(server, name));
    if needed.is_empty() {
        return None;
    }
    let listed = needed.join(", ");
    let account = Account::parse(&server.account).to_sql(Escaping::Backslash);
    Some(Blocker {
        what: format!("{} lacks {listed}", server.account),
        remedy: Some(Remedy::Sql(format!("GRANT {listed} ON *.* TO {account};"))),
    })
}

fn has(server: &ServerFacts, privilege: &str) -> bool {
    let names = match privilege {
        "SLAVE MONITOR" => ["SLAVE MONITOR", "REPLICA MONITOR"],
        other => [other; 2],
    };
    server.privileges.iter().any(|given| names.contains(&given.as_str()))
}

fn is_covered(engine: &str) -> bool {
    COVERED.iter().any(|covered| covered.eq_ignore_ascii_case(engine))
}

fn estimate(server: &ServerFacts) -> Estimate {
    let locks = server.flavor != ServerFlavor::MariaDB && server.binlog;
    Estimate {
        bytes: Some(server.data_bytes),
        seconds: Some(server.data_bytes / BYTES_PER_SECOND),
        commit_lock_ms: Some(if locks { USUAL_LOCK_MS } else { 0 }),
        extra_disk_bytes: Some(0),
    }
}
