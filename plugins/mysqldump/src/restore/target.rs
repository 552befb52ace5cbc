//! The server that is restored into: its session, and what it is asked and told.

use dbbackup_sdk::{
    RestoreRun,
    document::{connection::PASSWORD_SECRET, manifest::CoordinatesRecord},
    position::GtidSet,
    server::{CancelWatch, Session, SessionError, quote},
    wire::{ConnectOptions, Secret},
};

use super::chosen::Choice;
use crate::{
    error::{EngineError, RestoreError},
    options::Options,
};

/// The target with its session.
#[derive(Debug)]
pub(super) struct Target {
    /// The session that statements run in.
    pub(super) session: Session,
    options: ConnectOptions,
    watch: CancelWatch,
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// [`RestoreError::NoServer`], and those of [`Session::connect`].
    pub(super) fn connect(run: &RestoreRun) -> Result<Self, EngineError> {
        let document = run.request.connection.as_ref().ok_or(RestoreError::NoServer)?;
        let password = run.host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
        let options = ConnectOptions::from_document(document, password);
        let watch = CancelWatch::start(&run.host).map_err(EngineError::Thread)?;
        let mut session = Session::connect(&options)?;
        watch.add(&session);
        session.set_stall_budget()?;
        Ok(Self { session, options, watch })
    }

    /// A second session, for questions: the first one's settings are the dump's affair.
    pub(super) fn connect_another(&self) -> Result<Session, EngineError> {
        let mut session = Session::connect(&self.options)?;
        self.watch.add(&session);
        session.execute("SET NAMES utf8mb4")?;
        session.set_stall_budget()?;
        Ok(session)
    }

    /// Gives the session the settings of a restore: the dump brings most of its own.
    pub(super) fn prepare(&mut self, options: &Options) -> Result<(), EngineError> {
        self.session.execute("SET NAMES utf8mb4")?;
        self.session.execute(
            "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0, \
             SESSION lock_wait_timeout = 3600 \
             /*!50708 , SESSION max_execution_time = 0 */ \
             /*M!100101 , SESSION max_statement_time = 0 */",
        )?;
        // A table without a primary key must not get one, and may be made. Where the account may not
        // say so, the server's own settings decide, and a refusal is reported like any other.
        for setting in [
            "SET SESSION sql_generate_invisible_primary_key = 0",
            "SET SESSION sql_require_primary_key = 0",
        ] {
            if let Err(error) = self.session.execute(setting) {
                self.tolerate(setting, error)?;
            }
        }
        if !options.binlog {
            self.session.execute("SET SESSION sql_log_bin = 0")?;
        }
        Ok(())
    }

    /// Passes over a refusal: unknown variable, or no right to set it.
    fn tolerate(&self, setting: &str, error: SessionError) -> Result<(), EngineError> {
        const UNKNOWN: u16 = 1193;
        const DENIED: [u16; 2] = [1227, 1229];
        match error.server_code() {
            Some(UNKNOWN) => Ok(()),
            Some(code) if DENIED.contains(&code) => {
                tracing::debug!(setting, "not allowed; the server's own setting decides");
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// Drops the tables that are about to be replaced, all of them first: a foreign key to an old
    /// table of another form would be refused.
    pub(super) fn drop_replaced(
        &mut self,
        tables: &[(String, String)],
        choice: &Choice,
    ) -> Result<(), EngineError> {
        for (schema, table) in tables.iter().filter(|(schema, table)| choice.wants(schema, table)) {
            let quoted = quote::qualified(choice.target_schema(schema), table);
            match self.session.execute(format!("DROP TABLE IF EXISTS {quoted}")) {
                // There is a view of that name, which the dump drops itself, or no such schema.
                Err(error) if matches!(error.server_code(), Some(1051 | 1049 | 1347 | 1965)) => {}
                other => other.map(|_| ())?,
            }
        }
        Ok(())
    }

    /// Makes the backup's position the target's own, so that it can follow the source from there.
    pub(super) fn take_over_gtid(
        &mut self,
        coordinates: &CoordinatesRecord,
    ) -> Result<(), EngineError> {
        let is_mariadb = self.session.version().is_mariadb();
        let statement = match &coordinates.gtid {
            Some(GtidSet::Mysql(set)) if !is_mariadb => {
                let plus = if self.session.version().at_least([8, 0, 0]) { "+" } else { "" };
                format!("SET GLOBAL gtid_purged = '{plus}{set}'")
            }
            Some(GtidSet::Mariadb(position)) if is_mariadb => {
                format!("SET GLOBAL gtid_slave_pos = '{position}'")
            }
            _ => {
                let server = self.session.version().flavor.to_string();
                return Err(RestoreError::NoGtid { server }.into());
            }
        };
        self.session.execute(statement)?;
        Ok(())
    }
}
