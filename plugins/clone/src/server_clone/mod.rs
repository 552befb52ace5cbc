//! Clones that a server makes by itself, into a directory of its own host: what `local` and
//! `recipient` have in common. The directory is archived as it is, and then removed.

mod abandoned;
mod archive;
mod error;
mod moment;
pub(crate) mod privilege;
mod progress;
mod scratch;

use std::{io, path::Path, time::Duration};

use dbbackup_sdk::{
    BackupRun, Sink,
    document::{backup::BackupSummary, connection::PASSWORD_SECRET, manifest::CoordinatesRecord},
    server::{Session, quote},
    wire::{ConnectOptions, Secret},
};

pub(crate) use abandoned::connect;
pub(crate) use error::MethodError;
pub(crate) use moment::{Moment, bracket};
pub(crate) use scratch::{foreign, undo};

use crate::{
    beside::Dumped,
    encrypted::{self, Content, InClear},
    left_out::{LeftOut, in_memory, left_out},
    options::{Encrypted, Options},
    server_clone::{abandoned::CloningSession, scratch::Scratch},
    source::Source,
    unstartable,
};

/// Longest time of one clone and its archive: the sessions of a run wait without a byte.
pub(crate) const LONGEST_CLONE: Duration = Duration::from_secs(7 * 24 * 3600);
/// What an operator may accept: tables that come back empty.
const NON_TRANSACTIONAL: &str = "non-transactional";

/// Options of the run's own connection.
pub(crate) fn connect_options(run: &BackupRun) -> Result<ConnectOptions, MethodError> {
    let password = run.host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
    let mut options = ConnectOptions::from_document(&run.request.connection, password);
    options.init_statements.push("SET NAMES utf8mb4".to_owned());
    Ok(options)
}

/// What ends the look through a clone.
enum LookError {
    Cancelled,
    Io(io::Error),
}

impl From<io::Error> for LookError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The server that makes the clone.
pub(crate) struct CloningServer<'a> {
    pub(crate) run: &'a BackupRun,
    pub(crate) options: &'a Options,
    pub(crate) session: Session,
    pub(crate) source: Source,
    /// The clone has encrypted tablespaces; known once it is there.
    pub(crate) has_encrypted: bool,
}

impl<'a> CloningServer<'a> {
    /// Connects, and finds out what a restore must know.
    pub(crate) fn connect(run: &'a BackupRun, options: &'a Options) -> Result<Self, MethodError> {
        let mut session = Session::connect(&connect_options(run)?)?;
        // It is asked once more when the directory is archived.
        session.stay_while_idle(LONGEST_CLONE)?;
        let source = Source::ask(&mut session)?;
        let server = Self { run, options, session, source, has_encrypted: false };
        server.check_place()?;
        Ok(server)
    }

    /// The files that the server writes must be ours to read, and those of the server on the
    /// connection, not of another one with the same path.
    fn check_place(&self) -> Result<(), MethodError> {
        let paths = &self.run.request.environment.paths;
        let proven = paths.iter().any(|facts| facts.role == "data" && facts.proven_local);
        if proven { Ok(()) } else { Err(MethodError::NotLocal { method: self.options.method }) }
    }

    /// Tables whose rows no clone holds are accepted by name, or the run ends here.
    pub(crate) fn check_left_out(&self, source: &Source) -> Result<Vec<String>, MethodError> {
        let Some(first) = source.left_out.first() else { return Ok(Vec::new()) };
        let count = source.left_out.len();
        if !self.run.request.accept_degraded.iter().any(|word| word == NON_TRANSACTIONAL) {
            return Err(MethodError::LeftOut { count, first: first.table.clone() });
        }
        let (name, fate) = (&first.table, first.fate());
        Ok(vec![format!("{count} tables that are not InnoDB's, among them {name}: {fate}")])
    }

    /// Has the server run the statement that clones into a directory of ours, and archives what is
    /// there afterwards. `statement` gets the directory as a quoted string, `shown` is what errors
    /// show of it.
    pub(crate) fn clone_and_archive(
        &mut self,
        sink: &Sink,
        needed_bytes: u64,
        shown: &str,
        statement: impl Fn(&str) -> Secret,
    ) -> Result<(), MethodError> {
        let session = CloningSession::of(&mut self.session, &self.source.data_directory)?;
        let scratch = Scratch::make(self.run, self.options, session, needed_bytes)?;
        let cloned = self.clone_sealed(&scratch, shown, statement);
        if cloned.as_ref().is_err_and(MethodError::leaves_statement_running) {
            // The record stays: the undo role ends the statement before it removes the directory.
            return cloned;
        }
        let archived = cloned
            .and_then(|()| archive::archive(&scratch.clone_directory(), sink, &self.run.host));
        let removed = scratch.remove();
        // What went wrong first says more.
        archived.and(removed)
    }

    /// A server that clones itself wraps the key of an encrypted redo log in the first file alone:
    /// the others have it in clear in their headers (seen with MySQL 9.7).
    pub(crate) fn check_redo_key(&mut self) -> Result<(), MethodError> {
        match self.session.variable(encrypted::REDO_SETTING)?.as_deref() {
            Some("ON") => Err(MethodError::RedoKey),
            _ => Ok(()),
        }
    }

    /// Clones, and once more where the server has left something in clear: it does so seldom, and by
    /// chance.
    fn clone_sealed(
        &mut self,
        scratch: &Scratch,
        shown: &str,
        statement: impl Fn(&str) -> Secret,
    ) -> Result<(), MethodError> {
        let directory = scratch.clone_directory();
        self.clone_into(&directory, shown, &statement)?;
        match self.check_encrypted(&directory) {
            Err(MethodError::InClear(found)) if found.content != Content::RedoKey => {
                tracing::warn!(
                    "the server has left in clear in its clone {found}: it is made once more"
                );
                scratch.empty()?;
                self.clone_into(&directory, shown, &statement)?;
                self.check_encrypted(&directory)
            }
            answer => answer,
        }
    }

    /// Encrypted tablespaces are kept on request, or the run ends here; nothing that ought to be
    /// encrypted is in clear.
    fn check_encrypted(&mut self, directory: &Path) -> Result<(), MethodError> {
        let failed = |source| MethodError::io("look into", directory, source);
        let inside = |path: &Path| path.strip_prefix(directory).unwrap_or(path).to_owned();
        let first = encrypted::first_in(directory).map_err(failed)?;
        self.has_encrypted = first.is_some();
        if let Some(path) = first.filter(|_| self.options.encrypted == Encrypted::Refuse) {
            return Err(MethodError::Encrypted { file: inside(&path) });
        }
        let host = &self.run.host;
        let found = encrypted::find(directory, &mut || {
            host.heartbeat();
            if host.is_cancelled() { Err(LookError::Cancelled) } else { Ok(()) }
        });
        match found {
            Ok(None) => Ok(()),
            Ok(Some(found)) => {
                Err(MethodError::InClear(InClear { file: inside(&found.file), ..found }))
            }
            Err(LookError::Cancelled) => Err(MethodError::Cancelled),
            Err(LookError::Io(source)) => Err(failed(source)),
        }
    }

    fn clone_into(
        &mut self,
        directory: &Path,
        shown: &str,
        statement: impl Fn(&str) -> Secret,
    ) -> Result<(), MethodError> {
        let text =
            directory.to_str().ok_or_else(|| MethodError::Path { path: directory.to_owned() })?;
        let statement = statement(&quote::string(text, self.session.escaping()));
        self.session.set_timeouts(LONGEST_CLONE, LONGEST_CLONE)?;
        progress::watch(&mut self.session, &self.run.host, &statement, shown)
    }
}

/// Looks once more, now that the clone is made: tables of other storage engines may have come, and
/// those that came into the clone are empty in it. Tables that were dumped beside it are none of
/// these. Answers what nobody has accepted.
pub(crate) fn left_out_in_the_end(
    session: &mut Session,
    source: &mut Source,
    dumped: Option<&Dumped>,
) -> Result<Vec<String>, MethodError> {
    unstartable::check(session)?;
    source.in_memory = in_memory(session)?;
    let known = source.left_out.clone();
    let now = left_out(session)?;
    source.left_out.extend(now.into_iter().filter(|table| !known.contains(table)));
    if let Some(dumped) = dumped {
        source.left_out.retain(|table| !dumped.covers(&table.to_string()));
    }
    let is_accepted = |table: &&LeftOut| dumped.is_none() && known.contains(table);
    let empty: Vec<&LeftOut> = source.left_out.iter().filter(|table| !is_accepted(table)).collect();
    let Some(first) = empty.first() else { return Ok(Vec::new()) };
    let count = empty.len();
    Ok(vec![format!(
        "{count} tables that were made or changed during the clone are empty: {first} …"
    )])
}

/// What the manifest says, put together from before and after.
pub(crate) fn summary(
    source: &Source,
    options: &Options,
    degraded: Vec<String>,
    coordinates: CoordinatesRecord,
) -> BackupSummary {
    let mut facts = source.facts.clone();
    facts.insert("clone_method".to_owned(), options.method.to_string().into());
    let data = source.data_directory.display().to_string();
    BackupSummary {
        coordinates,
        excluded: source.excluded(),
        degraded,
        roots: [("data".to_owned(), data)].into(),
        source: facts,
        ..BackupSummary::default()
    }
}
