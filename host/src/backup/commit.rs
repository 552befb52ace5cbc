//! The commit: bytes become a backup by their manifest, which comes last.
use super::{BackupOutcome, Output, abandon, record, step};
use crate::{
    exit::Failure,
    manifest::{self, Written},
    remote::Place,
    supervisor::{
        CancelFlag, Observer, Runtime, SupervisorError,
        host_record::HostRecord,
        job::{BackupReceipt, ManifestDraft},
        journal::{Journal, JournalError},
        message::RecordOwner,
    },
    target::{
        MANIFEST_ENDING, OutputLocation, TargetError, directory_manifest_path, manifest_path,
    },
};
use dbbackup_plugin_api::document::manifest::Manifest;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Bytes that are written and not committed.
pub(super) struct Artefact {
    pub(super) output: Output,
    pub(super) receipt: BackupReceipt,
    pub(super) draft: ManifestDraft,
}

impl Artefact {
    /// Makes the artefact a backup: the manifest comes last.
    pub(super) fn commit(
        self,
        journal: &mut Journal,
        runtime: &Runtime<'_>,
        observer: &dyn Observer,
        cancel: &CancelFlag,
    ) -> Result<BackupOutcome, Failure> {
        if let Some(cause) = cancel.cause() {
            abandon(self.output)?;
            return Err(SupervisorError::Cancelled { cause }.into());
        }
        step(observer, "commit the backup".to_owned());
        let Self { output, receipt, draft } = self;
        let (bytes_in, bytes_out) = (receipt.bytes_in, receipt.bytes_out);
        let mut objects = receipt.objects;
        for object in objects.iter_mut().filter(|object| object.name.is_empty()) {
            object.name = object_name(&output);
        }
        let (mut summary, files, pages) = (receipt.summary, receipt.files, receipt.pages);
        summary.degraded.extend(receipt.degraded);
        let written = Written { summary, files, objects, pages };
        let manifest = manifest::assemble(draft, written, Timestamp::now());
        let (artefact, manifest_place) = match output {
            Output::Remote(remote) => {
                let place = remote.commit(&manifest, &receipt.markers, runtime, journal)?;
                let name = format!("{}{MANIFEST_ENDING}", place.name);
                let manifest_place = Place::from(place.named(name));
                (Some(Place::from(place)), Some(manifest_place))
            }
            output => {
                let (artefact, manifest_path) = place(output, &manifest, journal)?;
                (artefact.map(Place::Local), manifest_path.map(Place::Local))
            }
        };
        Ok(BackupOutcome { manifest, artefact, manifest_place, bytes_in, bytes_out })
    }
}

fn object_name(output: &Output) -> String {
    match output {
        Output::File(file) => file.object_name(),
        Output::Stdout(stdout) => stdout.object_name(),
        Output::Claimed(_) | Output::Directory(_) | Output::Remote(_) => String::new(),
    }
}

/// Commits, and answers where artefact and manifest are.
fn place(
    output: Output,
    manifest: &Manifest,
    journal: &mut Journal,
) -> Result<(Option<PathBuf>, Option<PathBuf>), Failure> {
    match output {
        Output::File(file) => {
            let path = file.path().to_owned();
            let (device, inode) = file.identity()?;
            let artefact = path.clone();
            record(journal, &HostRecord::FileCommit { artefact, device, inode })?;
            file.commit(manifest, &mut |_| Ok(()))?;
            let manifest_path = manifest_path(&path);
            Ok((Some(path), Some(manifest_path)))
        }
        Output::Directory(directory) => {
            let path = directory.path().to_owned();
            directory.commit(manifest, &mut |_| Ok(()))?;
            let manifest_path = directory_manifest_path(&path);
            Ok((Some(path), Some(manifest_path)))
        }
        Output::Stdout(stdout) => {
            let manifest_path = stdout.manifest().map(Path::to_owned);
            stdout.commit(manifest)?;
            Ok((None, manifest_path))
        }
        Output::Claimed(claimed) => {
            Err(TargetError::NoName { path: claimed.path().to_owned() }.into())
        }
        Output::Remote(remote) => {
            Err(TargetError::NoName { path: remote.place().to_string().into() }.into())
        }
    }
}

/// Ticks off what has become a backup: files of ours, and objects of the target's engine.
pub(super) fn tick_off(
    location: &OutputLocation,
    journal: &mut Journal,
) -> Result<(), JournalError> {
    let target = match location {
        OutputLocation::Target(place) => Some(RecordOwner::Engine {
            plugin: place.engine.plugin.clone(),
            engine: place.engine.engine.clone(),
        }),
        _ => None,
    };
    for (number, open) in journal.open_records() {
        let is_output = HostRecord::from_undo_record(&open.record).is_ok_and(|r| r.is_output());
        let is_file = open.owner == RecordOwner::Host && is_output;
        if is_file || target.as_ref() == Some(&open.owner) {
            journal.done(number)?;
        }
    }
    Ok(())
}
