//! Records survive a crash, live runs are left alone, damage is reported.
use super::{Journal, JournalError};
use crate::supervisor::{message::RecordOwner, state::StateDir};
use dbbackup_plugin_api::document::undo::UndoRecord;
use std::{fs, os::unix::fs::PermissionsExt};

fn record(kind: &str) -> UndoRecord {
    UndoRecord {
        kind: kind.to_owned(),
        summary: format!("made {kind}"),
        facts: serde_json::json!({"name": kind}),
        extra: serde_json::Map::new(),
    }
}

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::new(directory.path().join("state"));
    (directory, state)
}

#[test]
fn records_of_a_crashed_run_are_found_newest_first() {
    let (_directory, state) = state();
    let mut journal = Journal::create(&state, "run-1").unwrap();
    let first = journal.record(RecordOwner::Host, record("a")).unwrap();
    journal.record(RecordOwner::Host, record("b")).unwrap();
    journal.record(RecordOwner::Host, record("c")).unwrap();
    journal.done(first).unwrap();
    assert!(Journal::abandoned(&state).unwrap().is_empty(), "a live run is left alone");
    let mode = fs::metadata(journal.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(journal);
    let mut found = Journal::abandoned(&state).unwrap();
    let found = found.pop().unwrap().unwrap();
    assert_eq!(found.run_id(), "run-1");
    let kinds: Vec<_> = found.open_records().into_iter().map(|(_, r)| r.record.kind).collect();
    assert_eq!(kinds, ["c", "b"]);
}

#[test]
fn a_torn_last_line_is_no_record_and_damage_in_the_middle_is_reported() {
    let (_directory, state) = state();
    let mut journal = Journal::create(&state, "run-1").unwrap();
    let first = journal.record(RecordOwner::Host, record("a")).unwrap();
    let path = journal.path().to_owned();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"line\":\"reco"].concat()).unwrap();
    let mut found = Journal::abandoned(&state).unwrap().pop().unwrap().unwrap();
    assert_eq!(found.open_records().len(), 1);
    assert_eq!(fs::read(&path).unwrap(), whole, "the torn line is gone");
    let second = found.record(RecordOwner::Host, record("b")).unwrap();
    found.done(first).unwrap();
    drop(found);
    let found = Journal::abandoned(&state).unwrap().pop().unwrap().unwrap();
    let open: Vec<_> = found.open_records().into_iter().map(|(number, _)| number).collect();
    assert_eq!(open, [second], "lines after a torn one are read back");
    drop(found);
    fs::write(&path, [&b"garbage\n"[..], &whole].concat()).unwrap();
    let error = Journal::abandoned(&state).unwrap().pop().unwrap().unwrap_err();
    assert!(matches!(error, JournalError::Damaged { number: 1, .. }), "{error}");
    assert!(path.exists());
}

#[test]
fn numbers_go_on_after_adoption_and_a_finished_journal_is_removed() {
    let (_directory, state) = state();
    let mut journal = Journal::create(&state, "run-1").unwrap();
    let first = journal.record(RecordOwner::Host, record("a")).unwrap();
    drop(journal);
    let mut found = Journal::abandoned(&state).unwrap().pop().unwrap().unwrap();
    let second = found.record(RecordOwner::Host, record("b")).unwrap();
    assert!(second > first);
    found.done(first).unwrap();
    found.done(second).unwrap();
    let path = found.path().to_owned();
    found.close().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_journal_of_a_later_version_is_left_alone() {
    let (_directory, state) = state();
    let path = state.create_journals().unwrap().join("run-9.ndjson");
    fs::write(
        &path,
        "{\"line\":\"run\",\"schema\":\"dbbackup.journal/2\",\"run\":\"x\",\"pid\":1}\n",
    )
    .unwrap();
    let error = Journal::abandoned(&state).unwrap().pop().unwrap().unwrap_err();
    assert!(matches!(error, JournalError::Newer { .. }), "{error}");
    assert!(path.exists());
}
