//! The sessions of a dump: settings under which every value and definition comes out unchanged.

use dbbackup_sdk::{
    BackupRun,
    document::connection::PASSWORD_SECRET,
    server::{CancelWatch, Session},
    wire::{ConnectOptions, Secret},
};

use crate::error::EngineError;

/// Settings of every session.
///
/// - Results are not converted: texts and definitions arrive in the bytes that are stored.
/// - No SQL mode: `PAD_CHAR_TO_FULL_LENGTH` and `ANSI_QUOTES` would change what is printed.
/// - No limits: `sql_select_limit` or a time-out set for all sessions would cut tables off.
/// - A session that only holds a lock is idle for as long as the dump takes.
///
/// What a version does not know stands in comments that it does not read.
const SETTINGS: [&str; 4] = [
    "SET NAMES utf8mb4",
    "SET SESSION character_set_results = NULL, SESSION sql_mode = '', SESSION time_zone = '+00:00'",
    "SET SESSION sql_select_limit = DEFAULT, SESSION sql_big_selects = 1, \
     SESSION sql_quote_show_create = 1, SESSION lock_wait_timeout = 60",
    "SET SESSION net_write_timeout = 3600 \
     /*!50708 , SESSION max_execution_time = 0 */ \
     /*M!100101 , SESSION max_statement_time = 0 */ \
     /*!80000 , SESSION information_schema_stats_expiry = 0 */ \
     /*!80030 , SESSION show_gipk_in_create_table_and_information_schema = 1 */",
];
/// How long an idle session lives: far longer than any dump takes.
pub(super) const IDLE_SECONDS: u64 = 7 * 24 * 3600;

/// Opens sessions of one run.
#[derive(Debug)]
pub(crate) struct Sessions {
    options: ConnectOptions,
    watch: CancelWatch,
}

impl Sessions {
    /// Prepares to open sessions; nothing is connected yet.
    pub(crate) fn new(run: &BackupRun) -> Result<Self, EngineError> {
        let password = run.host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
        let mut options = ConnectOptions::from_document(&run.request.connection, password);
        options.init_statements.extend(SETTINGS.map(str::to_owned));
        let watch = CancelWatch::start(&run.host).map_err(EngineError::Thread)?;
        Ok(Self { options, watch })
    }

    /// Opens a session, which ends when the run is cancelled.
    pub(crate) fn open(&self) -> Result<Session, EngineError> {
        let mut session = Session::connect(&self.options)?;
        self.watch.add(&session);
        session.set_stall_budget()?;
        session.execute(format!("SET SESSION wait_timeout = {IDLE_SECONDS}"))?;
        Ok(session)
    }
}
