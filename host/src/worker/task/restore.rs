//! The engine's part of a restore.
use super::Context;
use crate::{supervisor::job::RestoreTask, worker::error::WorkerError};
use dbbackup_plugin_api::document::restore::{RestorePlan, RestoreSummary};

/// Asks the engine whether and how a restore would work.
pub(super) fn check(context: &Context, task: &RestoreTask) -> Result<RestorePlan, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    Ok(engine.check_restore(&task.request)?)
}

/// Checks again, because time has passed, then applies the stream entries.
pub(super) fn run(context: &Context, task: &RestoreTask) -> Result<RestoreSummary, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    engine.check_restore(&task.request)?;
    let reader = context.streams(&task.artefact, &task.request.manifest)?;
    Ok(engine.restore(&task.request, reader)?)
}

/// Lets the engine finish a directory of extracted files.
pub(super) fn finish(context: &Context, task: &RestoreTask) -> Result<RestoreSummary, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    Ok(engine.finish_restore(&task.request)?)
}
