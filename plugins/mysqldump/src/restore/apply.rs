//! Runs statements one after the other, rows in transactions of a bounded size.

use std::{collections::BTreeSet, io::Read};

use dbbackup_sdk::{
    Host, Unit,
    document::restore::RestoreSummary,
    server::{Session, quote},
    wire::{Completion, WireError},
};

use super::{
    chosen::{Affected, Choice, Decision, Run},
    edit,
    excerpt::excerpt,
    guard::Guard,
    head::{self, Head},
    split::{Piece, Place, Splitter},
};
use crate::{
    error::{EngineError, RestoreError},
    options::{GtidChoice, Options},
};

/// The server refuses rows of a table without transactions inside a transaction: MySQL with
/// `enforce_gtid_consistency`.
const NOT_IN_TRANSACTION: u16 = 1785;
/// A tablespace of that name is there.
const TABLESPACE_EXISTS: u16 = 1813;
/// Warnings that say that a value is not what the dump says: out of range, wrong, too long, truncated.
const CHANGED: [u64; 4] = [1264, 1366, 1406, 1292];
/// `Data truncated`: the same, but for an `ENUM` that holds no value of its list, as in the source.
const TRUNCATED: u64 = 1265;
/// Most warnings that are handed on.
const MAX_WARNINGS: usize = 100;
/// Bytes after which progress is reported.
const REPORT_BYTES: u64 = 4 * 1024 * 1024;

/// Applies the statements of a restore.
pub(super) struct Applier<'a> {
    session: &'a mut Session,
    choice: Choice,
    guard: Guard,
    host: &'a Host,
    commit_bytes: u64,
    sets_binlog: bool,
    sets_gtid: bool,
    transaction: Transaction,
    summary: RestoreSummary,
    reported_bytes: u64,
}

/// The open transaction: rows of one table.
#[derive(Debug, Default)]
struct Transaction {
    table: Option<Affected>,
    is_open: bool,
    bytes: u64,
    /// Tables that take no transaction.
    without: BTreeSet<(String, Option<String>)>,
}

/// Where a statement is.
#[derive(Clone, Copy)]
struct At<'e> {
    entry: &'e str,
    place: Place,
}

impl<'a> Applier<'a> {
    /// Prepares to apply.
    pub(super) fn new(
        session: &'a mut Session,
        choice: Choice,
        guard: Guard,
        options: &Options,
        host: &'a Host,
    ) -> Self {
        Self {
            session,
            choice,
            guard,
            host,
            commit_bytes: options.commit_bytes,
            sets_binlog: !options.binlog,
            sets_gtid: options.gtid == GtidChoice::Set,
            transaction: Transaction::default(),
            summary: RestoreSummary::default(),
            reported_bytes: 0,
        }
    }

    /// Chooses the schema for a dump that names none.
    pub(super) fn begin(&mut self) -> Result<(), EngineError> {
        if let Some(schema) = self.choice.default_schema() {
            self.session.execute(format!("USE {}", quote::identifier(schema)))?;
        }
        Ok(())
    }

    /// Applies one entry.
    ///
    /// # Errors
    /// The first failure, with its place in the entry.
    pub(super) fn entry<R: Read>(
        &mut self,
        entry: &str,
        splitter: &mut Splitter,
        input: &mut R,
    ) -> Result<(), EngineError> {
        let split = |source| RestoreError::Split { entry: entry.to_owned(), source };
        loop {
            let Some(piece) = splitter.next(input).map_err(split)? else { break };
            let at = At { entry, place: piece.place };
            let decision = self.decide(&piece, at)?;
            if piece.last {
                if let Decision::Run(how) = decision {
                    self.statement(&piece, &how, at)?;
                }
            } else {
                self.long_statement(decision, at, splitter, input)?;
            }
            splitter.set_backslash_escapes(!self.session.connection().no_backslash_escapes());
        }
        self.commit(At { entry, place: Place { line: 0, offset: 0 } })
    }

    /// Ends the restore.
    pub(super) fn finish(self) -> Result<RestoreSummary, EngineError> {
        Ok(self.summary)
    }

    fn decide(&mut self, piece: &Piece<'_>, at: At<'_>) -> Result<Decision, EngineError> {
        let head = head::parse(piece.bytes);
        if head == Head::Other && self.is_unwanted_setting(piece.bytes) {
            return Ok(Decision::Skip);
        }
        let decision = self.choice.decide(head, piece.bytes);
        if let Decision::Run(how) = &decision {
            self.check_overwrite(how, at)?;
            if let Some(old) = &how.names_old_schema {
                let what = excerpt(piece.bytes);
                self.warn(format!("code may still mean schema {old}: {what}"));
            }
        }
        Ok(decision)
    }

    /// Stock dumps switch the binlog off and set the target's GTIDs; here the options decide.
    fn is_unwanted_setting(&self, statement: &[u8]) -> bool {
        let head = statement.get(..512).unwrap_or(statement).to_ascii_uppercase();
        let has = |what: &[u8]| memchr::memmem::find(&head, what).is_some();
        head.starts_with(b"SET")
            && (has(b"GTID_PURGED") && !self.sets_gtid
                || has(b"@@SESSION.SQL_LOG_BIN") && !self.sets_binlog)
    }

    fn check_overwrite(&mut self, how: &Run, at: At<'_>) -> Result<(), EngineError> {
        let Some(affected) = &how.object else {
            return Ok(());
        };
        let schema = &affected.schema;
        let allowed = if how.whole_schema {
            self.guard.allows_schema(schema)?
        } else {
            match &affected.object {
                Some(object) => self.guard.allows_object(schema, object)?,
                None => true,
            }
        };
        if allowed {
            return Ok(());
        }
        let name = match &affected.object {
            Some(object) => format!("{schema}.{object}"),
            None => schema.clone(),
        };
        Err(RestoreError::ExistsLate {
            entry: at.entry.to_owned(),
            line: at.place.line,
            schema: name,
        }
        .into())
    }

    /// Runs a statement that is whole in memory.
    fn statement(&mut self, piece: &Piece<'_>, how: &Run, at: At<'_>) -> Result<(), EngineError> {
        self.before(how, at)?;
        let parts = edit::parts(piece.bytes, &how.edits);
        let mut outcome = run_parts(self.session, &parts);
        if self.transaction.is_open
            && outcome.as_ref().is_err_and(|error| is_code(error, NOT_IN_TRANSACTION))
        {
            // The first rows of the table: nothing else is in the transaction.
            self.leave_transaction(at)?;
            outcome = run_parts(self.session, &parts);
        }
        if how.may_exist && outcome.as_ref().is_err_and(|error| is_code(error, TABLESPACE_EXISTS)) {
            return Ok(());
        }
        let completion = outcome.map_err(|source| failed(at, piece.bytes, source))?;
        self.after(how, completion, piece.bytes.len() as u64, at)
    }

    /// Runs a statement that comes in parts, or passes over it.
    fn long_statement<R: Read>(
        &mut self,
        decision: Decision,
        at: At<'_>,
        splitter: &mut Splitter,
        input: &mut R,
    ) -> Result<(), EngineError> {
        let split = |source| RestoreError::Split { entry: at.entry.to_owned(), source };
        let Decision::Run(how) = decision else {
            while let Some(piece) = splitter.next(input).map_err(split)? {
                if piece.last {
                    break;
                }
            }
            return Ok(());
        };
        self.before(&how, at)?;
        let shown = excerpt(splitter.last_part());
        let error = |source| RestoreError::Statement {
            entry: at.entry.to_owned(),
            line: at.place.line,
            offset: at.place.offset,
            excerpt: shown.clone(),
            source: Box::new(source),
        };
        let mut bytes = 0;
        let mut writer = self.session.connection().query_writer().map_err(error)?;
        for part in edit::parts(splitter.last_part(), &how.edits) {
            writer.write(part).map_err(error)?;
            bytes += part.len() as u64;
        }
        while let Some(piece) = splitter.next(input).map_err(split)? {
            writer.write(piece.bytes).map_err(error)?;
            bytes += piece.bytes.len() as u64;
            if piece.last {
                break;
            }
        }
        let completion = writer.query().and_then(|result| result.finish()).map_err(error)?;
        self.after(&how, completion, bytes, at)
    }

    /// Ends or begins a transaction before a statement.
    fn before(&mut self, how: &Run, at: At<'_>) -> Result<(), EngineError> {
        if !how.writes_rows {
            return self.commit(at);
        }
        if self.transaction.table != how.object {
            self.commit(at)?;
            self.transaction.table.clone_from(&how.object);
        }
        let takes_none =
            how.object.as_ref().is_some_and(|table| self.transaction.without.contains(&key(table)));
        if !self.transaction.is_open && !takes_none {
            run_parts(self.session, &[b"BEGIN"]).map_err(|source| failed(at, b"BEGIN", source))?;
            self.transaction.is_open = true;
        }
        Ok(())
    }

    /// Looks at how a statement ended.
    fn after(
        &mut self,
        how: &Run,
        completion: Completion,
        bytes: u64,
        at: At<'_>,
    ) -> Result<(), EngineError> {
        self.summary.statements += u64::from(how.object.is_some());
        self.summary.bytes += bytes;
        if how.writes_rows && completion.warnings > 0 {
            self.look_at_warnings(at)?;
        }
        self.transaction.bytes += bytes;
        if self.transaction.bytes >= self.commit_bytes {
            self.commit(at)?;
        }
        if self.summary.bytes - self.reported_bytes >= REPORT_BYTES {
            self.reported_bytes = self.summary.bytes;
            self.host.progress("restore", self.summary.bytes, 0, Unit::Bytes);
        }
        Ok(())
    }

    fn look_at_warnings(&mut self, at: At<'_>) -> Result<(), EngineError> {
        let warnings = self.session.query("SHOW WARNINGS")?;
        for record in warnings.records() {
            let text = record.get("Message").unwrap_or_default();
            let code = record.number("Code").unwrap_or(0);
            if CHANGED.contains(&code) || code == TRUNCATED && !self.is_enum(text)? {
                return Err(RestoreError::Changed {
                    entry: at.entry.to_owned(),
                    line: at.place.line,
                    offset: at.place.offset,
                    warning: text.to_owned(),
                }
                .into());
            }
            self.warn(format!("{} line {}: {text}", at.entry, at.place.line));
        }
        Ok(())
    }

    /// Whether a warning is about a column of type `ENUM` or `SET` of the table at hand.
    fn is_enum(&mut self, warning: &str) -> Result<bool, EngineError> {
        let Some(table) = &self.transaction.table else {
            return Ok(false);
        };
        let object = table.object.as_deref().unwrap_or_default();
        Ok(self
            .guard
            .enums(&table.schema, object)?
            .iter()
            .any(|column| warning.contains(&format!("'{column}'"))))
    }

    fn warn(&mut self, text: String) {
        if self.summary.warnings.len() < MAX_WARNINGS && !self.summary.warnings.contains(&text) {
            self.summary.warnings.push(text);
        }
    }

    fn commit(&mut self, at: At<'_>) -> Result<(), EngineError> {
        self.transaction.bytes = 0;
        if std::mem::take(&mut self.transaction.is_open) {
            run_parts(self.session, &[b"COMMIT"])
                .map_err(|source| failed(at, b"COMMIT", source))?;
        }
        Ok(())
    }

    /// From now on the table at hand is written without transactions.
    fn leave_transaction(&mut self, at: At<'_>) -> Result<(), EngineError> {
        self.transaction.is_open = false;
        run_parts(self.session, &[b"ROLLBACK"])
            .map_err(|source| failed(at, b"ROLLBACK", source))?;
        let table = self.transaction.table.as_ref().map(key);
        self.transaction.without.extend(table);
        Ok(())
    }
}

fn key(table: &Affected) -> (String, Option<String>) {
    (table.schema.clone(), table.object.clone())
}

fn run_parts(session: &mut Session, parts: &[&[u8]]) -> Result<Completion, WireError> {
    session.connection().query_parts(parts)?.finish()
}

fn is_code(error: &WireError, code: u16) -> bool {
    error.server().is_some_and(|server| server.code == code)
}

fn failed(at: At<'_>, statement: &[u8], source: WireError) -> RestoreError {
    RestoreError::Statement {
        entry: at.entry.to_owned(),
        line: at.place.line,
        offset: at.place.offset,
        excerpt: excerpt(statement),
        source: Box::new(source),
    }
}
