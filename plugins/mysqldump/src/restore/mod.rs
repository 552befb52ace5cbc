//! The restore: a streaming SQL client. It splits the entries into statements itself, leaves out what
//! is not wanted, renames schemas, and stops at the first error with the statement and its place.
//! Dumps of the stock `mysqldump` are taken as well as our own.

mod apply;
mod chosen;
mod edit;
mod excerpt;
mod guard;
pub(crate) mod head;
mod plan;
mod present;
pub(crate) mod split;
mod target;

use dbbackup_sdk::{EntryReader, RestoreRun, document::restore::RestoreSummary};

use self::{apply::Applier, chosen::Choice, guard::Guard, split::Splitter, target::Target};
use crate::{
    error::{EngineError, RestoreError},
    options::{GtidChoice, Options},
};

pub(crate) use self::plan::check;

/// Restores the entries in their order.
///
/// # Errors
/// The first failure, with its place. What was restored before it stays: the schemas are incomplete.
pub(crate) fn run(
    run: &RestoreRun,
    options: &Options,
    entries: &mut EntryReader,
) -> Result<RestoreSummary, EngineError> {
    let mut target = Target::connect(run)?;
    target.prepare(options)?;
    let choice = Choice::new(&run.request);
    if run.request.force {
        target.drop_replaced(&plan::tables(&run.request.manifest), &choice)?;
    }
    let guard = Guard::new(run.request.force, target.connect_another()?)?;
    let mut applier = Applier::new(&mut target.session, choice, guard, options, &run.host);
    applier.begin()?;

    let mut splitter = Splitter::new();
    while let Some(meta) = entries.next_entry()? {
        let entry = format!("{}/{}", meta.root, meta.path);
        splitter.begin_entry();
        applier.entry(&entry, &mut splitter, entries)?;
    }
    let summary = applier.finish()?;
    if options.gtid == GtidChoice::Set {
        target.take_over_gtid(&run.request.manifest.coordinates)?;
    }
    if summary.statements == 0 && !run.request.only.is_empty() {
        let patterns = run.request.only.join(", ");
        return Err(RestoreError::NothingSelected { patterns }.into());
    }
    Ok(summary)
}
