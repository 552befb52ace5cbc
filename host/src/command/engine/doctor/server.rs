//! What the host itself finds about the server: binary log, GTIDs, and channels that stand still.
//! What an engine needs beyond that, its own doctor says.
use super::{Found, found};
use crate::{
    connection::Connection,
    exit::Failure,
    selector::{ChannelFacts, stopped_channels},
};
use dbbackup_plugin_api::document::{
    assessment::Remedy,
    doctor::Severity,
    environment::{Environment, ServerFacts, ServerFlavor},
};

/// First MySQL that turns GTIDs on while it runs.
const GTID_ONLINE_SINCE: [u16; 3] = [5, 7, 6];
/// First MySQL that knows `START REPLICA`.
const REPLICA_SINCE: [u16; 3] = [8, 0, 22];

/// The steps from one `gtid_mode` to the next; each is allowed from the one before it alone.
const GTID_MODES: [&str; 4] = ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"];

/// Findings on the server, from facts and one question to a replica.
pub(super) fn findings(
    connection: &Connection,
    environment: &Environment,
) -> Result<Vec<Found>, Failure> {
    let Some(server) = &environment.server else { return Ok(Vec::new()) };
    let what = format!("{} is {} {}", connection.address(), server.flavor, server.version_text);
    let mut findings = vec![found("server", Severity::Good, what, None)];
    if !server.binlog {
        let what = "the binary log is off: no coordinates, no point-in-time recovery".to_owned();
        let remedy = "set log_bin and server_id in the server's configuration, and restart it";
        findings.push(warning("binlog", what, Remedy::Advice(remedy.to_owned())));
    }
    findings.extend(gtid(server));
    if server.replica {
        let stopped = stopped_channels(connection, server.flavor)?;
        findings.extend(stopped.iter().map(|channel| still(server, channel)));
    }
    Ok(findings)
}

/// GTIDs that are not on, and the statements that turn them on from where they are now.
fn gtid(server: &ServerFacts) -> Option<Found> {
    if server.gtid || !server.binlog || server.flavor == ServerFlavor::MariaDB {
        return None;
    }
    let mode = server.variables.get("gtid_mode").map_or("OFF", String::as_str);
    let what = format!("GTIDs are not enabled (gtid_mode is {mode})");
    if server.version < GTID_ONLINE_SINCE {
        let remedy = "set gtid_mode = ON, enforce_gtid_consistency and log_slave_updates in the \
                      server's configuration, and restart it";
        return Some(warning("binlog", what, Remedy::Advice(remedy.to_owned())));
    }
    let consistent = server.variables.get("enforce_gtid_consistency").is_some_and(|v| v == "ON");
    let consistency =
        (!consistent).then_some("SET GLOBAL enforce_gtid_consistency = ON;".to_owned());
    let now = GTID_MODES.iter().position(|known| mode.eq_ignore_ascii_case(known)).unwrap_or(0);
    let steps =
        GTID_MODES.iter().skip(now + 1).map(|mode| format!("SET GLOBAL gtid_mode = {mode};"));
    let statements: Vec<String> = consistency.into_iter().chain(steps).collect();
    Some(warning("binlog", what, Remedy::Sql(statements.join(" "))))
}

/// A channel that receives or applies nothing.
fn still(server: &ServerFacts, channel: &ChannelFacts) -> Found {
    let name = channel.channel.as_str();
    let quoted = format!("'{}'", name.replace('\\', r"\\").replace('\'', "''"));
    let start = match (server.flavor, server.version >= REPLICA_SINCE, name) {
        (ServerFlavor::MariaDB, _, "") | (_, false, "") => "START SLAVE;".to_owned(),
        (ServerFlavor::MariaDB, _, _) => format!("START SLAVE {quoted};"),
        (_, false, _) => format!("START SLAVE FOR CHANNEL {quoted};"),
        (_, true, "") => "START REPLICA;".to_owned(),
        (_, true, _) => format!("START REPLICA FOR CHANNEL {quoted};"),
    };
    let label = if name.is_empty() { String::new() } else { format!(" {name}") };
    let what = format!("channel{label} from {}: {}", channel.source, channel.stopped);
    warning("replica", what, Remedy::Sql(start))
}

fn warning(area: &str, what: String, remedy: Remedy) -> Found {
    found(area, Severity::Warning, what, Some(remedy))
}
