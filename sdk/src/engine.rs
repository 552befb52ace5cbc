//! The traits that an engine implements: [`Engine`] first, then one trait for each role it plays.
use crate::{
    failure::Failure,
    host::Host,
    sink::{EntryReader, Sink},
};
use dbbackup_plugin_api::document::{
    assessment::Assessment,
    backup::{BackupRequest, BackupSummary},
    doctor::DoctorFindings,
    environment::Environment,
    restore::{RestorePlan, RestoreRequest, RestoreSummary},
    stream::{ReplayRequest, ReplaySummary, StreamRequest, StreamSummary},
    target::TargetLocation,
    undo::{UndoOutcome, UndoRecord},
    verify::{VerifyFindings, VerifyRequest},
};
use serde::de::DeserializeOwned;

/// An engine with its options.
pub trait Engine: Send + Sync + Sized + 'static {
    /// Typed options; `deny_unknown_fields` is the host's affair, which checks them against the
    /// schema in `plugin.json` first.
    type Options: DeserializeOwned + Default;

    /// Makes the engine. Nothing is connected or changed here.
    ///
    /// # Errors
    /// A [`Failure`] with code `CONFIG` if options contradict each other.
    fn create(options: Self::Options, host: &Host) -> Result<Self, Failure>;

    /// Says whether a backup could start in this environment, what stands in the way and what it
    /// would cost. Read-only, within [`ASSESS_LIMIT`](dbbackup_plugin_api::document::assessment::ASSESS_LIMIT).
    ///
    /// # Errors
    /// Only what keeps the engine from answering at all; what keeps it from a backup is a blocker.
    fn assess(&self, environment: &Environment, host: &Host) -> Result<Assessment, Failure>;
}

/// A run of a role: what the host asks for, and its services.
#[derive(Debug)]
pub struct Run<R> {
    /// What the host asks for.
    pub request: R,
    /// The host's services.
    pub host: Host,
}

/// A backup run.
pub type BackupRun = Run<BackupRequest>;
/// A restore run.
pub type RestoreRun = Run<RestoreRequest>;
/// A verification run.
pub type VerifyRun = Run<VerifyRequest>;
/// A stream run.
pub type StreamRun = Run<StreamRequest>;
/// A replay run.
pub type ReplayRun = Run<ReplayRequest>;

/// Role `backup`: obtains consistent data and emits it as entries.
pub trait BackupEngine: Engine {
    /// Emits every entry and says where in the server's history the content is.
    ///
    /// # Errors
    /// Any [`Failure`]: no lock, snapshot or session is left then, and nothing is committed.
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure>;
}

/// Role `restore`: brings back what is not a plain file.
pub trait RestoreEngine: Engine {
    /// Checks everything that can be checked before a byte is written. Read-only.
    ///
    /// # Errors
    /// A [`Failure`] that says why the restore would not succeed or must not be tried.
    fn check(&self, run: &RestoreRun) -> Result<RestorePlan, Failure>;

    /// Applies the stream entries in their order.
    ///
    /// # Errors
    /// The first [`Failure`], with the place in the entry at which it happened.
    fn restore(
        &self,
        run: &RestoreRun,
        entries: &mut EntryReader,
    ) -> Result<RestoreSummary, Failure>;

    /// Called after the host extracted the file entries into `run.request.directory`, which has a
    /// temporary name still: the host makes all of it durable before it gets its own.
    ///
    /// # Errors
    /// A [`Failure`] if the directory cannot be made ready for a server.
    fn finish(&self, run: &RestoreRun) -> Result<RestoreSummary, Failure>;
}

/// Role `verify`: checks what only the engine understands in its own backups.
pub trait VerifyEngine: Engine {
    /// Reads the entries; problems are findings, not errors.
    ///
    /// # Errors
    /// A [`Failure`] if the check itself could not be made.
    fn verify(&self, run: &VerifyRun, entries: &mut EntryReader)
    -> Result<VerifyFindings, Failure>;
}

/// Role `doctor`: says what stands in the way and which statement would mend it.
pub trait DoctorEngine: Engine {
    /// Looks, changes nothing.
    ///
    /// # Errors
    /// A [`Failure`] if it could not look.
    fn doctor(&self, environment: &Environment, host: &Host) -> Result<DoctorFindings, Failure>;
}

/// Role `undo`: undoes a journalled side effect after a crash.
pub trait UndoEngine: Engine {
    /// Idempotent: what is gone already is success; what this tool did not create is not touched.
    /// With `dry_run` it only says what it would do.
    ///
    /// # Errors
    /// A [`Failure`] if the side effect is still there.
    fn undo(&self, record: &UndoRecord, dry_run: bool, host: &Host)
    -> Result<UndoOutcome, Failure>;
}

/// Role `target`: a place where backups live.
pub trait TargetEngine: Engine {
    /// The open target.
    type Target: crate::target::Target;

    /// Opens a location.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be reached or access is denied.
    fn open(&self, location: &TargetLocation, host: &Host) -> Result<Self::Target, Failure>;
}

/// Role `stream`: follows the binary log.
pub trait StreamEngine: Engine {
    /// Runs until cancelled.
    ///
    /// # Errors
    /// A [`Failure`] if the server cannot be followed any more.
    fn stream(
        &self,
        run: &StreamRun,
        sink: &mut crate::stream::StreamSink,
    ) -> Result<StreamSummary, Failure>;
}

/// Role `replay`: applies archived binlogs up to a recovery target.
pub trait ReplayEngine: Engine {
    /// Reads segments as entries and applies them in their order.
    ///
    /// # Errors
    /// The first [`Failure`], with the position at which it happened.
    fn replay(&self, run: &ReplayRun, segments: &mut EntryReader)
    -> Result<ReplaySummary, Failure>;
}
