//! A replica: where it stands in the binlogs of its sources, one record for each channel, and
//! whether it is current enough to be backed up.
//!
//! An engine does two things on every server, replica or not:
//! 1. before its backup it calls [`Session::check_replica`] with the host's request, and adds what
//!    that answers to the summary's `degraded`;
//! 2. where it reads the server's own position, under the same lock, it calls
//!    [`Session::replica_sources`] for the summary's `replica_sources`.

mod currency;

pub use currency::{ChannelState, ReplicaError};

use dbbackup_plugin_api::{
    document::manifest::{ReplicaSourceRecord, ReplicaThread},
    position::{BinlogCoordinates, GtidSet},
};

use crate::server::{Record, Session, SessionError};

/// MariaDB shows every named connection by the first two, the unnamed one by the third; MySQL
/// 8.0.22 and later know the first, older ones the second.
const MYSQL: [&str; 2] = ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];
const MARIADB: [&str; 3] =
    ["SHOW ALL SLAVES STATUS", "SHOW ALL REPLICAS STATUS", "SHOW SLAVE STATUS"];

/// Channels of group replication, which follow no source: a member of a group has no one to be
/// attached to by hand.
const GROUP_CHANNELS: [&str; 2] = ["group_replication_applier", "group_replication_recovery"];

/// One channel of a replica: its record for the manifest, and why its threads have stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaChannel {
    /// Positions and states.
    pub record: ReplicaSourceRecord,
    /// Number of the error that stopped the receiver; 0 for none.
    pub receiver_error: u64,
    /// Number of the error that stopped the applier; 0 for none.
    pub applier_error: u64,
}

impl Session {
    /// The position reached in each source's binlog; empty when the server is no replica. Needs
    /// `REPLICATION CLIENT` (MariaDB: `REPLICA MONITOR`).
    ///
    /// To be of the same instant as the content, it is read under the lock that makes the content
    /// stand still.
    ///
    /// # Errors
    /// [`SessionError::Statement`], [`SessionError::Position`].
    pub fn replica_sources(&mut self) -> Result<Vec<ReplicaSourceRecord>, SessionError> {
        Ok(self.replica_channels()?.into_iter().map(|channel| channel.record).collect())
    }

    /// As [`Session::replica_sources`]; nothing where the account may not ask, which
    /// [`Session::check_replica`] has refused, or said, before.
    ///
    /// # Errors
    /// As [`Session::replica_sources`], but for a privilege.
    pub fn replica_sources_if_told(
        &mut self,
    ) -> Result<Option<Vec<ReplicaSourceRecord>>, SessionError> {
        match self.replica_sources() {
            Err(error) if error.is_denied() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Every channel with a source, in the server's order; empty when the server is no replica.
    ///
    /// # Errors
    /// As [`Session::replica_sources`].
    pub fn replica_channels(&mut self) -> Result<Vec<ReplicaChannel>, SessionError> {
        let statements: &[&str] = if self.version().is_mariadb() { &MARIADB } else { &MYSQL };
        let table = self.query_first_known(statements)?;
        let channels: Result<Vec<_>, _> = table.records().map(|record| channel(&record)).collect();
        let follows_a_source =
            |found: &ReplicaChannel| !GROUP_CHANNELS.contains(&found.record.channel.as_str());
        Ok(channels?.into_iter().filter(follows_a_source).collect())
    }
}

/// Reads one row. The columns have been renamed twice: MySQL 8.0.22, MariaDB not yet.
fn channel(row: &Record<'_>) -> Result<ReplicaChannel, SessionError> {
    let field = |names: &[&str]| {
        names.iter().find_map(|name| row.get(name)).map(str::trim).filter(|value| !value.is_empty())
    };
    let number = |names: &[&str]| field(names).and_then(|value| value.parse::<u64>().ok());
    let text = |names: &[&str]| field(names).unwrap_or_default().to_owned();
    let host = text(&["Source_Host", "Master_Host"]);
    let port = text(&["Source_Port", "Master_Port"]);
    let by_gtid = field(&["Auto_Position"]).is_some_and(|value| value == "1")
        || field(&["Using_Gtid"]).is_some_and(|value| !value.eq_ignore_ascii_case("No"));
    let record = ReplicaSourceRecord {
        channel: text(&["Channel_Name", "Connection_name"]),
        source: format!("{host}:{port}"),
        binlog: position(
            field(&["Relay_Source_Log_File", "Relay_Master_Log_File"]),
            field(&["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"]),
        )?,
        gtid: gtid(row)?,
        received: position(
            field(&["Source_Log_File", "Master_Log_File"]),
            field(&["Read_Source_Log_Pos", "Read_Master_Log_Pos"]),
        )?,
        relay: position(field(&["Relay_Log_File"]), field(&["Relay_Log_Pos"]))?,
        by_gtid,
        tls: field(&["Source_SSL_Allowed", "Master_SSL_Allowed"]).is_some_and(|v| v == "Yes"),
        receiver: thread(field(&["Replica_IO_Running", "Slave_IO_Running"])),
        applier: thread(field(&["Replica_SQL_Running", "Slave_SQL_Running"])),
        seconds_behind: number(&["Seconds_Behind_Source", "Seconds_Behind_Master"]),
        delay_seconds: number(&["SQL_Delay"]).unwrap_or(0),
        ..ReplicaSourceRecord::default()
    };
    Ok(ReplicaChannel {
        record,
        receiver_error: number(&["Last_IO_Errno"]).unwrap_or(0),
        applier_error: number(&["Last_SQL_Errno"]).unwrap_or(0),
    })
}

/// A file and an offset; nothing before the first event.
fn position(
    file: Option<&str>,
    offset: Option<&str>,
) -> Result<Option<BinlogCoordinates>, SessionError> {
    let (Some(file), Some(offset)) = (file, offset) else {
        return Ok(None);
    };
    // A relay log's name may come with its directory.
    let file = file.rsplit('/').next().unwrap_or(file);
    if file.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("{file}:{offset}").parse::<BinlogCoordinates>()?))
}

/// MariaDB names the position in `Gtid_Slave_Pos`; MySQL's executed set covers all channels.
fn gtid(row: &Record<'_>) -> Result<Option<GtidSet>, SessionError> {
    let text = ["Executed_Gtid_Set", "Gtid_Slave_Pos"].iter().find_map(|name| row.get(name));
    let text: String = text.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse::<GtidSet>()?))
}

fn thread(value: Option<&str>) -> ReplicaThread {
    match value {
        Some("Yes") => ReplicaThread::Running,
        Some("No") => ReplicaThread::Stopped,
        Some("Connecting" | "Preparing") => ReplicaThread::Connecting,
        _ => ReplicaThread::Unknown,
    }
}
