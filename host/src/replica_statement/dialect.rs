//! How each flavour and version says it. Sources: the reference manuals of MySQL ("CHANGE
//! REPLICATION SOURCE TO", "RESET BINARY LOGS AND GTIDS") and of MariaDB ("CHANGE MASTER TO", "Global
//! Transaction ID").
use super::{PASSWORD_PLACEHOLDER, USER_PLACEHOLDER};
use crate::selector::version_numbers;
use dbbackup_plugin_api::{
    document::manifest::SourceRecord,
    position::{BinlogCoordinates, GtidSet},
};

/// First MySQL that knows `CHANGE REPLICATION SOURCE TO`.
const SOURCE_SINCE: [u16; 3] = [8, 0, 23];
/// First MySQL that knows `START REPLICA`.
const REPLICA_SINCE: [u16; 3] = [8, 0, 22];
/// First MySQL that knows `RESET BINARY LOGS AND GTIDS`.
const RESET_LOGS_SINCE: [u16; 3] = [8, 2, 0];
/// First MySQL whose accounts may need the source's public key.
const PUBLIC_KEY_SINCE: [u16; 3] = [8, 0, 4];
/// First MySQL that knows `--skip-replica-start`.
const SKIP_REPLICA_SINCE: [u16; 3] = [8, 0, 26];

/// Where a replica starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// By GTIDs: after these, or after those that the restored server knows by itself.
    Gtid(Option<GtidSet>),
    /// At a position in the source's binlog.
    Binlog(BinlogCoordinates),
}

/// Flavour and version of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// MySQL and Percona Server.
    Mysql([u16; 3]),
    /// MariaDB, all of whose versions with GTIDs speak alike.
    Mariadb,
}

impl Dialect {
    /// That of the source, which a restored server shares.
    pub(super) fn of(source: &SourceRecord) -> Self {
        if source.flavor == "MariaDB" {
            return Self::Mariadb;
        }
        Self::Mysql(version_numbers(&source.version))
    }

    pub(super) fn is_mariadb(self) -> bool {
        self == Self::Mariadb
    }

    fn since(self, first: [u16; 3]) -> bool {
        matches!(self, Self::Mysql(version) if version >= first)
    }

    /// Empties the binlog and, on MySQL, the set of executed transactions.
    pub(super) fn reset_binlog(self) -> String {
        let new = self.since(RESET_LOGS_SINCE);
        if new { "RESET BINARY LOGS AND GTIDS;" } else { "RESET MASTER;" }.to_owned()
    }

    /// Says which transactions the server has; nothing where it knows by itself.
    pub(super) fn set_gtid(self, known: Option<&GtidSet>) -> Option<String> {
        match (self, known) {
            (Self::Mysql(_), None) => None,
            (Self::Mysql(_), Some(set)) => {
                Some(format!("SET GLOBAL gtid_purged = {};", string(&set.to_string())))
            }
            (Self::Mariadb, Some(set)) => {
                Some(format!("SET GLOBAL gtid_slave_pos = {};", string(&set.to_string())))
            }
            // Recovery leaves the binlog at exactly the transactions that the tables hold.
            (Self::Mariadb, None) => {
                Some("SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos;".to_owned())
            }
        }
    }

    /// Names the source of a channel, and where to start.
    pub(super) fn change(
        self,
        channel: &str,
        host: &str,
        port: u16,
        tls: bool,
        start: &Start,
    ) -> String {
        let new = self.since(SOURCE_SINCE);
        let word = if new { "SOURCE" } else { "MASTER" };
        let mut parts = vec![
            format!("{word}_HOST = {}", string(host)),
            format!("{word}_PORT = {port}"),
            format!("{word}_USER = {}", string(USER_PLACEHOLDER)),
            format!("{word}_PASSWORD = {}", string(PASSWORD_PLACEHOLDER)),
        ];
        // Said either way: newer versions demand encryption unless they are told otherwise.
        parts.push(format!("{word}_SSL = {}", u8::from(tls)));
        if !tls && self.since(PUBLIC_KEY_SINCE) {
            // Without encryption, caching_sha2_password sends the password under this key.
            parts.push(format!("GET_{word}_PUBLIC_KEY = 1"));
        }
        match (start, self) {
            (Start::Gtid(_), Self::Mysql(_)) => parts.push(format!("{word}_AUTO_POSITION = 1")),
            (Start::Gtid(_), Self::Mariadb) => parts.push("MASTER_USE_GTID = slave_pos".to_owned()),
            (Start::Binlog(at), _) => {
                parts.push(format!("{word}_LOG_FILE = {}", string(&at.file)));
                parts.push(format!("{word}_LOG_POS = {}", at.position));
            }
        }
        let listed = parts.join(", ");
        let verb = if new { "CHANGE REPLICATION SOURCE" } else { "CHANGE MASTER" };
        match (self, channel.is_empty()) {
            (_, true) => format!("{verb} TO {listed};"),
            (Self::Mysql(_), false) => {
                format!("{verb} TO {listed} FOR CHANNEL {};", string(channel))
            }
            (Self::Mariadb, false) => format!("{verb} {} TO {listed};", string(channel)),
        }
    }

    /// Starts all of `channels` channels.
    pub(super) fn start_all(self, channels: usize) -> String {
        match self {
            Self::Mysql(_) if self.since(REPLICA_SINCE) => "START REPLICA;",
            Self::Mariadb if channels > 1 => "START ALL SLAVES;",
            Self::Mysql(_) | Self::Mariadb => "START SLAVE;",
        }
        .to_owned()
    }

    /// Keeps a server from starting its channels by itself.
    pub(super) fn skip_start(self) -> &'static str {
        if self.since(SKIP_REPLICA_SINCE) { "--skip-replica-start" } else { "--skip-slave-start" }
    }

    /// Stops and forgets the channels that a copied server brings along.
    pub(super) fn forget(self) -> Vec<String> {
        match self {
            Self::Mysql(_) if self.since(REPLICA_SINCE) => {
                vec!["STOP REPLICA;".to_owned(), "RESET REPLICA ALL;".to_owned()]
            }
            Self::Mysql(_) => vec!["STOP SLAVE;".to_owned(), "RESET SLAVE ALL;".to_owned()],
            // Its channels are in files that no backup takes (`docs/adr/0017`): to forget one that is
            // not there is an error.
            Self::Mariadb => Vec::new(),
        }
    }
}

/// A text between single quotes, for sessions with the usual escapes.
fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}
