//! The sessions of a dump: settings under which every value and definition comes out unchanged.

use std::time::Duration;

use dbbackup_sdk::{
    BackupRun,
    document::connection::PASSWORD_SECRET,
    dump::SESSION_SETTINGS,
    server::{CancelWatch, Session},
    wire::{ConnectOptions, Secret},
};

use crate::error::EngineError;

/// How long an idle session lives: far longer than any dump takes.
pub(super) const LONGEST_DUMP: Duration = Duration::from_secs(7 * 24 * 3600);

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
        options.init_statements.extend(SESSION_SETTINGS.map(str::to_owned));
        let watch = CancelWatch::start(&run.host).map_err(EngineError::Thread)?;
        Ok(Self { options, watch })
    }

    /// Opens a session, which ends when the run is cancelled.
    pub(crate) fn open(&self) -> Result<Session, EngineError> {
        let mut session = Session::connect(&self.options)?;
        self.watch.add(&session);
        session.set_stall_budget()?;
        session.stay_while_idle(LONGEST_DUMP)?;
        Ok(session)
    }
}
