//! Where the server is in its binlog: coordinates and GTID sets, in each server's own way.

use dbbackup_plugin_api::position::{
    BinlogCoordinates, GtidSet, MariadbGtidPosition, MysqlGtidSet,
};
use serde::Deserialize;

use crate::server::{Session, SessionError};

/// Asks for the newest binlog position: MySQL 8.2 and later, then everything older and MariaDB.
const BINLOG_STATUS: [&str; 2] = ["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"];

/// A point in the server's binlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogStatus {
    /// File and offset after the last transaction.
    pub binlog: BinlogCoordinates,
    /// Transactions up to there; nothing when the server does not use GTIDs.
    pub gtid: Option<GtidSet>,
}

/// What `performance_schema.log_status` says: all positions of one instant, without a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Identity of the server.
    pub server_uuid: String,
    /// Binlog position; nothing when the binlog is off.
    pub binlog: Option<BinlogStatus>,
    /// Newest LSN of InnoDB's redo log.
    pub lsn: u64,
    /// LSN of the last checkpoint.
    pub lsn_checkpoint: u64,
}

impl Session {
    /// The newest binlog position; nothing when the binlog is off. Other sessions may move it on at
    /// once, unless a lock keeps commits out.
    ///
    /// # Errors
    /// [`SessionError::Statement`], for instance without `REPLICATION CLIENT` (MariaDB: `BINLOG
    /// MONITOR`); [`SessionError::Position`].
    pub fn binlog_status(&mut self) -> Result<Option<BinlogStatus>, SessionError> {
        let table = self.query_first_known(&BINLOG_STATUS)?;
        let Some(record) = table.records().next() else {
            return Ok(None);
        };
        let binlog = BinlogCoordinates {
            file: record.text("File")?.to_owned(),
            position: record.number("Position")?,
        };
        let gtid = if self.version().is_mariadb() {
            self.mariadb_gtid_at(&binlog)?
        } else {
            mysql_gtid(record.get("Executed_Gtid_Set").unwrap_or_default())?
        };
        Ok(Some(BinlogStatus { binlog, gtid }))
    }

    /// All positions of one instant, from MySQL 8.0 on; nothing when the server cannot tell them.
    /// Costs a moment in which every log is blocked. Needs `BACKUP_ADMIN`.
    ///
    /// # Errors
    /// [`SessionError::Statement`], [`SessionError::Position`].
    pub fn log_status(&mut self) -> Result<Option<LogStatus>, SessionError> {
        const SQL: &str = "SELECT SERVER_UUID, LOCAL, STORAGE_ENGINES \
                           FROM performance_schema.log_status";
        let table = match self.query(SQL) {
            Ok(table) => table,
            Err(error) if error.server_code().is_some_and(lacks_log_status) => return Ok(None),
            Err(error) => return Err(error),
        };
        let record = table.only()?;
        let unreadable = |what: &str| SessionError::Answer {
            statement: SQL.to_owned(),
            what: format!("a readable {what}"),
        };
        let local: LocalLog =
            serde_json::from_str(record.text("LOCAL")?).map_err(|_| unreadable("LOCAL"))?;
        let engines: EngineLogs = serde_json::from_str(record.text("STORAGE_ENGINES")?)
            .map_err(|_| unreadable("STORAGE_ENGINES"))?;
        let binlog = match (local.binary_log_file, local.binary_log_position) {
            (Some(file), Some(position)) if !file.is_empty() => Some(BinlogStatus {
                binlog: BinlogCoordinates { file, position },
                gtid: mysql_gtid(&local.gtid_executed)?,
            }),
            _ => None,
        };
        Ok(Some(LogStatus {
            server_uuid: record.text("SERVER_UUID")?.to_owned(),
            binlog,
            lsn: engines.innodb.lsn,
            lsn_checkpoint: engines.innodb.lsn_checkpoint,
        }))
    }

    /// The server's clock, UTC, RFC 3339.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn utc_now(&mut self) -> Result<String, SessionError> {
        self.required_value("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')")
    }

    /// Begins a transaction whose reads all see this instant.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn begin_consistent_snapshot(&mut self) -> Result<(), SessionError> {
        self.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .or_else(|error| match error.server_code() {
                // MySQL 5.5 and the like know no READ ONLY.
                Some(1064) => self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT"),
                _ => Err(error),
            })
            .map(|_| ())
    }

    /// The binlog position that belongs exactly to this session's snapshot, taken without any lock.
    /// MariaDB and Percona Server know it; nothing on MySQL, or when the binlog is off. Call it
    /// after [`Session::begin_consistent_snapshot`] in the same session.
    ///
    /// # Errors
    /// As [`Session::query`], and [`SessionError::Position`].
    pub fn snapshot_status(&mut self) -> Result<Option<BinlogStatus>, SessionError> {
        let table = self.query("SHOW STATUS LIKE 'binlog_snapshot_%'")?;
        let value_of = |name: &str| {
            table
                .records()
                .find(|record| {
                    record.get("Variable_name").is_some_and(|n| n.eq_ignore_ascii_case(name))
                })
                .and_then(|record| record.get("Value"))
                .filter(|value| !value.is_empty())
        };
        let (Some(file), Some(position)) =
            (value_of("binlog_snapshot_file"), value_of("binlog_snapshot_position"))
        else {
            return Ok(None);
        };
        let binlog: BinlogCoordinates = format!("{file}:{position}").parse()?;
        let gtid = match value_of("binlog_snapshot_gtid_executed") {
            Some(executed) => mysql_gtid(executed)?,
            None if self.version().is_mariadb() => self.mariadb_gtid_at(&binlog)?,
            None => None,
        };
        Ok(Some(BinlogStatus { binlog, gtid }))
    }

    /// MariaDB's GTID position at a point of its binlog.
    fn mariadb_gtid_at(
        &mut self,
        binlog: &BinlogCoordinates,
    ) -> Result<Option<GtidSet>, SessionError> {
        let file = crate::server::quote::string(&binlog.file, self.escaping());
        let text = self.value(format!("SELECT BINLOG_GTID_POS({file}, {})", binlog.position))?;
        match text {
            Some(text) if !text.is_empty() => {
                Ok(Some(GtidSet::Mariadb(text.parse::<MariadbGtidPosition>()?)))
            }
            _ => Ok(None),
        }
    }
}

/// Whether an error says that the server has no `log_status`: unknown table, or no such schema.
fn lacks_log_status(code: u16) -> bool {
    matches!(code, 1146 | 1049 | 1109)
}

/// Reads a GTID set, which the server breaks into lines; nothing for an empty one.
fn mysql_gtid(text: &str) -> Result<Option<GtidSet>, SessionError> {
    let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if joined.is_empty() {
        return Ok(None);
    }
    Ok(Some(GtidSet::Mysql(joined.parse::<MysqlGtidSet>()?)))
}

#[derive(Debug, Deserialize)]
struct LocalLog {
    #[serde(default)]
    gtid_executed: String,
    binary_log_file: Option<String>,
    binary_log_position: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct EngineLogs {
    #[serde(rename = "InnoDB")]
    innodb: InnodbLog,
}

#[derive(Debug, Deserialize)]
struct InnodbLog {
    #[serde(rename = "LSN")]
    lsn: u64,
    #[serde(rename = "LSN_checkpoint")]
    lsn_checkpoint: u64,
}
