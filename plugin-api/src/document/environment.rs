//! The environment: facts that the host gathers before any engine is asked.
use super::{Extra, connection::ConnectionDocument, document};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Everything known about source, storage and destination. Absent means unknown, never "no".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// How the server is reached.
    pub connection: ConnectionDocument,
    /// The server, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerFacts>,
    /// Paths that InnoDB uses, if they are on this machine.
    #[serde(default)]
    pub paths: Vec<PathFacts>,
    /// Where the backup goes.
    #[serde(default)]
    pub destination: Destination,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(Environment, "dbbackup.environment/1");

/// Kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFlavor {
    /// Oracle's MySQL.
    MySQL,
    /// MariaDB.
    MariaDB,
    /// Percona Server.
    Percona,
}

impl std::fmt::Display for ServerFlavor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MySQL => "MySQL",
            Self::MariaDB => "MariaDB",
            Self::Percona => "Percona Server",
        })
    }
}

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Kind of server.
    pub flavor: ServerFlavor,
    /// `VERSION()` as it came.
    pub version_text: String,
    /// Major, minor, patch.
    pub version: [u16; 3],
    /// `@@version_comment`: names the edition.
    pub edition: String,
    /// `@@server_uuid`; MariaDB has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// `@@hostname`.
    pub hostname: String,
    /// `@@port`.
    pub port: u16,
    /// `@@version_compile_os` and `@@version_compile_machine`.
    pub platform: String,
    /// Data and index bytes of user tables.
    pub data_bytes: u64,
    /// The same, for each storage engine.
    pub storage_engines: BTreeMap<String, StorageEngineFacts>,
    /// Names of active plugins, lower case.
    pub plugins: Vec<String>,
    /// `@@log_bin`.
    pub binlog: bool,
    /// GTIDs are in use (MariaDB: always with the binlog).
    pub gtid: bool,
    /// Privileges of the account, upper case, on all schemas.
    pub privileges: Vec<String>,
    /// `CURRENT_USER()`.
    pub account: String,
    /// The server replicates from another one.
    pub replica: bool,
    /// Some tablespace, the redo or the undo log is encrypted at rest.
    pub encrypted: bool,
    /// Further variables that engines use, by name.
    pub variables: BTreeMap<String, String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ServerFacts {
    /// Files of the system tablespace, as `innodb_data_home_dir` and `innodb_data_file_path` name
    /// them; relative ones are below the data directory.
    pub fn system_files(&self) -> Vec<PathBuf> {
        let variable =
            |name: &str| self.variables.get(name).map(String::as_str).unwrap_or_default();
        let home = Path::new(variable("innodb_data_home_dir"));
        let files = variable("innodb_data_file_path").split(';');
        // `ibdata1:12M;ibdata2:12M:autoextend`
        let names = files.filter_map(|file| file.split(':').next()).map(str::trim);
        names.filter(|name| !name.is_empty()).map(|name| home.join(name)).collect()
    }
}

/// Tables of one storage engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageEngineFacts {
    /// Number of user tables.
    pub tables: u64,
    /// Their data and index bytes.
    pub bytes: u64,
}

/// A path that InnoDB uses and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFacts {
    /// `data`, `redo`, `undo`, `doublewrite`, `binlog` or `external/<n>`.
    pub role: String,
    /// The path.
    pub path: PathBuf,
    /// Its mount point.
    pub mount: PathBuf,
    /// Source of the mount: a device, dataset or export.
    pub device: String,
    /// Type of the file system.
    pub filesystem: String,
    /// Free bytes there.
    pub free_bytes: u64,
    /// It is proven that the path belongs to the server on the connection.
    pub proven_local: bool,
}

/// Where the backup goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The location as given; empty if none is known yet.
    pub location: String,
    /// True for object storage.
    pub cloud: bool,
    /// Free bytes, where that can be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}
