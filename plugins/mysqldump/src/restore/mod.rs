//! Restore.
pub(crate) mod head;
pub(crate) mod split;
use dbbackup_sdk::{document::restore::*, *};
use crate::{error::EngineError, options::Options};
pub(crate) fn check(_: &RestoreRun, _: &Options) -> Result<RestorePlan, EngineError> { Ok(RestorePlan::default()) }
pub(crate) fn run(_: &RestoreRun, _: &Options, _: &mut EntryReader) -> Result<RestoreSummary, EngineError> { Ok(RestoreSummary::default()) }
