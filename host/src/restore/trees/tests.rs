//! What was in a directory is never lost: it is under its own name or aside, whole.
use super::{Staged, Step, Trees, identity};
use crate::target::listing::names;
use crate::{
    exit::{Classified, Exit},
    restore::{RestoreError, layout::Layout},
    supervisor::{host_record::HostRecord, journal::Journal, state::StateDir},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

fn fill(directory: &Path, content: &str) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("file"), content).unwrap();
}

fn content(directory: &Path) -> String {
    fs::read_to_string(directory.join("file")).unwrap()
}

fn journal(scratch: &Path) -> Journal {
    Journal::create(&StateDir::new(scratch.join("state")), "run").unwrap()
}

/// A directory with something in it, and the new one that is to take its place.
fn old_and_new(parent: &Path) -> (PathBuf, PathBuf) {
    let (old, new) = (parent.join("db"), parent.join("db.run.partial"));
    fill(&old, "old");
    fill(&new, "new");
    (old, new)
}

fn step<'a>(trees: &'a Trees, staged: &'a Staged) -> Step<'a> {
    trees.step(staged, 0).unwrap()
}

fn staged(new: &Path) -> Staged {
    Staged { layout: Layout::plain(new), run_id: "run".to_owned(), records: Vec::new() }
}

#[test]
fn what_was_there_is_kept_aside_and_only_if_the_operator_insists() {
    let scratch = tempfile::tempdir().unwrap();
    let parent = scratch.path().join("srv");
    let path = parent.join("db");
    fill(&path, "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let refused = Trees::find(Layout::plain(&path), false).unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused);
    let trees = Trees::find(Layout::plain(&path), true).unwrap();
    let mut journal = journal(scratch.path());
    let staged = trees.stage("run", &mut journal).unwrap();
    fill(&staged.layout.directory(), "new");
    let aside = parent.join("db.before-run");
    let kept = trees.put_in_place(&staged, &mut journal).unwrap();
    assert_eq!(kept, [(path.clone(), aside.clone())]);
    assert_eq!((content(&path), content(&aside)), ("new".to_owned(), "old".to_owned()));
    assert_eq!(names(&parent), ["db", "db.before-run"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(journal.open_records().is_empty());
}

#[test]
fn a_failing_second_step_leaves_what_was_there_under_its_own_name() {
    let scratch = tempfile::tempdir().unwrap();
    // No directory can be moved into itself: the old one goes aside, the new one stays.
    let new = scratch.path().join("new");
    let path = new.join("db");
    fill(&path, "old");
    let trees = Trees::find(Layout::plain(&path), true).unwrap();
    let failure = trees.put_in_place(&staged(&new), &mut journal(scratch.path())).unwrap_err();
    assert_eq!(failure.code(), "E-TARGET-IO", "{failure:?}");
    assert_eq!(content(&path), "old");
    assert_eq!(names(&new), ["db"]);
}

#[test]
fn a_failing_first_step_leaves_everything_as_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let parent = scratch.path().join("srv");
    let (path, new) = old_and_new(&parent);
    fill(&parent.join("db.before-run"), "somebody's");
    let trees = Trees::find(Layout::plain(&path), true).unwrap();
    trees.put_in_place(&staged(&new), &mut journal(scratch.path())).unwrap_err();
    assert_eq!(content(&path), "old");
    assert_eq!(content(&new), "new");
    assert_eq!(content(&parent.join("db.before-run")), "somebody's");
}

#[test]
fn a_step_is_taken_back_although_all_of_it_was_done() {
    let parent = tempfile::tempdir().unwrap();
    let (path, new) = old_and_new(parent.path());
    let (trees, staged) = (Trees::find(Layout::plain(&path), true).unwrap(), staged(&new));
    let step = step(&trees, &staged);
    // As a directory that cannot be synced leaves it.
    step.put_in_place().unwrap();
    step.take_back().unwrap();
    assert_eq!((content(&path), content(&new)), ("old".to_owned(), "new".to_owned()));
    assert_eq!(names(parent.path()), ["db", "db.run.partial"]);
    // A second time there is nothing left to take back.
    step.take_back().unwrap();
    assert_eq!(content(&path), "old");
}

#[test]
fn an_empty_directory_comes_back_with_its_mode() {
    let parent = tempfile::tempdir().unwrap();
    let (path, new) = (parent.path().join("db"), parent.path().join("db.run.partial"));
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o710)).unwrap();
    fill(&new, "new");
    let (trees, staged) = (Trees::find(Layout::plain(&path), false).unwrap(), staged(&new));
    let step = step(&trees, &staged);
    step.put_in_place().unwrap();
    step.take_back().unwrap();
    assert!(names(&path).is_empty());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o710);
    assert_eq!(content(&new), "new");
}

#[test]
fn a_crash_between_the_steps_leaves_what_was_there_aside() {
    let parent = tempfile::tempdir().unwrap();
    let (path, new) = old_and_new(parent.path());
    let (trees, staged) = (Trees::find(Layout::plain(&path), true).unwrap(), staged(&new));
    step(&trees, &staged).set_aside().unwrap();
    HostRecord::RestoreDirectory { path: new }.undo().unwrap();
    assert_eq!(names(parent.path()), ["db.before-run"]);
    assert_eq!(content(&parent.path().join("db.before-run")), "old");
}

#[test]
fn what_cannot_be_taken_back_is_named_and_not_touched() {
    let parent = tempfile::tempdir().unwrap();
    let (path, new) = old_and_new(parent.path());
    let (trees, staged) = (Trees::find(Layout::plain(&path), true).unwrap(), staged(&new));
    let step = step(&trees, &staged);
    step.put_in_place().unwrap();
    // Somebody has taken the temporary name meanwhile.
    fs::create_dir(&new).unwrap();
    let error = step.take_back().unwrap_err();
    let aside = parent.path().join("db.before-run");
    assert!(matches!(&error, RestoreError::KeptAside { aside: told, .. } if *told == aside));
    assert!(error.to_string().contains("db.before-run"), "{error}");
    assert_eq!((content(&path), content(&aside)), ("new".to_owned(), "old".to_owned()));
    assert_eq!(identity(&path), step.new);
}

#[test]
fn a_mount_point_is_refused_whatever_the_operator_insists_on() {
    for force in [false, true] {
        let refused = Trees::find(Layout::plain(Path::new("/proc")), force).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused);
        assert_eq!(refused.code(), "E-RESTORE-MOUNT-POINT");
        assert!(refused.hint().unwrap().contains("/proc/data"));
    }
}
