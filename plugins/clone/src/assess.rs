//! What the engine says of an environment, from the facts that the host gathered; nothing is asked of
//! the server and nothing is changed.

use dbbackup_sdk::{
    document::{
        assessment::{Assessment, Blocker, Consistency, Estimate, Remedy},
        environment::{Environment, ServerFacts, ServerFlavor},
    },
    server::{Account, quote},
};

use crate::options::{Encrypted, Method, Options};

/// The first server with the clone plugin.
const OLDEST: [u16; 3] = [8, 0, 17];
/// What a server's packets must hold for it to be a donor.
const LEAST_PACKET_BYTES: u64 = 2 << 20;
/// Bytes a second that one connection brings.
const BYTES_PER_SECOND: u64 = 200_000_000;
/// Storage engines whose tables come out of a clone as out of any restart.
const CLONED_WHOLE: [&str; 4] = ["InnoDB", "BLACKHOLE", "FEDERATED", "MEMORY"];
/// Statements are shown for copying into a client, where a backslash is an escape.
const SHOWN: quote::Escaping = quote::Escaping::Backslash;

/// Judges an environment.
pub(crate) fn assess(environment: &Environment, options: &Options) -> Assessment {
    let mut assessment =
        Assessment { consistency: Consistency::Physical, score: 80, ..Assessment::default() };
    let Some(server) = &environment.server else {
        assessment.blockers.push(blocker("no server answers", None));
        return assessment;
    };
    assessment.reason = "MySQL 8.0.17+ with clone plugin active".to_owned();
    assessment.facts = [
        ("clone.plugin".to_owned(), has_plugin(server).into()),
        ("clone.method".to_owned(), options.method.to_string().into()),
    ]
    .into();
    if let Some(list) = server.variables.get("clone_valid_donor_list") {
        let listed = list.clone().into();
        assessment.facts.insert("clone.valid_donor_list".to_owned(), listed);
    }
    assessment.estimate = estimate(server, options);
    assessment.blockers = blockers(environment, server, options);
    assessment.applicable = assessment.blockers.is_empty();
    if !has_privilege(server, "REPLICATION CLIENT") {
        assessment.warnings.push("without REPLICATION CLIENT, positions may be missing".to_owned());
    }
    assessment
}

fn blockers(environment: &Environment, server: &ServerFacts, options: &Options) -> Vec<Blocker> {
    if let Some(blocker) = of_version(server) {
        // Nothing else says anything about such a server.
        return vec![blocker];
    }
    let mut blockers = Vec::new();
    if !has_plugin(server) {
        let sql = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'";
        blockers.push(blocker("the clone plugin is not active", sql_remedy(sql)));
    }
    let needed: &[&str] = match options.method {
        Method::Protocol => &["BACKUP_ADMIN"],
        // It tells its files and their sizes.
        Method::Local => &["BACKUP_ADMIN", "PROCESS"],
        Method::Recipient => &["CLONE_ADMIN", "BACKUP_ADMIN"],
    };
    for needed in needed.iter().filter(|needed| !has_privilege(server, needed)) {
        let account = Account::parse(&server.account).to_sql(SHOWN);
        let sql = format!("GRANT {needed} ON *.* TO {account}");
        blockers.push(blocker(&format!("the account lacks {needed}"), sql_remedy(&sql)));
    }
    blockers.extend(of_tables(server, options));
    blockers.extend(of_settings(server, options));
    blockers.extend(of_place(environment, options));
    blockers
}

fn of_version(server: &ServerFacts) -> Option<Blocker> {
    if server.flavor == ServerFlavor::MariaDB {
        let advice = "use a snapshot engine, or mysqldump".to_owned();
        return Some(blocker("MariaDB has no clone plugin", Some(Remedy::Advice(advice))));
    }
    if server.version >= OLDEST {
        return None;
    }
    let what = format!("{} {} has no clone plugin", server.flavor, server.version_text);
    let advice = "upgrade to MySQL 8.0.17 or later, or use mysqldump".to_owned();
    Some(blocker(&what, Some(Remedy::Advice(advice))))
}

/// Content that a clone does not hold, or holds in a form that needs more than a directory.
fn of_tables(server: &ServerFacts, options: &Options) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    if options.method == Method::Recipient {
        // What the recipient itself holds is not cloned; the donor is asked when the run begins.
        return blockers;
    }
    let is_covered = |name: &str| CLONED_WHOLE.iter().any(|known| known.eq_ignore_ascii_case(name));
    let left_out: Vec<String> = server
        .storage_engines
        .iter()
        .filter(|(name, facts)| facts.tables > 0 && !is_covered(name))
        .map(|(name, facts)| format!("{} of {name}", facts.tables))
        .collect();
    if !left_out.is_empty() && !options.include_non_innodb {
        let what = format!(
            "tables that come empty or not at all out of a clone, unless --include-non-innodb dumps \
             them beside it: {}",
            left_out.join(", ")
        );
        let option = "--accept-degraded non-transactional".to_owned();
        blockers.push(blocker(&what, Some(Remedy::Option(option))));
    }
    if server.encrypted && options.encrypted == Encrypted::Refuse {
        let advice = "a clone starts only with the server's keyring: keep a copy of that and give \
             --engine-option encrypted=keep, or use a snapshot engine or mysqldump"
            .to_owned();
        blockers.push(blocker("files are encrypted at rest", Some(Remedy::Advice(advice))));
    }
    blockers
}

fn of_settings(server: &ServerFacts, options: &Options) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let number =
        |name: &str| server.variables.get(name).and_then(|value| value.parse::<u64>().ok());
    if let Some(bytes) = number("max_allowed_packet").filter(|bytes| *bytes < LEAST_PACKET_BYTES) {
        let what = format!("max_allowed_packet is {bytes}, a clone needs {LEAST_PACKET_BYTES}");
        let sql = format!("SET GLOBAL max_allowed_packet = {LEAST_PACKET_BYTES}");
        blockers.push(blocker(&what, sql_remedy(&sql)));
    }
    if options.method == Method::Recipient {
        let host = options.donor_host.clone().unwrap_or_default();
        let donor = format!("{host}:{}", options.donor_port);
        let list = server.variables.get("clone_valid_donor_list").cloned().unwrap_or_default();
        if !list.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(&donor)) {
            let comma = if list.is_empty() { "" } else { "," };
            let value = quote::string(&format!("{list}{comma}{donor}"), SHOWN);
            let sql = format!("SET GLOBAL clone_valid_donor_list = {value}");
            blockers.push(blocker(&format!("{donor} is no valid donor here"), sql_remedy(&sql)));
        }
    }
    blockers
}

/// What a clone into a directory of the server's host needs.
fn of_place(environment: &Environment, options: &Options) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    if options.method == Method::Protocol {
        return blockers;
    }
    let protocol = || Some(Remedy::Option("--engine-option method=protocol".to_owned()));
    let data = environment.paths.iter().find(|facts| facts.role == "data");
    match data.filter(|facts| facts.proven_local) {
        None => {
            blockers.push(blocker("the server is not proven to be on this machine", protocol()))
        }
        Some(facts) => {
            let bytes = environment.server.as_ref().map_or(0, |server| server.data_bytes);
            if options.data_dir.is_none() && facts.free_bytes < bytes {
                let what = format!(
                    "{} bytes are free beside the data directory, a second copy needs {bytes}",
                    facts.free_bytes
                );
                blockers.push(blocker(&what, protocol()));
            }
        }
    }
    let outside = environment.paths.iter().filter(|facts| facts.role.starts_with("external/"));
    if options.method == Method::Local && outside.count() > 0 {
        blockers.push(blocker("tablespaces lie outside the data directory", protocol()));
    }
    blockers
}

fn estimate(server: &ServerFacts, options: &Options) -> Estimate {
    let copy = if options.method == Method::Protocol { 0 } else { server.data_bytes };
    Estimate {
        bytes: Some(server.data_bytes),
        seconds: Some(server.data_bytes / BYTES_PER_SECOND),
        commit_lock_ms: Some(0),
        extra_disk_bytes: Some(copy),
    }
}

fn has_plugin(server: &ServerFacts) -> bool {
    server.plugins.iter().any(|name| name == "clone")
}

fn has_privilege(server: &ServerFacts, wanted: &str) -> bool {
    server.privileges.iter().any(|privilege| privilege == wanted)
}

fn blocker(what: &str, remedy: Option<Remedy>) -> Blocker {
    Blocker { what: what.to_owned(), remedy }
}

fn sql_remedy(sql: &str) -> Option<Remedy> {
    Some(Remedy::Sql(sql.to_owned()))
}

#[cfg(test)]
mod tests;
