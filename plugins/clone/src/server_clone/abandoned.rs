//! A clone whose run is gone.
//!
//! The server does not notice that nobody waits for its answer: with its client dead, it clones to the
//! end, and a directory that is removed meanwhile it makes again. So the statement is ended first, over
//! a connection that the operator gave; the journal holds none.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use dbbackup_sdk::{
    Host,
    document::connection::PASSWORD_SECRET,
    server::{Requirement, Session, SessionError},
    wire::{ConnectOptions, Secret},
};
use serde::{Deserialize, Serialize};

use crate::{
    server_clone::{MethodError, error::UnaskedError},
    source::told,
};

/// Longest time until a statement that was told to end has ended. It takes milliseconds, unless the
/// server's disk hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Who clones may see no other account's statements, but always its own; the whole text of them.
const STATEMENTS: &str = "SHOW FULL PROCESSLIST";

/// The session that clones, as the journal knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CloningSession {
    /// Identity of its server.
    server_uuid: String,
    /// Where that server keeps its data.
    pub(super) data_directory: PathBuf,
    /// The server's number for it, for the operator.
    session: u32,
    /// Whose it is, `user@host`.
    account: String,
}

impl CloningSession {
    /// Notes down what a later run needs to find the session.
    pub(super) fn of(session: &mut Session, data: &Path) -> Result<Self, MethodError> {
        // Open files are shown under their real paths.
        let data_directory =
            fs::canonicalize(data).map_err(|source| MethodError::io("find", data, source))?;
        let server_uuid = told(session, "server_uuid")?;
        let account = account(session)?;
        Ok(Self { server_uuid, data_directory, session: session.id(), account })
    }

    /// Makes sure that no server writes into the directory any more.
    ///
    /// # Errors
    /// [`MethodError::MayGoOn`]: the server runs and could not be asked; [`MethodError::NotEnded`].
    pub(super) fn end(&self, directory: &Path, host: &Host) -> Result<(), MethodError> {
        let mut session = match self.connect(host) {
            Ok(session) => session,
            Err(why) if why.comes_from_a_server() || self.is_server_running() => {
                return Err(MethodError::MayGoOn {
                    server_uuid: self.server_uuid.clone(),
                    session: self.session,
                    path: directory.to_owned(),
                    source: Box::new(why),
                });
            }
            Err(error) => {
                tracing::info!(%error, "the server that cloned is not running");
                return Ok(());
            }
        };
        let asked = Instant::now();
        loop {
            let cloning = statements_naming(&mut session, directory)?;
            if cloning.is_empty() {
                return Ok(());
            }
            if asked.elapsed() > ENDS_WITHIN {
                let (path, seconds) = (directory.to_owned(), ENDS_WITHIN.as_secs());
                return Err(MethodError::NotEnded { path, seconds });
            }
            for id in cloning {
                tracing::info!(session = id, "end the clone of a run that is gone");
                session.kill_session(id)?;
            }
            host.heartbeat();
            if host.wait_cancelled(INTERVAL) {
                return Err(MethodError::Cancelled);
            }
        }
    }

    /// A session that sees the statement: on the right server, by the right account.
    fn connect(&self, host: &Host) -> Result<Session, UnaskedError> {
        let mut session = connect(host, &self.server_uuid)?;
        let account = account(&mut session)?;
        let sees_all = session.grants()?.allows(&Requirement::global("PROCESS"));
        if account != self.account && !sees_all {
            return Err(UnaskedError::Blind { account, cloner: self.account.clone() });
        }
        Ok(session)
    }

    /// Whether a process of this machine has files of the server's data directory open. One whose
    /// files this user may not see counts if it is called like a server.
    fn is_server_running(&self) -> bool {
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        processes.flatten().map(|entry| entry.path()).any(|process| {
            match has_open(&process, &self.data_directory) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    fs::read_to_string(process.join("comm"))
                        .is_ok_and(|name| name.trim_end() == "mysqld")
                }
                // No process, or one that has just ended.
                Err(_) => false,
                Ok(open) => open,
            }
        })
    }
}

/// A session on the server that a record names, over the connection that the operator gave.
///
/// # Errors
/// [`UnaskedError`]: there is no connection, or it leads to another server, or to none.
pub(crate) fn connect(host: &Host, expected_uuid: &str) -> Result<Session, UnaskedError> {
    let document = host.connection()?.ok_or(UnaskedError::NoConnection)?;
    let password = host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
    let mut options = ConnectOptions::from_document(&document, password);
    options.init_statements.push("SET NAMES utf8mb4".to_owned());
    let mut session = Session::connect(&options)?;
    session.set_timeouts(ANSWER_WITHIN, ANSWER_WITHIN)?;
    let server_uuid = told(&mut session, "server_uuid")?;
    if server_uuid != expected_uuid {
        return Err(UnaskedError::OtherServer { server_uuid });
    }
    Ok(session)
}

fn has_open(process: &Path, directory: &Path) -> io::Result<bool> {
    for file in fs::read_dir(process.join("fd"))? {
        if fs::read_link(file?.path()).is_ok_and(|target| target.starts_with(directory)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn account(session: &mut Session) -> Result<String, SessionError> {
    const SQL: &str = "SELECT CURRENT_USER() AS account";
    Ok(session.query(SQL)?.only()?.text("account")?.to_owned())
}

/// Sessions whose statement clones into the directory. Its own name is ours and in no other
/// statement, however its path is quoted there.
fn statements_naming(session: &mut Session, directory: &Path) -> Result<Vec<u32>, MethodError> {
    let name = directory.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| MethodError::Path { path: directory.to_owned() })?;
    let table = session.query(STATEMENTS)?;
    let naming = table.records().filter(|record| {
        let text = record.bytes("Info").map(String::from_utf8_lossy);
        text.is_some_and(|text| text.starts_with("CLONE ") && text.contains(name))
    });
    let ids = naming.map(|record| {
        let id = record.text("Id")?;
        id.parse().map_err(|_| SessionError::Answer {
            statement: STATEMENTS.to_owned(),
            what: format!("a number in {id:?}"),
        })
    });
    Ok(ids.collect::<Result<_, SessionError>>()?)
}
