//! Where a replica stands in the binlogs of its sources: one record for each channel.

use dbbackup_plugin_api::{
    document::manifest::ReplicaSourceRecord,
    position::{BinlogCoordinates, GtidSet},
};

use crate::server::{Record, Session, SessionError};

/// MariaDB shows every named connection by the third, a single one by the second; MySQL 8.0.22 and
/// later know the first, older ones the second.
const MYSQL: [&str; 2] = ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];
const MARIADB: [&str; 2] = ["SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"];

impl Session {
    /// The position reached in each source's binlog; empty when the server is no replica. Needs
    /// `REPLICATION CLIENT` (MariaDB: `REPLICA MONITOR`).
    ///
    /// # Errors
    /// [`SessionError::Statement`], [`SessionError::Position`].
    pub fn replica_sources(&mut self) -> Result<Vec<ReplicaSourceRecord>, SessionError> {
        let statements = if self.version().is_mariadb() { MARIADB } else { MYSQL };
        let table = self.query_first_known(&statements)?;
        table.records().map(|record| replica_source(&record)).collect()
    }
}

fn replica_source(record: &Record<'_>) -> Result<ReplicaSourceRecord, SessionError> {
    let either = |names: [&str; 2]| {
        names.iter().find_map(|name| record.get(name)).filter(|value| !value.is_empty())
    };
    let channel = either(["Channel_Name", "Connection_name"]).unwrap_or_default();
    let host = either(["Source_Host", "Master_Host"]).unwrap_or_default();
    let port = either(["Source_Port", "Master_Port"]).unwrap_or_default();
    let file = either(["Relay_Source_Log_File", "Relay_Master_Log_File"]);
    let position = either(["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"]);
    let binlog = match (file, position) {
        (Some(file), Some(position)) => {
            Some(format!("{file}:{position}").parse::<BinlogCoordinates>()?)
        }
        _ => None,
    };
    // MariaDB names the position in `Gtid_Slave_Pos`; MySQL's executed set covers all channels.
    let gtid = either(["Executed_Gtid_Set", "Gtid_Slave_Pos"])
        .map(|text| text.chars().filter(|c| !c.is_whitespace()).collect::<String>())
        .filter(|text| !text.is_empty())
        .map(|text| text.parse::<GtidSet>())
        .transpose()?;
    Ok(ReplicaSourceRecord {
        channel: channel.to_owned(),
        source: format!("{host}:{port}"),
        binlog,
        gtid,
    })
}
