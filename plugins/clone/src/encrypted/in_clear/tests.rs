use std::{fs, io};

use super::*;

const PAGE: usize = 16 << 10;

/// A tablespace whose pages are of these types, behind a first page with these flags.
fn tablespace(flags: u32, types: &[u16], page_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; page_bytes * (types.len() + 1)];
    bytes[54..58].copy_from_slice(&flags.to_be_bytes());
    for (page, page_type) in bytes.chunks_mut(page_bytes).skip(1).zip(types) {
        page[24..26].copy_from_slice(&page_type.to_be_bytes());
        // Nothing of a page that was never written is set.
        page[page_bytes / 2] = u8::from(*page_type != 0);
    }
    bytes
}

fn with(mut bytes: Vec<u8>, at: usize, key: &[u8]) -> Vec<u8> {
    bytes[at..at + key.len()].copy_from_slice(key);
    bytes
}

fn found(name: &str, content: &[u8]) -> Option<Content> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    fs::write(&path, content).expect("written");
    let found = find(directory.path(), &mut || Ok::<_, io::Error>(())).expect("readable")?;
    assert_eq!(found.file, path);
    Some(found.content)
}

#[test]
fn a_key_in_clear_is_found_in_every_kind_of_file_that_may_have_one() {
    let header = |key: &[u8]| [&[0; 1024][..], key, &[7; 64]].concat();
    let (clear, wrapped) = (b"lCC\0\0\0\0", b"lCC\0\0\0\x01");
    // Where the information lies in pages of this size.
    let page = |flags, key: &[u8]| with(tablespace(flags, &[], PAGE), 10_390, key);
    for (name, content, expected) in [
        ("#innodb_redo/#ib_redo12", header(clear), Some(Content::RedoKey)),
        ("#innodb_redo/#ib_redo12", header(wrapped), None),
        ("ib_logfile1", header(clear), Some(Content::RedoKey)),
        ("ib_logfile1", header(wrapped), None),
        ("undo_001", page(ENCRYPTED, clear), Some(Content::Key(10_390))),
        ("undo_001", page(ENCRYPTED, wrapped), None),
        ("shop/orders.ibd", page(ENCRYPTED, clear), Some(Content::Key(10_390))),
        // Such bytes may be anything in a file that has no key.
        ("shop/orders.ibd", page(0, clear), None),
        ("ib_buffer_pool", header(clear), None),
    ] {
        assert_eq!(found(name, &content), expected, "{name}");
    }
}

#[test]
fn a_key_in_clear_is_found_wherever_it_lies_in_a_tablespace() {
    let piece = usize::try_from(PIECE_BYTES).expect("a size");
    for at in [PAGE * 9 + 10_390, piece - 3, piece * 2, piece * 3 - 7] {
        let content = with(tablespace(ENCRYPTED, &[15; 191], PAGE), at, b"lCB\0\0\0\0");
        let expected = u64::try_from(at).expect("a number");
        assert_eq!(found("shop/orders.ibd", &content), Some(Content::Key(expected)));
    }
}

#[test]
fn a_page_in_clear_is_named_by_its_number() {
    let mut types = [15, 16, 17, 0].repeat(50);
    assert_eq!(found("orders.ibd", &tablespace(ENCRYPTED, &types, PAGE)), None);
    // A page of an index, in the third piece.
    types[149] = 17855;
    let content = tablespace(ENCRYPTED, &types, PAGE);
    // Tables may be named like files of the server's own.
    for table in ["orders.ibd", "shop/undo_log.ibd", "shop/ib_logfile_old.ibd"] {
        assert_eq!(found(table, &content), Some(Content::Page(150)), "{table}");
    }
    // Undo tablespaces keep pages of before they were encrypted.
    assert_eq!(found("undo_003.ibu", &content), None);
    assert_eq!(found("orders.ibd", &tablespace(0, &types, PAGE)), None);
}

#[test]
fn pages_are_as_large_as_the_flags_say() {
    // 4 KiB by the server's size of pages, 4 KiB by compressed rows, 32 KiB.
    for (flags, page_bytes) in [(3 << 6, 4 << 10), (3 << 1, 4 << 10), (6 << 6, 32 << 10)] {
        let content = tablespace(ENCRYPTED | flags, &[15, 16, 14], page_bytes);
        assert_eq!(found("orders.ibd", &content), Some(Content::Page(3)), "{page_bytes}");
    }
}

#[test]
fn a_look_ends_when_it_is_told_to() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("a.ibd"), tablespace(ENCRYPTED, &[15], PAGE)).expect("written");
    let mut asked = 0;
    let ended = find(directory.path(), &mut || {
        asked += 1;
        Err(io::Error::from(io::ErrorKind::Interrupted))
    });
    assert!(ended.is_err());
    assert_eq!(asked, 1);
}
