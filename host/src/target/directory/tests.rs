//! A directory is a backup or is not there; what is not ours is never replaced.
use super::DirectoryOutput;
use crate::target::listing::names;
use crate::{
    exit::{Classified, Exit},
    manifest::{self, tests::manifest},
    supervisor::host_record::HostRecord,
    target::{
        Existing, TargetError, directory_manifest_path,
        durable::{Rename, rename},
        replace::CommitStep,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn write(path: &Path, existing: Existing, content: &str) -> DirectoryOutput {
    let output = DirectoryOutput::claim(path, existing).unwrap();
    output.create().unwrap();
    fs::write(output.partial().join("file"), content).unwrap();
    output
}

fn backup(path: &Path, existing: Existing, id: &str) {
    write(path, existing, id).commit(&manifest(id, "", 0), &mut |_| Ok(())).unwrap();
}

fn id_of(path: &Path) -> String {
    let id = manifest::read(&directory_manifest_path(path)).unwrap().id;
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), id);
    id
}

#[test]
fn slashes_at_the_end_and_empty_directories_are_taken() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("dump");
    fs::create_dir(&path).unwrap();
    backup(&parent.path().join("dump/"), Existing::Refuse, "one");
    assert_eq!(id_of(&path), "one");
    assert_eq!(names(parent.path()), ["dump"]);
}

#[test]
fn a_backup_is_refused_or_replaced_and_anything_else_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("dump");
    backup(&path, Existing::Refuse, "one");
    let refused = DirectoryOutput::claim(&path, Existing::Refuse).unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    backup(&path, Existing::Replace, "two");
    assert_eq!(id_of(&path), "two");
    assert_eq!(names(parent.path()), ["dump"]);
    let foreign = parent.path().join("home");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter"), "dear").unwrap();
    let refused = DirectoryOutput::claim(&foreign, Existing::Replace).unwrap_err();
    assert!(matches!(refused, TargetError::NotABackup { .. }), "{refused}");
    assert!(foreign.join("letter").exists());
}

#[test]
fn a_crash_at_any_step_leaves_a_whole_backup_under_the_name() {
    for step in [
        CommitStep::StageManifest,
        CommitStep::SyncArtefact,
        CommitStep::PlaceArtefact,
        CommitStep::DropKept,
    ] {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("dump");
        backup(&path, Existing::Refuse, "old");
        let output = write(&path, Existing::Replace, "new");
        let crash = &mut |at| match at == step {
            true => Err(TargetError::NoName { path: PathBuf::from("crash") }),
            false => Ok(()),
        };
        if step == CommitStep::DropKept {
            output.commit(&manifest("new", "", 0), crash).unwrap_err();
        } else {
            output.place(&manifest("new", "", 0), crash).unwrap_err();
            drop(output);
        }
        let survivor = if step == CommitStep::DropKept { "new" } else { "old" };
        assert_eq!(id_of(&path), survivor, "{step:?}");
        HostRecord::DirectoryOutput { directory: path.clone() }.undo().unwrap();
        assert_eq!(id_of(&path), survivor, "{step:?}");
        assert_eq!(names(parent.path()), ["dump"], "{step:?}");
    }
}

#[test]
fn an_exchange_that_is_not_durable_is_a_commit_and_loses_neither_backup() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("dump");
    backup(&path, Existing::Refuse, "old");
    let output = write(&path, Existing::Replace, "new");
    let partial = output.partial().to_owned();
    let not_synced = &mut |at| match at {
        CommitStep::PlaceArtefact => {
            rename(&partial, &path, Rename::Exchange).unwrap();
            Err(TargetError::NoName { path: PathBuf::from("sync") })
        }
        _ => Ok(()),
    };
    output.commit(&manifest("new", "", 0), not_synced).unwrap();
    assert_eq!(id_of(&path), "new");
    assert_eq!(id_of(&partial), "old");
    assert_eq!(names(parent.path()), ["dump", "dump.partial"]);
}

#[test]
fn an_error_before_the_exchange_leaves_the_old_backup_alone() {
    for step in [CommitStep::StageManifest, CommitStep::SyncArtefact, CommitStep::PlaceArtefact] {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("dump");
        backup(&path, Existing::Refuse, "old");
        let output = write(&path, Existing::Replace, "new");
        let failing = &mut |at| match at == step {
            true => Err(TargetError::NoName { path: PathBuf::from("no") }),
            false => Ok(()),
        };
        output.commit(&manifest("new", "", 0), failing).unwrap_err();
        assert_eq!(id_of(&path), "old", "{step:?}");
        assert_eq!(names(parent.path()), ["dump"], "{step:?}");
    }
}

#[test]
fn a_partial_directory_of_somebody_else_is_not_touched() {
    let parent = tempfile::tempdir().unwrap();
    let foreign = parent.path().join("dump.partial");
    fs::create_dir(&foreign).unwrap();
    let refused = DirectoryOutput::claim(&parent.path().join("dump"), Existing::Replace);
    assert_eq!(refused.unwrap_err().exit(), Exit::Refused);
    assert!(foreign.exists());
}
