//! Restore of a clone: the host has extracted the files, and here page patches and redo are written
//! into them, DDL of the meantime is caught up with, and the directory is made one that a server
//! starts on.
//!
//! Records name files by the donor's index, so that names do not matter until the end: while records
//! are applied every file keeps the name that it was copied under, and a file made meanwhile has a
//! working name. Only then is each given its last name.

mod apply;
mod beside;
mod error;
mod fate;
mod finish;
mod first_page;
mod places;
mod rules;

use std::{fs, path::Path};

use dbbackup_sdk::{
    EntryReader, RestoreRun,
    document::restore::{RestorePlan, RestoreRequest, RestoreSummary},
};

pub(crate) use error::RestoreError;

use crate::{
    artefact::{CloneDocument, DOCUMENT_PATH, OUR_ROOT},
    encrypted,
    restore::{apply::Applier, fate::Fates, finish::Finisher, places::Places},
    unseen,
};

/// Checks what can be checked before a byte is written.
pub(crate) fn check(run: &RestoreRun) -> Result<RestorePlan, RestoreError> {
    let request = &run.request;
    let directory = directory(request)?;
    if !request.only.is_empty() {
        return Err(RestoreError::OnlyWhole);
    }
    let mut plan = RestorePlan { warnings: rules::check(request)?, ..RestorePlan::default() };
    plan.steps.push(format!("extract the files into {}", directory.display()));
    if is_protocol(request) {
        plan.steps.push("write pages that changed meanwhile, and the redo log".to_owned());
        plan.steps.push("rename, remove and make files as DDL did meanwhile".to_owned());
    }
    plan.steps.push("check every page".to_owned());
    if encrypted::is_there(&request.manifest.source.facts) {
        plan.warnings.push(encrypted::ADVICE.to_owned());
    }
    if request.manifest.source.facts.contains_key(unseen::FACT) {
        plan.warnings.push(
            "the account that made the backup did not see every table: those of other storage \
             engines than InnoDB, if there are any, come back empty"
                .to_owned(),
        );
    }
    if beside::is_there(request) {
        plan.warnings.push(beside::advice(request)?);
    }
    Ok(plan)
}

/// Writes the records of all streams into the extracted files.
pub(crate) fn run(
    run: &RestoreRun,
    entries: &mut EntryReader,
) -> Result<RestoreSummary, RestoreError> {
    let places = Places::new(&run.request)?;
    if !is_protocol(&run.request) {
        return beside_alone(&places, entries);
    }
    let document = document(&run.request)?;
    places.create()?;
    finish::mark_unfinished(&places)?;
    let fates = Fates::of(&document, &run.request.manifest, &places)?;
    let mut applier = Applier::new(&document, &fates, &places, &run.host)?;
    let mut bytes = 0;
    while let Some(meta) = entries.next_entry()? {
        if beside::is_entry(&meta) {
            bytes += beside::restore(&places, entries)?;
        } else {
            applier.stream(&meta, entries)?;
        }
    }
    bytes += applier.finish()?;
    Ok(RestoreSummary { bytes, ..RestoreSummary::default() })
}

/// A clone that a server made has no other stream.
fn beside_alone(
    places: &Places,
    entries: &mut EntryReader,
) -> Result<RestoreSummary, RestoreError> {
    let mut bytes = 0;
    while let Some(meta) = entries.next_entry()? {
        if !beside::is_entry(&meta) {
            let stream = format!("{}/{}", meta.root, meta.path);
            return Err(RestoreError::Stream { stream, what: "is of no clone".to_owned() });
        }
        bytes += beside::restore(places, entries)?;
    }
    Ok(RestoreSummary { bytes, ..RestoreSummary::default() })
}

/// Gives every file its last name and size, and writes what the first start looks for.
pub(crate) fn finish(run: &RestoreRun) -> Result<RestoreSummary, RestoreError> {
    let places = Places::new(&run.request)?;
    if !is_protocol(&run.request) {
        // The server has made the directory itself, markers and all.
        return Ok(RestoreSummary::default());
    }
    let document = document(&run.request)?;
    places.create()?;
    let fates = Fates::of(&document, &run.request.manifest, &places)?;
    Finisher::new(&document, &fates, &places).finish()?;
    Ok(RestoreSummary::default())
}

/// True for a clone of the protocol, which has a document; the other methods have plain files alone.
fn is_protocol(request: &RestoreRequest) -> bool {
    let name = format!("{OUR_ROOT}/{DOCUMENT_PATH}");
    request.manifest.files.iter().any(|file| file.path.as_bytes() == name.as_bytes())
}

fn directory(request: &RestoreRequest) -> Result<&Path, RestoreError> {
    request.directory.as_deref().ok_or(RestoreError::NoDirectory)
}

fn document(request: &RestoreRequest) -> Result<CloneDocument, RestoreError> {
    let path = directory(request)?.join(OUR_ROOT).join(DOCUMENT_PATH);
    let bytes = fs::read(&path).map_err(|source| RestoreError::io("read", &path, source))?;
    let document = CloneDocument::parse(&bytes);
    document.map_err(|source| RestoreError::Document { source: Box::new(source) })
}

#[cfg(test)]
mod tests;
