//! The statements that attach a server restored from a backup as a replica: of the server that was
//! backed up, and, where that was a replica itself, of its sources, channel by channel.
//!
//! The words are those of the source's flavour and version. Account and password are placeholders:
//! a backup knows neither.
mod dialect;
mod error;

pub use error::ReplicaStatementError;

use crate::exit::Classified;
use dbbackup_plugin_api::{
    document::{
        Extra,
        environment::ServerFacts,
        manifest::{CoordinatesRecord, Manifest, Precision, ReplicaSourceRecord},
    },
    position::GtidSet,
};
use dialect::{Dialect, Start};
use serde::Serialize;

/// Stands for the account that replicates.
pub const USER_PLACEHOLDER: &str = "REPLICATION_USER";
/// Stands for its password.
pub const PASSWORD_PLACEHOLDER: &str = "REPLICATION_PASSWORD";

/// Fact of a replica that does not write what it applies into its binlog.
const UNLOGGED: &str = "applies_unlogged";

/// One way to attach a restored server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// `source`: the server that was backed up; `channels`: its own sources.
    pub to: &'static str,
    /// What it does and what has to be known, a sentence each.
    pub notes: Vec<String>,
    /// The statements, in their order, each ended by a semicolon.
    pub statements: Vec<String>,
}

/// Every way to attach a server restored from the backup, that of its source first.
///
/// # Errors
/// [`ReplicaStatementError`]: the backup holds no position that a replica could start from.
pub fn attachments(manifest: &Manifest) -> Result<Vec<Attachment>, ReplicaStatementError> {
    attachments_at(manifest, None)
}

/// As [`attachments`], with the coordinates of the content that became known after the backup. They
/// are those of the server that was backed up, and say nothing of positions in its sources' binlogs.
///
/// # Errors
/// As [`attachments`].
pub(crate) fn attachments_at(
    manifest: &Manifest,
    known: Option<CoordinatesRecord>,
) -> Result<Vec<Attachment>, ReplicaStatementError> {
    let dialect = Dialect::of(&manifest.source);
    let recorded = manifest.coordinates.precision;
    let mut manifest = manifest.clone();
    manifest.coordinates = known.unwrap_or(manifest.coordinates);
    let source = to_source(&manifest, dialect);
    if manifest.replica_sources.is_empty() {
        return Ok(vec![source?]);
    }
    match (source, to_channels(&manifest, dialect, recorded)) {
        (Ok(mut source), Err(error @ ReplicaStatementError::InexactChannel { .. })) => {
            source.notes.push(not_attached(&error));
            Ok(vec![source])
        }
        (Ok(source), channels) => Ok(vec![source, channels?]),
        // A replica without a binlog of its own, or with one that lacks its sources' transactions, can
        // still be replaced.
        (
            Err(ReplicaStatementError::NoPosition { .. } | ReplicaStatementError::Unlogged { .. }),
            channels,
        ) => Ok(vec![channels?]),
        (Err(error), _) => Err(error),
    }
}

/// Why the restored server is not attached to the sources of the replica, and what to do about it.
fn not_attached(error: &ReplicaStatementError) -> String {
    let hint = error.hint().unwrap_or_default();
    format!("It cannot be told how to attach it to the replica's own sources: {error}; {hint}.")
}

/// What a manifest says of a server so that replicas of it can be attached: its port, whether GTIDs
/// are in use, whether it offers encryption, whether its binlog holds what it applies.
pub(crate) fn facts_of(server: &ServerFacts) -> Extra {
    let variable = |name: &str| server.variables.get(name).map(String::as_str).unwrap_or_default();
    // Newest MySQL has no have_ssl: there a certificate and a version of the protocol say it.
    let has_certificate = !variable("ssl_cert").is_empty() && !variable("tls_version").is_empty();
    let tls = match server.variables.get("have_ssl") {
        Some(value) => value == "YES",
        None => has_certificate,
    };
    let is_on = |name: &str| matches!(variable(name), "ON" | "1");
    let logs_applied = is_on("log_replica_updates") || is_on("log_slave_updates");
    let facts = [
        (UNLOGGED, serde_json::Value::Bool(server.replica && server.binlog && !logs_applied)),
        ("port", server.port.into()),
        ("gtid_in_use", server.gtid.into()),
        ("tls", serde_json::Value::Bool(tls)),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As a script for the stock client, the notes as comments.
pub fn script(attachments: &[Attachment]) -> String {
    let mut text = String::new();
    for (at, attachment) in attachments.iter().enumerate() {
        if at > 0 {
            text.push_str("\n-- Or, in place of the above:\n");
        }
        attachment.notes.iter().for_each(|note| text.push_str(&format!("-- {note}\n")));
        attachment.statements.iter().for_each(|statement| text.push_str(&format!("{statement}\n")));
    }
    text
}

/// A server's files know its transactions; SQL text knows nothing of them.
fn is_files(manifest: &Manifest) -> bool {
    manifest.roots.contains_key("data")
}

fn to_source(manifest: &Manifest, dialect: Dialect) -> Result<Attachment, ReplicaStatementError> {
    if fact(manifest, UNLOGGED) {
        return Err(ReplicaStatementError::Unlogged { id: manifest.id.clone() });
    }
    let (host, port) = address(manifest)?;
    let start = start_at_source(manifest, dialect)?;
    let mut notes = vec![format!(
        "Attaches a server restored from {} to the server that was backed up: {host}:{port}.",
        manifest.id
    )];
    notes.push(placeholders());
    if is_loopback(&host) {
        notes.push(format!("{host} is how the backup saw it: name it as the replica will see it."));
    }
    let mut statements = forget_channels(manifest, dialect);
    statements.extend(set_position(manifest, dialect, &start, &mut notes));
    let tls = fact(manifest, "tls");
    statements.push(dialect.change("", &host, port, tls, &start));
    statements.push(dialect.start_all(1));
    Ok(Attachment { to: "source", notes, statements })
}

/// Where a replica of the source starts.
fn start_at_source(manifest: &Manifest, dialect: Dialect) -> Result<Start, ReplicaStatementError> {
    let coordinates = &manifest.coordinates;
    let is_exact = coordinates.precision == Precision::Exact;
    let gtid = coordinates.gtid.as_ref().filter(|gtid| !gtid.is_empty());
    let by_gtid = dialect.is_mariadb() || fact(manifest, "gtid_in_use");
    match (gtid, &coordinates.binlog) {
        // After its recovery a copied server itself knows what it has executed; MySQL refuses to be
        // told again.
        (Some(_), _) if by_gtid && is_files(manifest) && !(is_exact && dialect.is_mariadb()) => {
            Ok(Start::Gtid(None))
        }
        (Some(gtid), _) if by_gtid && is_exact => Ok(Start::Gtid(Some(gtid.clone()))),
        (_, Some(binlog)) if is_exact => Ok(Start::Binlog(binlog.clone())),
        (_, Some(binlog)) => Err(ReplicaStatementError::Inexact {
            id: manifest.id.clone(),
            binlog: binlog.to_string(),
        }),
        (_, None) => Err(ReplicaStatementError::NoPosition { id: manifest.id.clone() }),
    }
}

/// `recorded` is how exact the coordinates were when the positions of the channels were read.
fn to_channels(
    manifest: &Manifest,
    dialect: Dialect,
    recorded: Precision,
) -> Result<Attachment, ReplicaStatementError> {
    let sources = &manifest.replica_sources;
    let starts: Vec<Start> = sources
        .iter()
        .map(|source| start_of_channel(manifest, source, dialect, recorded))
        .collect::<Result<_, _>>()?;
    let mut notes = vec![format!(
        "Puts a server restored from {} in the place of the replica that was backed up: attaches it \
         to the same sources.",
        manifest.id
    )];
    notes.push(placeholders());
    if !dialect.is_mariadb() && starts.iter().any(|start| matches!(start, Start::Binlog(_))) {
        notes.push(
            "Positions without GTIDs are the lowest that all applier threads had reached: with more \
             than one, transactions behind it may be there already."
                .to_owned(),
        );
    }
    let mut statements = forget_channels(manifest, dialect);
    // Files of a replica hold its position in a table.
    if let Some(start) = starts.iter().find(|start| matches!(start, Start::Gtid(Some(_)))) {
        statements.extend(set_position(manifest, dialect, start, &mut notes));
    }
    for (source, start) in sources.iter().zip(&starts) {
        let (host, port) = host_and_port(&source.source)?;
        statements.push(dialect.change(&source.channel, host, port, source.tls, start));
    }
    statements.push(dialect.start_all(sources.len()));
    Ok(Attachment { to: "channels", notes, statements })
}

fn start_of_channel(
    manifest: &Manifest,
    source: &ReplicaSourceRecord,
    dialect: Dialect,
    recorded: Precision,
) -> Result<Start, ReplicaStatementError> {
    // One set for all channels; the server's own one was read in the same instant as the content.
    let own = manifest.coordinates.gtid.as_ref().filter(|_| !dialect.is_mariadb());
    let gtid = own.or(source.gtid.as_ref()).filter(|gtid| !gtid.is_empty());
    match (gtid, &source.binlog) {
        (Some(_), _) if source.by_gtid && is_files(manifest) => Ok(Start::Gtid(None)),
        (Some(gtid), _) if source.by_gtid => Ok(Start::Gtid(Some(gtid.clone()))),
        (_, Some(binlog)) if is_of_the_instant(manifest, dialect, recorded) => {
            Ok(Start::Binlog(binlog.clone()))
        }
        (_, Some(binlog)) => Err(ReplicaStatementError::InexactChannel {
            id: manifest.id.clone(),
            channel: source.channel.clone(),
            address: source.source.clone(),
            binlog: binlog.to_string(),
        }),
        // MariaDB keeps GTIDs of a source whatever it is followed by.
        (Some(gtid), None) if dialect.is_mariadb() => Ok(Start::Gtid(Some(gtid.clone()))),
        (_, None) => Err(ReplicaStatementError::NoPosition { id: manifest.id.clone() }),
    }
}

/// Whether positions in sources' binlogs were read in the instant of the content. Around a bracket the
/// applier goes on; and so it does, with no binlog to show it, while MySQL's files are copied. A dump,
/// and the files of a MariaDB, are read under a lock that stops it.
fn is_of_the_instant(manifest: &Manifest, dialect: Dialect, recorded: Precision) -> bool {
    match recorded {
        Precision::Exact => true,
        Precision::Bracket => false,
        Precision::None => dialect.is_mariadb() || !is_files(manifest),
    }
}

/// The files of a replica hold its channels, which must not run beside the new ones.
fn forget_channels(manifest: &Manifest, dialect: Dialect) -> Vec<String> {
    if is_copied_replica(manifest) { dialect.forget() } else { Vec::new() }
}

/// The option that keeps a server on the files of a replica from replicating by itself.
pub(crate) fn stay_stopped(manifest: &Manifest) -> Option<&'static str> {
    is_copied_replica(manifest).then(|| Dialect::of(&manifest.source).skip_start())
}

fn is_copied_replica(manifest: &Manifest) -> bool {
    !manifest.replica_sources.is_empty() && is_files(manifest)
}

/// Tells the restored server which transactions it has.
fn set_position(
    manifest: &Manifest,
    dialect: Dialect,
    start: &Start,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let Start::Gtid(known) = start else { return Vec::new() };
    let mut statements = Vec::new();
    if known.is_some() && !is_files(manifest) {
        notes.push(
            "The restore itself has written into the binlog of the new server: that is dropped. \
             Leave it out where the new server has none."
                .to_owned(),
        );
        statements.push(dialect.reset_binlog());
    }
    statements.extend(dialect.set_gtid(known.as_ref()));
    statements
}

fn placeholders() -> String {
    format!("Put account and password in place of {USER_PLACEHOLDER} and {PASSWORD_PLACEHOLDER}.")
}

/// Host and port of the source, as the backup reached it; by its own name if that was a socket.
fn address(manifest: &Manifest) -> Result<(String, u16), ReplicaStatementError> {
    let source = &manifest.source;
    if source.address.starts_with('/') {
        let port = source.facts.get("port").and_then(serde_json::Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(3306);
        return Ok((source.hostname.clone(), port));
    }
    let (host, port) = host_and_port(&source.address)?;
    Ok((host.to_owned(), port))
}

fn host_and_port(address: &str) -> Result<(&str, u16), ReplicaStatementError> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = parts else {
        return Err(ReplicaStatementError::Address { address: address.to_owned() });
    };
    Ok((host.trim_start_matches('[').trim_end_matches(']'), port))
}

fn is_loopback(host: &str) -> bool {
    let is_local = |address: std::net::IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_local)
}

/// A fact of the source that is true or false.
fn fact(manifest: &Manifest, name: &str) -> bool {
    manifest.source.facts.get(name).and_then(serde_json::Value::as_bool).unwrap_or_else(|| {
        // Manifests without the fact: GTIDs are in use where there are some.
        name == "gtid_in_use" && matches!(manifest.coordinates.gtid, Some(GtidSet::Mysql(_)))
    })
}

#[cfg(test)]
mod tests;
