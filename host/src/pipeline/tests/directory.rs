//! Directory outputs: plain files with their modes, recorded in order.
use super::{
    EntryKind, Output, Pipeline, PipelineError, meta, noise, open_stream, push_file, spec,
};
use dbbackup_plugin_api::document::entry::LocalEntry;
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

fn start(root: &Path) -> Pipeline {
    Pipeline::start(spec("/"), Output::Directory(root.to_path_buf())).unwrap()
}

#[test]
fn entries_become_files_in_place() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = start(to.path());
    let mut locals = Vec::new();
    for number in 0..9u64 {
        let source = from.path().join(format!("{number}.ibd"));
        fs::write(&source, noise(number, 1_100_000)).unwrap();
        let meta = meta(EntryKind::File, &format!("data/shop/{number}.ibd"), None);
        locals.push(LocalEntry { meta, source });
    }
    let mut shop = meta(EntryKind::Directory, "data/shop", None);
    shop.mode = Some(0o550);
    pipeline.open_entry(&shop).unwrap().finish().unwrap();
    pipeline.add_local(&locals).unwrap();
    let mut streams: Vec<_> =
        (0..20).map(|n| open_stream(&pipeline, &format!("dump/{n}.sql")).unwrap()).collect();
    for stream in &mut streams {
        stream.write(b"select ").unwrap();
        stream.write(b"1;").unwrap();
        stream.finish().unwrap();
    }
    push_file(&pipeline, ".dbbackup/manifest.json", b"{}").unwrap();
    let receipt = pipeline.finish().unwrap();
    assert_eq!(receipt.objects, []);
    assert_eq!(receipt.members.files.len(), 31);
    for (record, number) in receipt.members.files.iter().skip(1).zip(0..9u64) {
        let path = to.path().join(record.path.to_string());
        assert_eq!(record.path.to_string(), format!("data/shop/{number}.ibd"));
        assert!(fs::read(&path).unwrap() == noise(number, 1_100_000));
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.mode() & 0o7777, found.mtime()), (0o640, 1_700_000_000));
    }
    assert_eq!(fs::read(to.path().join("dump/19.sql")).unwrap(), b"select 1;");
    let shop = fs::metadata(to.path().join("data/shop")).unwrap();
    assert_eq!(shop.mode() & 0o7777, 0o550);
}

/// Whatever may keep a slow disk busy is seen as the target's work: no file is made, written or synced
/// unwatched.
#[test]
fn every_step_on_the_disk_is_counted_as_the_targets() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = from.path().join("1.ibd");
    fs::write(&source, noise(1, 3 << 20)).unwrap();
    let spec = spec("/");
    let progress = spec.progress.clone();
    let pipeline = Pipeline::start(spec, Output::Directory(to.path().to_path_buf())).unwrap();
    push_file(&pipeline, "data/pushed", &noise(2, (2 << 20) + 17)).unwrap();
    let meta = meta(EntryKind::File, "data/1.ibd", None);
    pipeline.add_local(&[LocalEntry { meta, source }]).unwrap();
    let mut empty = super::meta(EntryKind::Directory, "data/empty", None);
    empty.mode = Some(0o700);
    pipeline.open_entry(&empty).unwrap().finish().unwrap();
    pipeline.finish().unwrap();
    let pushed = ["data", "create", "block", "block", "rest", "sync"].len();
    let local = ["create", "block", "rest", "sync"].len();
    let directories = ["create", "mode", "sync", "sync of data", "sync of the root"].len();
    assert_eq!(progress.target_steps(), (pushed + local + directories) as u64);
    assert_eq!(progress.target_blocked(), None);
}

#[test]
fn sparse_files_stay_sparse() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = from.path().join("t.ibd");
    let file = File::create(&source).unwrap();
    file.write_all_at(&noise(1, 9000), 30_000_000).unwrap();
    file.set_len(60_000_000).unwrap();
    let pipeline = start(to.path());
    let meta = meta(EntryKind::File, "data/t.ibd", None);
    pipeline.add_local(&[LocalEntry { meta, source: source.clone() }]).unwrap();
    let receipt = pipeline.finish().unwrap();
    assert_eq!(receipt.members.files[0].size_bytes, 60_000_000);
    let copy = to.path().join("data/t.ibd");
    assert!(fs::read(&copy).unwrap() == fs::read(&source).unwrap());
    assert!(fs::metadata(&copy).unwrap().blocks() * 512 < 1_000_000);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("data")).unwrap();
    fs::write(to.path().join("data/a"), b"old").unwrap();
    let pipeline = start(to.path());
    let error = push_file(&pipeline, "data/a", b"new").unwrap_err();
    assert!(matches!(error, PipelineError::WriteFile { .. }), "{error:?}");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(to.path().join("data/a")).unwrap(), b"old");
}
