#![allow(clippy::cast_possible_truncation, reason = "names and bodies are short")]
use super::*;
use crate::rpc::Descriptor;

const RENAMED: u16 = 8;
const DELETED: u16 = 16;

/// What a donor says of a file.
pub(crate) fn meta(state: u32, index: u32, name: &str, flags: u16) -> FileMeta {
    let mut body = state.to_be_bytes().to_vec();
    body.extend(1000_u64.to_be_bytes());
    body.extend(1000_u64.to_be_bytes());
    body.extend([0; 4]);
    body.extend(4096_u32.to_be_bytes());
    body.extend(flags.to_be_bytes());
    body.extend((index + 100).to_be_bytes());
    body.extend(index.to_be_bytes());
    body.extend([0; 8]);
    body.extend((name.len() as u32 + 1).to_be_bytes());
    body.extend(name.as_bytes());
    body.push(0);
    let mut bytes = 100_u32.to_be_bytes().to_vec();
    bytes.extend((12 + body.len() as u32).to_be_bytes());
    bytes.extend(4_u32.to_be_bytes());
    bytes.extend(body);
    match Descriptor::parse(&bytes) {
        Ok(Descriptor::File(meta)) => meta,
        other => panic!("{other:?}"),
    }
}

fn table() -> FileTable {
    let mut table = FileTable::default();
    for (index, name) in [(0, "ibdata1"), (1, "./shop/a.ibd"), (2, "./shop/b.ibd")] {
        table.notice(&meta(2, index, name, 0), State::FileCopy).expect("a file");
    }
    table
}

fn kinds(table: FileTable) -> Vec<(ChangeKind, u32, Stage)> {
    let (_, changes, _) = table.into_parts();
    changes.iter().map(|change| (change.kind, change.index, change.stage)).collect()
}

#[test]
fn ddl_is_kept_in_its_order() {
    let mut table = table();
    for (state, current, index, name, flags) in [
        (3, State::FileCopy, 1, "./shop/c.ibd", RENAMED),
        (3, State::FileCopy, 2, "./shop/a.ibd", RENAMED),
        (3, State::FileCopy, 3, "./shop/new.ibd", 0),
        (4, State::PageCopy, 1, "./shop/c.ibd", DELETED),
        (4, State::PageCopy, 2, "./shop/d.ibd", RENAMED | DELETED),
        (4, State::PageCopy, 3, "./shop/new.ibd", 0),
    ] {
        table.notice(&meta(state, index, name, flags), current).expect("a change");
    }
    assert_eq!(
        kinds(table),
        [
            (ChangeKind::Rename, 1, Stage::PageCopy),
            (ChangeKind::Rename, 2, Stage::PageCopy),
            (ChangeKind::Create, 3, Stage::PageCopy),
            (ChangeKind::Delete, 1, Stage::RedoCopy),
            (ChangeKind::Delete, 2, Stage::RedoCopy),
            (ChangeKind::Attributes, 3, Stage::RedoCopy),
        ]
    );
}

#[test]
fn what_is_said_again_after_a_cut_counts_once() {
    let mut table = table();
    table.notice(&meta(2, 1, "./shop/a.ibd", 0), State::FileCopy).expect("again");
    for _ in 0..2 {
        table.notice(&meta(3, 1, "./shop/c.ibd", RENAMED), State::FileCopy).expect("a change");
        table.notice(&meta(3, 2, "./shop/b.ibd", DELETED), State::FileCopy).expect("a change");
    }
    assert_eq!(
        kinds(table),
        [(ChangeKind::Rename, 1, Stage::PageCopy), (ChangeKind::Delete, 2, Stage::PageCopy)]
    );
}

#[test]
fn files_that_come_and_go_leave_their_number_alone() {
    let mut table = table();
    table.notice(&meta(3, 9, "./shop/x.ibd", DELETED), State::FileCopy).expect("a change");
    let (files, changes, _) = table.into_parts();
    assert_eq!(changes, []);
    let last = files.last().expect("files");
    assert!(last.index == 9 && last.created && last.deleted);
}

#[test]
fn dropped_while_it_is_copied() {
    let mut table = table();
    table.notice(&meta(2, 1, "./shop/a.ibd", DELETED), State::FileCopy).expect("a drop");
    assert!(table.get(1).expect("a file").deleted);
    // The notice of the next stage says nothing new.
    table.notice(&meta(3, 1, "./shop/a.ibd", DELETED), State::FileCopy).expect("a drop");
    assert_eq!(kinds(table), []);
}

#[test]
fn redo_files_have_numbers_of_their_own() {
    let mut table = table();
    let mut redo = meta(4, 1, "x", 0);
    redo.name = None;
    table.notice(&redo, State::RedoCopy).expect("a redo file");
    assert!(table.has_redo(1) && !table.has_redo(0));
    assert_eq!(table.get(1).expect("a file").name, EntryPath::from("./shop/a.ibd"));
}

#[test]
fn directories_outside_are_roots() {
    let mut table = FileTable::default();
    let place = |table: &mut FileTable, name: &str| {
        let place = table.place(&EntryPath::from(name)).expect("a place");
        (place.root, place.path.to_string())
    };
    let in_root = |root: &str, path: &str| (root.to_owned(), path.to_owned());
    assert_eq!(place(&mut table, "/fast/shop/a.ibd"), in_root("external/1", "a.ibd"));
    assert_eq!(place(&mut table, "/slow/shop/a.ibd"), in_root("external/2", "a.ibd"));
    assert_eq!(place(&mut table, "/fast/shop/b.ibd"), in_root("external/1", "b.ibd"));
    assert_eq!(place(&mut table, "./shop/a.ibd"), in_root("data", "shop/a.ibd"));
    assert_eq!(table.external_roots().get("external/2").map(String::as_str), Some("/slow/shop"));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../a.ibd", "./shop/../../a.ibd", "/", "/fast/..", "./", "shop//a.ibd"] {
        let error = FileTable::default().notice(&meta(2, 0, name, 0), State::FileCopy);
        assert!(matches!(error, Err(CloneError::UnsafeName { .. })), "{name}: {error:?}");
    }
}

#[test]
fn encrypted_files_are_refused() {
    let error = FileTable::default().notice(&meta(2, 0, "./a.ibd", 4), State::FileCopy);
    assert!(matches!(error, Err(CloneError::Encrypted { what }) if what == "./a.ibd"));
}

#[test]
fn of_the_files_of_the_system_tablespace_the_last_alone_grows() {
    let system = |index, name: &str| FileMeta { space_id: 0, ..meta(2, index, name, 0) };
    let mut table = FileTable::default();
    table.notice(&system(0, "ibdata1"), State::FileCopy).expect("a file");
    table.notice(&system(1, "ibdata2"), State::FileCopy).expect("a file");
    table.notice(&meta(2, 2, "./shop/a.ibd", 0), State::FileCopy).expect("a file");
    // What page 0 says: the size of all files together.
    table.grown(0, 5000);
    table.grown(2, 3000);
    let (files, ..) = table.into_parts();
    let sizes: Vec<u64> =
        files.iter().map(|file| file.size_bytes.max(file.final_size_bytes)).collect();
    assert_eq!(sizes, [1000, 4000, 3000]);
}
