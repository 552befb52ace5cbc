//! `include_non_innodb`: tables that come empty out of a clone are dumped beside it, as SQL text in
//! the same artefact.
//!
//! They are read after the clone, all under one lock, so they are of one instant of their own, a
//! little later than that of the clone. The binlog position of that instant is in the manifest: a
//! copy whose binlog is replayed up to there is complete and consistent once the text is loaded.
//!
//! The text drops, makes and fills each table, triggers included: what a first start makes of such
//! a table differs between storage engines, and is not even a table for some.

mod error;
mod table;
mod time;
mod write;

use dbbackup_sdk::{
    BackupRun, Sink,
    document::{
        backup::BackupSummary,
        manifest::{CoordinatesRecord, ExcludedRecord, LockRecord, Precision},
    },
    dump::SESSION_SETTINGS,
    serde_json::json,
    server::{CancelWatch, LockBudget, Requirement, Session, quote::Escaping},
    wire::ConnectOptions,
};

pub(crate) use error::BesideError;

use self::{table::Table, write::Writer};
use crate::artefact::{BESIDE_PATH, OUR_ROOT};

/// What the account must be allowed: to see every table, its triggers, and to lock it.
const PRIVILEGES: [&str; 3] = ["SELECT", "LOCK TABLES", "TRIGGER"];
/// Key of what the manifest's `source` says.
pub(crate) const FACT: &str = "non_innodb";

/// A run that dumps tables beside its clone; its account may do so.
#[derive(Debug)]
pub(crate) struct Beside {
    options: ConnectOptions,
}

/// What was dumped.
#[derive(Debug)]
pub(crate) struct Dumped {
    tables: Vec<Table>,
    rows: u64,
    coordinates: CoordinatesRecord,
    read_at: String,
    lock: Option<LockRecord>,
}

impl Beside {
    /// Checks, before the clone begins, what would otherwise end the run after it. The sessions of
    /// the dump will be like this one.
    ///
    /// # Errors
    /// [`BesideError::Privileges`] with the statement that gives what is lacking;
    /// [`BesideError::TooLarge`] for tables that the lock is too short for.
    pub(crate) fn prepare(session: &mut Session, run: &BackupRun) -> Result<Self, BesideError> {
        let grants = session.grants()?;
        let required = PRIVILEGES.map(Requirement::global);
        let missing = grants.missing(&required);
        if !missing.is_empty() {
            let lacking: Vec<Requirement> =
                missing.into_iter().map(|privilege| privilege.requirement).collect();
            return Err(BesideError::Privileges {
                account: grants.account().to_sql(Escaping::Backslash),
                privileges: lacking.iter().map(|one| one.privilege.clone()).collect(),
                grant: grants.statement(&lacking),
            });
        }
        let mut options = session.options().clone();
        // Whatever patience this session has: rows may flow slowly.
        options.stall_budget_ms = run.request.connection.stall_budget_ms;
        options.init_statements.extend(SESSION_SETTINGS.map(str::to_owned));
        // With those settings, sizes are those of now, and not of yesterday.
        let mut meta = Session::connect(&options)?;
        time::check(&table::list(&mut meta)?, LockBudget::from(&run.request.lock_budget).hold)?;
        meta.quit()?;
        Ok(Self { options })
    }

    /// Dumps the tables that there are now.
    ///
    /// # Errors
    /// Any [`BesideError`]; nothing is locked any more.
    pub(crate) fn dump(&self, run: &BackupRun, sink: &Sink) -> Result<Dumped, BesideError> {
        let watch = CancelWatch::start(&run.host).map_err(BesideError::Thread)?;
        let mut meta = Session::connect(&self.options)?;
        let mut reader = Session::connect(&self.options)?;
        for session in [&mut meta, &mut reader] {
            watch.add(session);
            session.set_stall_budget()?;
        }
        let tables = table::list(&mut meta)?;
        let mut dumped = Dumped {
            read_at: meta.utc_now()?,
            tables,
            rows: 0,
            coordinates: CoordinatesRecord::default(),
            lock: None,
        };
        if dumped.tables.is_empty() {
            return Ok(dumped);
        }
        let budget = LockBudget::from(&run.request.lock_budget);
        let named = dumped.tables.iter().map(|table| (table.schema.as_str(), table.name.as_str()));
        let mut lock = reader.lock_tables_for_read(named, budget)?;
        dumped.read_at = meta.utc_now()?;
        dumped.coordinates = position(&mut meta)?;
        let mut writer = Writer::open(sink, &run.host, &mut meta, &dumped)?;
        let read = dumped.tables.iter().try_for_each(|table| writer.table(lock.session(), table));
        let ((), cost) = lock.unlock_after(read)?;
        dumped.rows = writer.finish()?;
        dumped.lock = Some(cost.into());
        Ok(dumped)
    }
}

/// Where the server is. The tables cannot change meanwhile, so this is exact for them.
fn position(meta: &mut Session) -> Result<CoordinatesRecord, BesideError> {
    let Some(status) = meta.log_status()?.and_then(|status| status.binlog) else {
        return Ok(CoordinatesRecord::default());
    };
    Ok(CoordinatesRecord {
        precision: Precision::Exact,
        binlog: Some(status.binlog),
        gtid: status.gtid,
        ..CoordinatesRecord::default()
    })
}

impl Dumped {
    /// Whether a table, as `schema.table (engine)`, needs nothing more than what was dumped.
    pub(crate) fn covers(&self, shown: &str) -> bool {
        self.tables.iter().any(|table| table.to_string() == shown)
    }

    /// Says in the summary what was dumped, where it is, and of which instant it is.
    pub(crate) fn describe(self, summary: &mut BackupSummary) {
        if self.tables.is_empty() {
            return;
        }
        let file = format!("{OUR_ROOT}/{BESIDE_PATH}");
        let why = format!("not in the clone but dumped beside it, in {file}");
        let records = self
            .tables
            .iter()
            .map(|table| ExcludedRecord { what: table.to_string(), why: why.clone() });
        summary.excluded.extend(records);
        summary.restore_needs.push(format!("{file} loaded after the first start"));
        let names: Vec<String> = self.tables.iter().map(Table::to_string).collect();
        let fact = json!({
            "path": file,
            "tables": names,
            "rows": self.rows,
            "coordinates": self.coordinates,
            "read_at": self.read_at,
        });
        summary.source.insert(FACT.to_owned(), fact);
        summary.locks.extend(self.lock);
    }
}
