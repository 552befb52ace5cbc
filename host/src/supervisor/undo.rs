//! Undoing what is left of runs: records of the host by itself, records of engines by their undo
//! role in a fresh worker. What cannot be undone stays in its journal and is reported.
use super::{
    CancelFlag, Observer, RunEvent, Runtime,
    error::SupervisorError,
    event::{LogEvent, LogLevel},
    host_record::HostRecord,
    job::{Receipt, Task, UndoTask},
    journal::{Journal, JournalError, OpenRecord},
    message::RecordOwner,
    secrets::Secrets,
};
use crate::exit::Failure;
use serde::Serialize;
use std::sync::LazyLock;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UndoReport {
    /// The run that left it.
    pub run_id: String,
    /// What it is, one line.
    pub what: String,
    /// Plugin and engine that undo it; none for the host's own.
    pub engine: Option<String>,
    /// What became of it.
    pub state: UndoState,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UndoState {
    /// The side effect is gone.
    Undone,
    /// It would be undone.
    WouldUndo,
    /// It stays.
    Left {
        /// Why.
        why: String,
    },
}

/// A flag that nobody raises: a cancelled run is cleaned up all the same.
pub(crate) fn never_cancelled() -> &'static CancelFlag {
    static CLEANING: LazyLock<CancelFlag> = LazyLock::new(CancelFlag::new);
    &CLEANING
}

/// Why something stays, and what the operator can do: the engine knows it alone.
fn with_hint(failure: &Failure) -> String {
    match failure.hint() {
        Some(hint) => format!("{}; {hint}", failure.chain()),
        None => failure.chain(),
    }
}

fn is_scratch_directory(open: &OpenRecord) -> bool {
    matches!(host(open), Some(HostRecord::ScratchDirectory { .. }))
}

/// The host's own record, if it is one.
fn host(open: &OpenRecord) -> Option<HostRecord> {
    let record = HostRecord::from_undo_record(&open.record);
    record.ok().filter(|_| open.owner == RecordOwner::Host)
}

/// Why a record stays for now: a commit that is in doubt keeps the records of its engine, and itself.
fn kept_by(hosts: &[HostRecord], open: &OpenRecord) -> Option<String> {
    let (_, why) = match &open.owner {
        RecordOwner::Engine { engine, .. } => {
            hosts.iter().filter_map(HostRecord::doubt).find(|(by, _)| by == engine)?
        }
        RecordOwner::Host => return Some(host(open)?.doubt()?.1),
    };
    Some(why)
}

/// Undoes records.
pub(crate) struct Undo<'a> {
    pub(crate) runtime: &'a Runtime<'a>,
    pub(crate) secrets: &'a Secrets,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancelFlag,
    pub(crate) dry_run: bool,
}

impl Undo<'_> {
    /// Undoes what runs left that are gone, and reports journals that cannot be read.
    pub(crate) fn abandoned(&self) -> Result<Vec<UndoReport>, JournalError> {
        let mut reports = Vec::new();
        for journal in Journal::abandoned(&self.runtime.state)? {
            match journal {
                Ok(mut journal) => {
                    reports.extend(self.records(&mut journal));
                    if !self.dry_run {
                        journal.close()?;
                    }
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    self.warn(failure.chain());
                    reports.push(UndoReport {
                        run_id: String::new(),
                        what: failure.chain(),
                        engine: None,
                        state: UndoState::Left { why: failure.hint().unwrap_or_default() },
                    });
                }
            }
        }
        Ok(reports)
    }

    /// Undoes the open records of one journal, newest first.
    pub(crate) fn records(&self, journal: &mut Journal) -> Vec<UndoReport> {
        let run_id = journal.run_id().to_owned();
        let mut reports = Vec::new();
        let mut engine_left_something = false;
        let records = journal.open_records();
        let hosts: Vec<HostRecord> = records.iter().filter_map(|(_, open)| host(open)).collect();
        for (number, open) in records {
            // The engine's next try needs what is in there: locks of tools that still run.
            if engine_left_something && is_scratch_directory(&open) {
                continue;
            }
            let undone = match kept_by(&hosts, &open) {
                Some(why) => Err(why),
                None => self.undo_one(&run_id, &open),
            };
            let state = match undone {
                Ok(true) => match journal.done(number) {
                    Ok(()) => UndoState::Undone,
                    Err(error) => UndoState::Left { why: Failure::from(error).chain() },
                },
                Ok(false) => UndoState::WouldUndo,
                Err(why) => UndoState::Left { why },
            };
            if let UndoState::Left { why } = &state {
                self.warn(format!("{} stays: {why}", open.record.summary));
            }
            engine_left_something |= matches!(
                (&state, &open.owner),
                (UndoState::Left { .. }, RecordOwner::Engine { .. })
            );
            let engine = match open.owner {
                RecordOwner::Host => None,
                RecordOwner::Engine { engine, .. } => Some(engine),
            };
            let what = open.record.summary;
            reports.push(UndoReport { run_id: run_id.clone(), what, engine, state });
        }
        reports
    }

    /// True if the side effect is gone, false if nothing may be changed.
    fn undo_one(&self, run_id: &str, open: &OpenRecord) -> Result<bool, String> {
        match &open.owner {
            RecordOwner::Host => {
                let record = HostRecord::from_undo_record(&open.record)
                    .map_err(|error| format!("its record cannot be read: {error}"))?;
                if self.dry_run {
                    return Ok(false);
                }
                record.undo().map(|()| true).map_err(|error| Failure::from(error).chain())
            }
            RecordOwner::Engine { plugin, engine } => self.by_engine(run_id, plugin, engine, open),
        }
    }

    fn by_engine(
        &self,
        run_id: &str,
        plugin: &str,
        engine: &str,
        open: &OpenRecord,
    ) -> Result<bool, String> {
        let pin = self.runtime.pin(engine).map_err(|error| Failure::from(error).chain())?;
        if pin.plugin != plugin {
            return Err(format!("its plugin {plugin} is not installed"));
        }
        let task = Task::Undo(Box::new(UndoTask {
            engine: pin,
            options: serde_json::Value::Null,
            record: open.record.clone(),
            dry_run: self.dry_run,
        }));
        let job = self.runtime.job(run_id, self.secrets, task);
        let supervisor = self.runtime.supervisor(self.observer, self.cancel);
        match supervisor.run(job) {
            Ok(Receipt::Undo(outcome)) if outcome.undone => Ok(true),
            Ok(Receipt::Undo(_)) if self.dry_run => Ok(false),
            Ok(Receipt::Undo(outcome)) => Err(outcome.summary),
            Ok(_) => Err(Failure::from(SupervisorError::OtherReceipt { task: "undo" }).chain()),
            Err(error) => Err(with_hint(&Failure::from(error))),
        }
    }

    fn warn(&self, message: String) {
        self.observer.event(&RunEvent::Log(LogEvent {
            level: LogLevel::Warn,
            target: "dbbackup.undo".to_owned(),
            message,
            fields: serde_json::Map::new(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(owner: RecordOwner, record: &HostRecord) -> OpenRecord {
        OpenRecord { owner, record: record.to_undo_record().unwrap() }
    }

    fn engine(name: &str) -> RecordOwner {
        RecordOwner::Engine { plugin: "p".to_owned(), engine: name.to_owned() }
    }

    #[test]
    fn a_commit_in_doubt_keeps_what_its_engine_has_written() {
        let doubt = HostRecord::commit_in_doubt("s3://b/m".to_owned(), "s3-stream".to_owned());
        let scratch = HostRecord::ScratchDirectory { path: "/scratch".into() };
        let is_kept = |hosts: &[HostRecord], open: &OpenRecord| kept_by(hosts, open).is_some();
        let hosts = [scratch.clone(), doubt.clone()];
        assert!(is_kept(&hosts, &open(engine("s3-stream"), &scratch)));
        assert!(
            is_kept(&hosts, &open(RecordOwner::Host, &doubt)),
            "else the next run knows nothing"
        );
        assert!(!is_kept(&hosts, &open(engine("clone"), &scratch)));
        assert!(!is_kept(&hosts, &open(RecordOwner::Host, &scratch)));
        let old = HostRecord::CommitInDoubt {
            manifest: "s3://b/m".to_owned(),
            engine: "s3-stream".to_owned(),
            since_s: 0,
        };
        let hosts = [old.clone()];
        assert!(!is_kept(&hosts, &open(engine("s3-stream"), &scratch)));
        assert!(!is_kept(&hosts, &open(RecordOwner::Host, &old)));
    }
}
