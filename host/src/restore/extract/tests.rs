//! Nothing that an archive says leads out of the directory, and what is extracted is what was written.
use super::{Extracted, extract};
use crate::{
    artefact::Identified,
    exit::{Exit, Failure},
    pipeline::CancelFlag,
    restore::{layout::Layout, select::Selection},
    supervisor::Silent,
};
use dbbackup_plugin_api::document::manifest::EncodingRecord;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tar::{Builder, EntryType, Header};

/// An archive of one entry with a name that the tar library itself would not write.
fn archive(path: &Path, entries: &[(&[u8], EntryType, &[u8])]) {
    let mut builder = Builder::new(File::create(path).unwrap());
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.finish().unwrap();
}

fn restore(archive: &Path, into: &Path, only: &[&str]) -> Result<Extracted, Failure> {
    let encoding = EncodingRecord {
        container: "tar".to_owned(),
        compression: "none".to_owned(),
        encryption: "none".to_owned(),
        recipients: Vec::new(),
    };
    fs::create_dir(into).unwrap();
    let artefact = Identified::local(archive, &encoding, &[])?;
    let mut members = artefact.unrecorded_members(&CancelFlag::new())?;
    let only: Vec<String> = only.iter().map(|pattern| (*pattern).to_owned()).collect();
    extract(&mut members, &Layout::plain(into), &Selection::new(&only)?, &Silent)
}

#[test]
fn names_that_lead_elsewhere_and_everything_but_files_is_refused() {
    let file = EntryType::Regular;
    let tricks: [(&[u8], EntryType); 8] = [
        (b"../escape", file),
        (b"data/../../escape", file),
        (b"/escape", file),
        (b"data//escape", file),
        (b"data/link", EntryType::Symlink),
        (b"data/hard", EntryType::Link),
        (b"data/null", EntryType::Char),
        (b"data/pipe", EntryType::Fifo),
    ];
    for (name, kind) in tricks {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("evil.tar");
        archive(&path, &[(name, kind, b"")]);
        let into = scratch.path().join("into");
        let text = String::from_utf8_lossy(name);
        restore(&path, &into, &[]).expect_err(&text);
        assert!(!scratch.path().join("escape").exists(), "{text}");
        assert!(!Path::new("/escape").exists(), "{text}");
        assert_eq!(fs::read_dir(&into).unwrap().count(), 0, "{text}");
    }
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("twice.tar");
    let file = EntryType::Regular;
    archive(&path, &[(b"data/a", file, b"one"), (b"data/a", file, b"two")]);
    let failure = restore(&path, &scratch.path().join("into"), &[]).unwrap_err();
    assert_eq!(failure.exit(), Exit::Refused);
}

#[test]
fn contents_come_back_without_set_user_id() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("good.tar");
    let directory = EntryType::Directory;
    archive(&path, &[(b"data/shop", directory, b""), (b"data/shop/a", EntryType::Regular, b"one")]);
    let into = scratch.path().join("into");
    let done = restore(&path, &into, &[]).unwrap();
    assert_eq!(done, Extracted { files: 1, bytes: 3 });
    let file = into.join("data/shop/a");
    assert_eq!(fs::read(&file).unwrap(), b"one");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn patterns_choose_below_the_root_and_fitting_nothing_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("some.tar");
    let file = EntryType::Regular;
    archive(&path, &[(b"data/shop/a", file, b"one"), (b"data/other/b", file, b"two")]);
    let into = scratch.path().join("into");
    assert_eq!(restore(&path, &into, &["shop/*"]).unwrap().files, 1);
    assert!(into.join("data/shop/a").exists() && !into.join("data/other").exists());
    let failure = restore(&path, &scratch.path().join("none"), &["nosuch/*"]).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
}
