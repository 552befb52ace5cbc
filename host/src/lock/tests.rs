//! One holder at a time, and nothing left behind.
use super::{RunLock, lock_path};
use crate::{
    exit::{Classified, Exit},
    target::TargetError,
};

#[test]
fn a_second_run_is_refused_until_the_first_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar.gz");
    let first = RunLock::acquire(&artefact).unwrap();
    let error = RunLock::acquire(&artefact).unwrap_err();
    assert!(matches!(error, TargetError::Locked { .. }));
    assert_eq!(error.exit(), Exit::Locked);
    first.release().unwrap();
    assert!(!lock_path(&artefact).exists());
    drop(RunLock::acquire(&artefact).unwrap());
    assert!(!lock_path(&artefact).exists());
}

#[test]
fn a_lock_file_that_a_crash_left_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar.gz");
    std::fs::write(lock_path(&artefact), "").unwrap();
    RunLock::acquire(&artefact).unwrap().release().unwrap();
}

#[test]
fn to_look_whether_a_lock_is_held_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar.gz");
    assert!(!RunLock::is_held(&artefact).unwrap());
    assert!(!lock_path(&artefact).exists());
    let lock = RunLock::acquire(&artefact).unwrap();
    assert!(RunLock::is_held(&artefact).unwrap());
    lock.release().unwrap();
    std::fs::write(lock_path(&artefact), "").unwrap();
    assert!(!RunLock::is_held(&artefact).unwrap());
    assert!(lock_path(&artefact).exists());
}

#[test]
fn a_file_with_something_in_it_is_somebody_elses() {
    let directory = tempfile::tempdir().unwrap();
    let artefact = directory.path().join("db.tar.gz");
    std::fs::write(lock_path(&artefact), "mine").unwrap();
    RunLock::acquire(&artefact).unwrap().release().unwrap();
    assert_eq!(std::fs::read(lock_path(&artefact)).unwrap(), b"mine");
}
