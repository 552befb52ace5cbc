//! The server during a snapshot: one held session, and the lightest lock that does.
//!
//! | server | lock | coordinates |
//! |---|---|---|
//! | MariaDB 10.4+ | `BACKUP STAGE` up to `BLOCK_COMMIT` | exact |
//! | MySQL 8.0+, InnoDB alone | `LOCK INSTANCE FOR BACKUP`: DDL waits, commits flow on | a bracket |
//! | MySQL 8.0+ with rows in other storage engines; everything older | `FLUSH TABLES WITH READ LOCK` | exact |
//!
//! MariaDB's stages cover tables without transactions as well. On MySQL nothing lighter than the read
//! lock does: whoever accepts that such tables may be torn (`non-transactional`) gets the lighter lock.
//! Older servers keep a table's definition beside its tablespace, and both change in a DDL: without a
//! lock that keeps DDL out, a snapshot may hold one of them new and the other one old.

use std::path::{Path, PathBuf};

use dbbackup_plugin_api::document::{
    backup::BackupSummary, connection::PASSWORD_SECRET, environment::ServerFacts,
    manifest::ExcludedRecord,
};

use super::{
    assess::{PageWrites, log_status_blocker, server_blockers},
    at_risk::{self, AtRisk},
    error::SnapshotError,
    files::SnapshotFiles,
    instant::{self, Instant, LockChoice, SnapshotLock},
    paths::ServerPaths,
};
use crate::{
    engine::BackupRun,
    server::{CancelWatch, ConnectOptions, LockBudget, Secret, Session},
};

/// Name under which an operator accepts tables that no lighter lock covers.
const ACCEPT_NON_TRANSACTIONAL: &str = "non-transactional";
/// Storage engines whose files recover from a crash by themselves, or that have no rows on disk.
const CRASH_SAFE: [&str; 11] = [
    "InnoDB",
    "ROCKSDB",
    "TokuDB",
    "BLACKHOLE",
    "FEDERATED",
    "MEMORY",
    "MRG_MYISAM",
    "SEQUENCE",
    "SPIDER",
    "CONNECT",
    "PERFORMANCE_SCHEMA",
];
/// Settings of the session: sizes and rows as they are now, and no lock wait longer than ours.
const SETTINGS: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = '' /*!80000 , SESSION information_schema_stats_expiry = 0 */",
];

/// The server of a run, on one held session.
#[derive(Debug)]
pub struct SnapshotServer {
    session: Session,
    server: ServerFacts,
    /// The data directory.
    data: PathBuf,
    budget: LockBudget,
    accepts_torn_tables: bool,
    /// Promises that a replica out of date makes weaker.
    out_of_date: Vec<String>,
    _watch: CancelWatch,
}

impl SnapshotServer {
    /// Opens the session, which ends when the run is cancelled, and checks that a snapshot of this
    /// server can be recovered from.
    ///
    /// # Errors
    /// [`SnapshotError::Blocked`], [`SnapshotError::RedoDisabled`], [`SnapshotError::Replica`] for one
    /// that is not current, and those of [`Session::connect`].
    pub fn connect(run: &BackupRun, writes: PageWrites) -> Result<Self, SnapshotError> {
        let environment = &run.request.environment;
        let server = environment.server.clone().ok_or(SnapshotError::NoServer)?;
        let blockers = server_blockers(environment, writes);
        if !blockers.is_empty() {
            return Err(SnapshotError::Blocked { blockers });
        }
        let password = run.host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
        let mut options = ConnectOptions::from_document(&run.request.connection, password);
        options.init_statements.extend(SETTINGS.map(str::to_owned));
        let watch = CancelWatch::start(&run.host).map_err(SnapshotError::Thread)?;
        let mut session = Session::connect(&options)?;
        watch.add(&session);
        let redo = session.query("SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled'")?;
        if redo.records().next().and_then(|record| record.get("Value")) == Some("OFF") {
            return Err(SnapshotError::RedoDisabled);
        }
        if !session.version().is_mariadb() && session.version().at_least([8, 0, 0]) {
            refuse_unreadable_positions(&mut session, &server)?;
        }
        let out_of_date = session.check_replica(&run.request)?;
        let accepted = &run.request.accept_degraded;
        Ok(Self {
            session,
            data: ServerPaths::proven_local(environment)?.data().to_owned(),
            server,
            budget: LockBudget::from(&run.request.lock_budget),
            accepts_torn_tables: accepted.iter().any(|name| name == ACCEPT_NON_TRANSACTIONAL),
            out_of_date,
            _watch: watch,
        })
    }

    /// Takes the lightest lock under which a snapshot is of one instant, and reads the coordinates.
    ///
    /// Waits at most the budget's wait, and holds at most its hold: past either, a second session
    /// ends the lock, and commits flow on. The guard gives it back when it is dropped.
    ///
    /// # Errors
    /// [`SnapshotError::Session`] with a lock budget exceeded: nothing is locked any more.
    pub fn lock_for_snapshot(&mut self) -> Result<SnapshotLock<'_>, SnapshotError> {
        let version = self.session.version().clone();
        let has_stages = version.is_mariadb() && version.at_least([10, 4, 1]);
        let has_backup_lock = !version.is_mariadb() && version.at_least([8, 0, 0]);
        // The other locks cover all tables.
        let tables = if has_backup_lock { self.tables_at_risk()? } else { Vec::new() };
        let choice = if has_stages {
            LockChoice::Stages
        } else if has_backup_lock && (tables.is_empty() || self.accepts_torn_tables) {
            LockChoice::Instance
        } else {
            LockChoice::ReadLock
        };
        let at_risk = AtRisk::new(&self.data, tables);
        instant::lock(&mut self.session, choice, self.budget, self.server.replica, at_risk)
    }

    /// `schema.table (engine)` of every table with rows whose files do not survive a crash: what
    /// their files tell, and what the server tells of storage engines that are not known here.
    fn tables_at_risk(&mut self) -> Result<Vec<String>, SnapshotError> {
        let mut tables = at_risk::tables(&self.data)?;
        let is_safe = |name: &str| CRASH_SAFE.iter().any(|safe| safe.eq_ignore_ascii_case(name));
        let engines = self.server.storage_engines.iter();
        if engines.filter(|(_, facts)| facts.tables > 0).all(|(name, _)| is_safe(name)) {
            return Ok(tables);
        }
        let safe = CRASH_SAFE.map(|name| format!("'{name}'")).join(",");
        let own = at_risk::OWN_TABLES.map(|(schema, name)| format!("('{schema}','{name}')"));
        let own = own.join(",");
        let table = self.session.query(format!(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ENGINE AS e FROM information_schema.TABLES \
             WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NOT NULL AND ENGINE NOT IN ({safe}) \
             AND TABLE_SCHEMA NOT IN ('information_schema','performance_schema') \
             AND (TABLE_SCHEMA, TABLE_NAME) NOT IN ({own}) \
             AND (TABLE_ROWS > 0 OR DATA_LENGTH > 0) ORDER BY 1, 2"
        ))?;
        for record in table.records() {
            let (schema, name, engine) = (record.text("s")?, record.text("t")?, record.text("e")?);
            tables.push(format!("{schema}.{name} ({engine})"));
        }
        tables.sort();
        tables.dedup();
        Ok(tables)
    }

    /// What the run has to report; closes the session.
    ///
    /// # Errors
    /// [`SnapshotError::Session`].
    pub fn summary(
        mut self,
        mut instant: Instant,
        files: &SnapshotFiles,
    ) -> Result<BackupSummary, SnapshotError> {
        instant.widen_to(&mut self.session, files)?;
        let mut summary = instant.into_summary();
        summary.degraded.append(&mut self.out_of_date);
        self.add_facts(&mut summary);
        if let Err(error) = self.session.quit() {
            tracing::debug!(%error, "close the session of the snapshot");
        }
        Ok(summary)
    }

    fn add_facts(&self, summary: &mut BackupSummary) {
        let facts = [
            "innodb_page_size",
            "lower_case_table_names",
            "innodb_data_home_dir",
            "innodb_data_file_path",
            "innodb_undo_tablespaces",
            "log_bin_basename",
            "log_bin_index",
        ];
        for name in facts {
            if let Some(value) = self.server.variables.get(name).filter(|value| !value.is_empty()) {
                summary.source.insert(name.to_owned(), value.clone().into());
            }
        }
        if let Some(base) =
            self.server.variables.get("log_bin_basename").filter(|_| self.server.binlog)
        {
            let name = Path::new(base).file_name().map(|name| name.to_string_lossy());
            summary.restore_needs.push(format!(
                "the first start with --log-bin={}: crash recovery reads the binlog",
                name.unwrap_or_default()
            ));
        }
        if self.server.encrypted {
            summary.restore_needs.push("the keyring of the source".to_owned());
        }
        if self.server.storage_engines.get("MEMORY").is_some_and(|facts| facts.tables > 0) {
            summary.excluded.push(ExcludedRecord {
                what: "rows of MEMORY tables".to_owned(),
                why: "they are never on disk".to_owned(),
            });
        }
        summary.excluded.push(ExcludedRecord {
            what: "auto.cnf".to_owned(),
            why: "a restored server is another one and makes its own identity".to_owned(),
        });
        if self.server.binlog {
            summary.excluded.push(ExcludedRecord {
                what: "binlogs older than the newest".to_owned(),
                why: "the content does not depend on them".to_owned(),
            });
        }
        if self.server.replica {
            summary.excluded.push(ExcludedRecord {
                what: "relay logs and the files of replication positions".to_owned(),
                why: "a restored server must not go on replicating by itself".to_owned(),
            });
        }
    }
}

/// Asks for the positions once before any lock: MySQL's are in a table, on which the account needs a
/// privilege that no list of global ones tells.
fn refuse_unreadable_positions(
    session: &mut Session,
    server: &ServerFacts,
) -> Result<(), SnapshotError> {
    /// `ER_TABLEACCESS_DENIED_ERROR`.
    const DENIED: u16 = 1142;
    match session.log_status() {
        Err(error) if error.server_code() == Some(DENIED) => {
            Err(SnapshotError::Blocked { blockers: vec![log_status_blocker(&server.account)] })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
