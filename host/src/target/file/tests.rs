//! At every step of a commit there is one complete pair, and a crash there is brought to an end.
use super::{ClaimedFile, FileOutput};
use crate::target::listing::names;
use crate::{
    artefact::open_manifest,
    exit::{Classified, Exit},
    manifest::tests::manifest,
    supervisor::host_record::HostRecord,
    target::{Existing, TargetError, replace::CommitStep},
};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Steps of a replacement, in their order.
const REPLACEMENT: [CommitStep; 9] = [
    CommitStep::SyncArtefact,
    CommitStep::StageManifest,
    CommitStep::LinkOld,
    CommitStep::KeepOldManifest,
    CommitStep::RetireOldManifest,
    CommitStep::PlaceArtefact,
    CommitStep::PlaceManifest,
    CommitStep::DropKeptManifest,
    CommitStep::DropKept,
];

fn write(artefact: &Path, existing: Existing, content: &[u8]) -> FileOutput {
    let output = ClaimedFile::claim(artefact, existing).unwrap().create().unwrap();
    output.stream().unwrap().write_all(content).unwrap();
    output
}

fn backup(artefact: &Path, existing: Existing, id: &str, content: &[u8]) {
    let output = write(artefact, existing, content);
    let manifest = manifest(id, "db.tar", content.len() as u64);
    output.commit(&manifest, &mut |_| Ok(())).unwrap();
}

/// Ids of the complete pairs in a directory: manifests whose bytes are all there.
fn complete(directory: &Path) -> Vec<String> {
    let mut ids: Vec<String> = names(directory)
        .iter()
        .filter_map(|name| name.strip_suffix(".manifest.json"))
        .map(|name| {
            let artefact = directory.join(name);
            let manifest = open_manifest(&artefact)
                .unwrap_or_else(|error| panic!("manifest without its bytes: {error}"));
            assert_eq!(manifest.objects[0].name, name);
            let content = fs::read(&artefact).unwrap();
            assert_eq!(content, manifest.id.as_bytes().repeat(content.len() / 3));
            manifest.id
        })
        .collect();
    ids.sort();
    ids
}

/// What a crash leaves: everything as it is, but the run lock is free.
fn crash_at(output: FileOutput, id: &str, size: u64, at: CommitStep) -> HostRecord {
    let (device, inode) = output.identity().unwrap();
    let artefact = output.path().to_owned();
    let manifest = manifest(id, "db.tar", size);
    let error = output
        .place(&manifest, &mut |step| match step == at {
            true => Err(TargetError::NoName { path: PathBuf::from("crash") }),
            false => Ok(()),
        })
        .unwrap_err();
    assert!(matches!(error, TargetError::NoName { .. }), "{error}");
    HostRecord::FileCommit { artefact, device, inode }
}

fn undo(commit: &HostRecord, artefact: &Path) {
    commit.undo().unwrap();
    HostRecord::FileOutput { artefact: artefact.to_owned() }.undo().unwrap();
}

#[test]
fn a_committed_pair_is_private_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    backup(&artefact, Existing::Refuse, "one", b"oneone");
    assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"]);
    let mode = fs::metadata(&artefact).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_crash_at_any_step_of_a_first_commit_leaves_nothing_behind() {
    for step in [
        CommitStep::SyncArtefact,
        CommitStep::StageManifest,
        CommitStep::PlaceArtefact,
        CommitStep::PlaceManifest,
    ] {
        let directory = tempfile::tempdir().unwrap();
        let artefact = directory.path().join("db.tar");
        let record = crash_at(write(&artefact, Existing::Refuse, b"one"), "one", 3, step);
        assert!(complete(directory.path()).is_empty(), "{step:?}");
        undo(&record, &artefact);
        assert!(names(directory.path()).is_empty(), "{step:?}: {:?}", names(directory.path()));
    }
}

#[test]
fn a_crash_at_any_step_of_a_replacement_leaves_a_complete_pair() {
    for step in REPLACEMENT {
        let directory = tempfile::tempdir().unwrap();
        let artefact = directory.path().join("db.tar");
        backup(&artefact, Existing::Refuse, "old", b"oldold");
        let output = write(&artefact, Existing::Replace, b"newnewnew");
        let record = crash_at(output, "new", 9, step);
        let there = complete(directory.path());
        assert!(!there.is_empty(), "{step:?}");
        let survivor = if there.contains(&"new".to_owned()) { "new" } else { "old" };
        undo(&record, &artefact);
        assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"], "{step:?}");
        assert_eq!(complete(directory.path()), [survivor], "{step:?}");
    }
}

#[test]
fn a_crash_while_the_old_pair_is_brought_back_is_brought_to_an_end_too() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    backup(&artefact, Existing::Refuse, "old", b"oldold");
    let output = write(&artefact, Existing::Replace, b"newnewnew");
    let record = crash_at(output, "new", 9, CommitStep::PlaceManifest);
    // As far as bringing back had come: the name leads nowhere, the kept pair is whole.
    fs::remove_file(&artefact).unwrap();
    assert_eq!(complete(directory.path()), ["old"]);
    undo(&record, &artefact);
    assert_eq!(complete(directory.path()), ["old"]);
    assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"]);
}

#[test]
fn a_crash_while_the_old_manifest_gets_its_other_name_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    backup(&artefact, Existing::Refuse, "old", b"oldold");
    let output = write(&artefact, Existing::Replace, b"newnewnew");
    let record = crash_at(output, "new", 9, CommitStep::KeepOldManifest);
    let half = directory.path().join("db.tar.replaced.manifest.json.partial");
    fs::write(half, b"{").unwrap();
    undo(&record, &artefact);
    assert_eq!(complete(directory.path()), ["old"]);
    assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"]);
}

#[test]
fn the_next_run_recovers_without_any_journal() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    backup(&artefact, Existing::Refuse, "old", b"oldold");
    let output = write(&artefact, Existing::Replace, b"newnewnew");
    crash_at(output, "new", 9, CommitStep::PlaceManifest);
    backup(&artefact, Existing::Replace, "nxt", b"nxt");
    assert_eq!(complete(directory.path()), ["nxt"]);
    assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"]);
}

#[test]
fn an_error_in_the_middle_restores_the_old_pair() {
    for step in &REPLACEMENT[..7] {
        let directory = tempfile::tempdir().unwrap();
        let artefact = directory.path().join("db.tar");
        backup(&artefact, Existing::Refuse, "old", b"oldold");
        let output = write(&artefact, Existing::Replace, b"newnewnew");
        let failing = &mut |at| match at == *step {
            true => Err(TargetError::NoName { path: PathBuf::from("no") }),
            false => Ok(()),
        };
        output.commit(&manifest("new", "db.tar", 9), failing).unwrap_err();
        assert_eq!(complete(directory.path()), ["old"], "{step:?}");
        assert_eq!(names(directory.path()), ["db.tar", "db.tar.manifest.json"], "{step:?}");
    }
}

#[test]
fn existing_names_are_refused_and_the_lock_keeps_runs_apart() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    let first = ClaimedFile::claim(&artefact, Existing::Refuse).unwrap();
    let second = ClaimedFile::claim(&artefact, Existing::Replace).unwrap_err();
    assert_eq!(second.exit(), Exit::Locked);
    drop(first);
    fs::write(&artefact, "somebody's").unwrap();
    let refused = ClaimedFile::claim(&artefact, Existing::Refuse).unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    assert_eq!(fs::read(&artefact).unwrap(), b"somebody's");
    assert_eq!(names(directory.path()), ["db.tar"]);
}

#[test]
fn a_missing_directory_is_a_target_error() {
    let error =
        ClaimedFile::claim(Path::new("/nonexistent/dir/db.tar"), Existing::Refuse).unwrap_err();
    assert_eq!(error.exit(), Exit::Target);
}

#[test]
fn a_manifest_of_other_bytes_is_never_committed() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    let output = write(&artefact, Existing::Refuse, b"short");
    output.commit(&manifest("one", "db.tar", 999), &mut |_| Ok(())).unwrap_err();
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_file_without_manifest_that_is_not_ours_survives_cleaning() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar");
    fs::write(&artefact, "somebody's").unwrap();
    let record = HostRecord::FileCommit { artefact: artefact.clone(), device: 1, inode: 1 };
    undo(&record, &artefact);
    assert_eq!(fs::read(&artefact).unwrap(), b"somebody's");
}
