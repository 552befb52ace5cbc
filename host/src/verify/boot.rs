//! `--level boot`: the content is restored into a scratch server, and the server is asked.
use super::{Verification, VerifyReport, first_boot, left_empty};
use crate::{
    connection::{ServerError, Session},
    coordinates::KnownCoordinates,
    exit::{Classified, Exit, Failure},
    restore::{self, RestoreDestination, RestoreJob, RestoreOutcome, is_content_file},
    scratch_server::{Content, ScratchError, ScratchServer, ServerProgram},
    supervisor::{
        SupervisorError,
        host_record::HostRecord,
        journal::Journal,
        message::RecordOwner,
        runtime::new_run_id,
        undo::{Undo, never_cancelled},
    },
    target::durable,
};
use dbbackup_plugin_api::{
    document::{entry::EntryKind, manifest::CoordinatesRecord},
    error::ErrorCode,
    position::BinlogCoordinates,
};
use jiff::Timestamp;
use mysql_async::prelude::FromRow;
use serde::Serialize;
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Schemas of the server itself.
pub(super) const OWN_SCHEMAS: &str = "('mysql', 'sys', 'information_schema', 'performance_schema')";

/// What a scratch server said of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BootReport {
    /// The server.
    pub server: String,
    /// Tables that `CHECK TABLE` looked at.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// The exact position of the content, if the first boot told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<CoordinatesRecord>,
}

/// Why the content cannot be brought into a scratch server.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The scratch server.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The server's answer to the checks.
    #[error(transparent)]
    Server(#[from] Box<ServerError>),
    /// The server answered in an unknown way.
    #[error("{step}: the server's answer has another shape")]
    Answer {
        /// What was being done.
        step: &'static str,
    },
    /// The server's own file about the clone cannot be read.
    #[error("read {}", path.display())]
    Status {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not where the manifest says.
    #[error("the content is at {found}, and the manifest says {lower} to {upper}")]
    OtherPosition {
        /// End of the recovered binlog.
        found: BinlogCoordinates,
        /// Lower end of the recorded bracket.
        lower: BinlogCoordinates,
        /// Its upper end.
        upper: BinlogCoordinates,
    },
    /// The content does not go into a server.
    #[error("restore into a scratch server: {}", failure.chain())]
    Content {
        /// What the engine said.
        failure: Failure,
    },
    /// The backup holds no data directory.
    #[error("the backup holds neither streams nor a data directory")]
    NothingToBoot,
}

impl Verification<'_> {
    /// Restores into a scratch server, checks every table, and removes all of it.
    pub(super) fn boot(&self, report: &mut VerifyReport) -> Result<BootReport, Failure> {
        let source = &self.manifest.source;
        let program = ServerProgram::find(
            self.job.mysqld.as_deref(),
            &source.flavor,
            &source.version,
            self.runtime.worker.path(),
        )?;
        // What others have left is no reason to keep somebody waiting who wants to end this run.
        Undo { cancel: self.cancel, ..self.undo() }.abandoned()?;
        let run_id = new_run_id(Timestamp::now());
        let mut journal = Journal::create(&self.runtime.state, &run_id)?;
        let parent = match &self.runtime.scratch_parent {
            Some(parent) => parent.clone(),
            None => self.runtime.state.create_scratch()?,
        };
        let directory = parent.join(&run_id);
        let record = HostRecord::ScratchDirectory { path: directory.clone() };
        journal.record(RecordOwner::Host, record.to_undo_record()?)?;
        let booted = DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .map_err(|source| {
                let (what, path) = ("create", directory.clone());
                Failure::from(ScratchError::Io { what, path, source })
            })
            .and_then(|()| self.boot_in(&directory, &program, &mut journal, report));
        self.undo().records(&mut journal);
        journal.close()?;
        finding(booted, report)
    }

    fn undo(&self) -> Undo<'_> {
        Undo {
            runtime: self.runtime,
            secrets: &self.job.secrets,
            observer: self.observer,
            cancel: never_cancelled(),
            dry_run: false,
        }
    }

    fn boot_in(
        &self,
        directory: &Path,
        program: &ServerProgram,
        journal: &mut Journal,
        report: &mut VerifyReport,
    ) -> Result<BootReport, Failure> {
        let is_physical = self.manifest.files.iter().any(is_content_file);
        let has_streams = self.manifest.files.iter().any(|file| file.kind == EntryKind::Stream);
        let server = if is_physical {
            self.step("restore the files");
            let restored = RestoreDestination::Directory(directory.join("restored"));
            let restored = self.restore(restored)?;
            let data = restored.data_directory.ok_or(BootError::NothingToBoot)?;
            let moved = directory.join("data");
            durable::rename(&data, &moved, durable::Rename::New)?;
            self.step("boot a scratch server on them");
            let (from, to) = (data.display().to_string(), moved.display().to_string());
            let options = restored.server_options.iter().map(|option| option.replace(&from, &to));
            let settings = self.settings().into_iter().chain(options).collect();
            self.start(directory, program, Content::Restored, settings, journal)?
        } else if has_streams {
            self.step("start a scratch server");
            let server =
                self.start(directory, program, Content::Fresh, self.settings(), journal)?;
            self.step("restore into it");
            let into = RestoreDestination::Server(Box::new(server.connection()));
            self.restore(into).map_err(|failure| self.not_restored(failure))?;
            server
        } else {
            return Err(BootError::NothingToBoot.into());
        };
        self.step("check every table");
        let mut session = server.session()?;
        let is_clone = first_boot::is_clone(&directory.join("data"));
        let mut boot = check_tables(&mut session, is_clone, report)?;
        if is_clone {
            left_empty::look(&mut session, self.manifest, report)?;
        }
        boot.server = program.version().to_owned();
        if is_physical {
            let data = directory.join("data");
            boot.coordinates = match first_boot::coordinates(&mut session, &data)? {
                None => first_boot::of_recovered_binlog(&mut session, self.manifest)?,
                told => told,
            };
        }
        drop(session);
        if let Some(coordinates) = &boot.coordinates {
            self.keep(coordinates, program)?;
        }
        server.stop()?;
        Ok(boot)
    }

    fn start(
        &self,
        directory: &Path,
        program: &ServerProgram,
        content: Content,
        settings: Vec<String>,
        journal: &mut Journal,
    ) -> Result<ScratchServer, ScratchError> {
        ScratchServer::start(program, directory, content, &settings, journal, self.cancel)
    }

    /// Settings without which a server does not start on the source's files, or reads names in
    /// another way. Where those files are, the restore says; and a fresh server must not be told of
    /// files that are the source's.
    fn settings(&self) -> Vec<String> {
        let facts = &self.manifest.source.facts;
        ["innodb_page_size", "lower_case_table_names"]
            .into_iter()
            .filter_map(|name| {
                let value = facts.get(name)?;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Some(format!("--{}={text}", name.replace('_', "-")))
            })
            .collect()
    }

    /// Writes the exact coordinates beside the manifest.
    fn keep(
        &self,
        coordinates: &CoordinatesRecord,
        program: &ServerProgram,
    ) -> Result<(), Failure> {
        let now = crate::manifest::rfc3339(Timestamp::now());
        let known =
            KnownCoordinates::new(self.manifest, coordinates.clone(), program.version(), now);
        known.write(&self.artefact)?;
        Ok(())
    }

    /// What the engine or the scratch server could not take is a finding, unless the run was being
    /// cancelled.
    fn not_restored(&self, failure: Failure) -> Failure {
        if self.cancel.cause().is_none() && is_refused_content(&failure) {
            return BootError::Content { failure }.into();
        }
        failure
    }

    fn restore(&self, destination: RestoreDestination) -> Result<RestoreOutcome, Failure> {
        let job = RestoreJob {
            artefact: self.job.artefact.clone(),
            identities: self.job.identities.clone(),
            destination,
            only: Vec::new(),
            map: Vec::new(),
            server: None,
            force: false,
            dry_run: false,
            options: self.job.options.clone(),
            secrets: self.job.secrets.clone(),
        };
        restore::run(&job, self.runtime, self.observer, self.cancel)
    }
}

/// A server that does not start on the content, or an engine that cannot bring it in, is a finding
/// about the backup; a missing program is not.
fn finding(
    booted: Result<BootReport, Failure>,
    report: &mut VerifyReport,
) -> Result<BootReport, Failure> {
    match booted {
        Err(failure) if is_finding(&failure) => {
            report.problems.push(failure.chain());
            Ok(BootReport::default())
        }
        booted => booted,
    }
}

fn is_finding(failure: &Failure) -> bool {
    failure.exit() == Exit::VerificationFailed
}

/// Whether the engine itself, at work on the scratch server, ended the restore for a reason that
/// lies in the content. A lost plugin, worker or target says nothing about the backup, nor do the
/// options of the run.
fn is_refused_content(failure: &Failure) -> bool {
    let error: &(dyn std::error::Error + 'static) = failure.inner();
    let Some(SupervisorError::Reported(error)) = error.downcast_ref() else {
        return false;
    };
    let report = error.report();
    let own = report.code.strip_prefix("E-ENGINE-").and_then(|code| code.parse().ok());
    let is_of_content = own.map(ErrorCode).is_some_and(|code| code != ErrorCode::INTERNAL);
    let is_of_run = matches!(
        error.exit(),
        Exit::Usage
            | Exit::Configuration
            | Exit::Target
            | Exit::NoSpace
            | Exit::Locked
            | Exit::Plugin
            | Exit::Timeout
            | Exit::Interrupted
            | Exit::Terminated
    );
    let mut said = std::iter::once(&report.message).chain(&report.causes);
    is_of_content && !is_of_run && !said.any(|text| is_full_disk(text))
}

/// Whether a text is that of a server whose disk is full.
fn is_full_disk(text: &str) -> bool {
    const SAID: [&str; 4] =
        ["server error 1021 ", "server error 1114 ", "No space left on device", "Got error 28 "];
    SAID.iter().any(|part| text.contains(part))
}

/// Checks every table that the content holds: of a clone, those of InnoDB.
fn check_tables(
    session: &mut Session,
    is_clone: bool,
    report: &mut VerifyReport,
) -> Result<BootReport, BootError> {
    let engines = if is_clone { "AND ENGINE = 'InnoDB'" } else { "" };
    let query = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = \
         'BASE TABLE' AND TABLE_SCHEMA NOT IN {OWN_SCHEMAS} {engines} ORDER BY 1, 2"
    );
    let tables: Vec<(String, String)> = ask(session, "list the restored tables", &query)?;
    let mut boot = BootReport::default();
    for (schema, table) in tables {
        let name = format!("{}.{}", quoted(&schema), quoted(&table));
        let answers: Vec<(String, String, String, String)> =
            ask(session, "check a restored table", &format!("CHECK TABLE {name}"))?;
        for (_, _, kind, text) in answers {
            if kind.eq_ignore_ascii_case("error") {
                report.problems.push(format!("CHECK TABLE {name}: {text}"));
            }
        }
        let query = format!("SELECT COUNT(*) FROM {name}");
        let counts: Vec<u64> = ask(session, "count the rows of a restored table", &query)?;
        boot.rows += counts.iter().sum::<u64>();
        boot.tables += 1;
    }
    Ok(boot)
}

/// Rows of a query, as values of the type that is asked for.
pub(super) fn ask<T: FromRow>(
    session: &mut Session,
    step: &'static str,
    query: &str,
) -> Result<Vec<T>, BootError> {
    let rows = session.rows(step, query).map_err(Box::new)?;
    let values = rows.into_iter().map(mysql_async::from_row_opt::<T>);
    values.collect::<Result<_, _>>().map_err(|error| {
        tracing::debug!(%error, step, "an answer of another shape");
        BootError::Answer { step }
    })
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Classified for BootError {
    fn exit(&self) -> Exit {
        match self {
            Self::Scratch(error) => error.exit(),
            Self::Server(_)
            | Self::Answer { .. }
            | Self::OtherPosition { .. }
            | Self::Content { .. } => Exit::VerificationFailed,
            Self::Status { source, .. } => crate::target::exit_of_io(source.kind()),
            Self::NothingToBoot => Exit::Precondition,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Scratch(error) => error.hint(),
            Self::Server(error) => error.hint(),
            Self::Content { failure } => failure.hint(),
            Self::NothingToBoot
            | Self::Answer { .. }
            | Self::Status { .. }
            | Self::OtherPosition { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Scratch(error) => error.code(),
            Self::Server(error) => error.code(),
            Self::Content { failure } => failure.code(),
            Self::Answer { .. } => "E-BOOT-ANSWER".to_owned(),
            Self::Status { .. } => "E-BOOT-STATUS".to_owned(),
            Self::OtherPosition { .. } => "E-BOOT-POSITION".to_owned(),
            Self::NothingToBoot => "E-BOOT-NOTHING".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
