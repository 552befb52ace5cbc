//! Whether the server is a replica, and which of its channels stand still.
use super::{GatherError, server::named_text};
use crate::connection::{Connection, ServerError, Session};
use dbbackup_plugin_api::document::environment::ServerFlavor;
use mysql_async::Row;

/// Channels of a replication group: its members agree, and none is a replica of another.
const GROUP_CHANNELS: [&str; 2] = ["group_replication_applier", "group_replication_recovery"];

/// One channel of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelFacts {
    /// Its name; empty for the default one.
    pub(crate) channel: String,
    /// Host and port of its source.
    pub(crate) source: String,
    /// Which of its threads do not run, in words; empty if both do.
    pub(crate) stopped: String,
}

impl ChannelFacts {
    /// False for the channels of a replication group, which have no source.
    fn has_source(&self) -> bool {
        !GROUP_CHANNELS.contains(&self.channel.as_str())
    }
}

/// The channels, by the first of the statements that this server knows and this account may run.
pub(super) fn channels(
    session: &mut Session,
    flavor: ServerFlavor,
) -> Result<Vec<ChannelFacts>, ServerError> {
    // MariaDB shows its named connections by one statement alone.
    let questions: &[&str] = match flavor {
        ServerFlavor::MariaDB => &["SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"],
        ServerFlavor::MySQL | ServerFlavor::Percona => &[
            "SHOW REPLICA STATUS",
            "SHOW SLAVE STATUS",
            "SELECT CHANNEL_NAME AS Channel_Name, HOST AS Source_Host, PORT AS Source_Port \
             FROM performance_schema.replication_connection_configuration",
        ],
    };
    for question in questions {
        if let Some(rows) = session.rows_if_known("ask whether it is a replica", question)? {
            let channels = rows.iter().map(channel);
            return Ok(channels.filter(ChannelFacts::has_source).collect());
        }
    }
    Ok(Vec::new())
}

/// The channels of a server that do not run.
///
/// # Errors
/// [`GatherError::Server`]: it cannot be reached or asked.
pub(crate) fn stopped_channels(
    connection: &Connection,
    flavor: ServerFlavor,
) -> Result<Vec<ChannelFacts>, GatherError> {
    let mut session = Session::open(connection)?;
    let mut channels = channels(&mut session, flavor)?;
    session.close()?;
    channels.retain(|channel| !channel.stopped.is_empty());
    Ok(channels)
}

fn channel(row: &Row) -> ChannelFacts {
    let text = |names: [&str; 2]| names.iter().find_map(|name| named_text(row, name));
    let host = text(["Source_Host", "Master_Host"]).unwrap_or_default();
    let port = text(["Source_Port", "Master_Port"]).unwrap_or_default();
    let threads = [
        ("applier", text(["Replica_SQL_Running", "Slave_SQL_Running"])),
        ("receiver", text(["Replica_IO_Running", "Slave_IO_Running"])),
    ];
    let stopped = threads.into_iter().filter_map(|(name, state)| match state.as_deref() {
        Some("No") => Some(format!("{name} is stopped")),
        Some("Connecting" | "Preparing") => Some(format!("{name} has no connection")),
        _ => None,
    });
    ChannelFacts {
        channel: text(["Channel_Name", "Connection_name"]).unwrap_or_default(),
        source: format!("{host}:{port}"),
        stopped: stopped.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_a_group_is_no_replica() {
        let has_source = |channel: &str| {
            let (source, stopped) = (String::new(), String::new());
            ChannelFacts { channel: channel.to_owned(), source, stopped }.has_source()
        };
        assert!(has_source("") && has_source("from_berlin"));
        assert!(!GROUP_CHANNELS.iter().any(|channel| has_source(channel)));
    }
}
