//! A member that is read alone is the one that was asked for.
use crate::{
    artefact::{ArtefactError, ArtefactMembers, Identified},
    manifest::tests::manifest,
    pipeline::{CancelFlag, Encoding, Output, Pipeline, PipelineSpec},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, PageCheck},
    manifest::{EncodingRecord, FileRecord, Manifest},
};
use std::{
    fs::{self, File},
    path::Path,
};

const WANTED: &[u8] = b"wanted";

/// Writes a large file, and a small one with a name that no header holds.
fn write(path: &Path, long_name: &str) -> Manifest {
    let encoding: Encoding = ".tar".parse().unwrap();
    let output = Output::Chunks(Box::new(File::create(path).unwrap()));
    let pipeline = Pipeline::start(PipelineSpec::new(encoding), output).unwrap();
    for (name, content) in [("large", &[7; 10_000][..]), (long_name, WANTED)] {
        let meta = EntryMeta {
            kind: EntryKind::File,
            root: "data".to_owned(),
            path: name.into(),
            size_bytes: Some(u64::try_from(content.len()).unwrap()),
            mode: None,
            uid: None,
            gid: None,
            modified_unix: None,
            pages: PageCheck::None,
            extra: serde_json::Map::new(),
        };
        let mut writer = pipeline.open_entry(&meta).unwrap();
        writer.write(content).unwrap();
        writer.finish().unwrap();
    }
    let mut manifest = manifest("b1", "db.tar", 0);
    manifest.files = pipeline.finish().unwrap().members.files;
    manifest.objects.clear();
    manifest.encoding = EncodingRecord {
        container: encoding.container().to_string(),
        compression: encoding.compression().to_string(),
        encryption: "none".to_owned(),
        recipients: Vec::new(),
    };
    manifest
}

/// The content of the member with the long name, read alone.
fn read(path: &Path, manifest: &Manifest) -> Result<Vec<u8>, ArtefactError> {
    let artefact = Identified::local(path, &manifest.encoding, &[])?;
    let is_wanted = |record: &FileRecord| record.path.as_bytes() != b"data/large";
    let mut members = artefact.chosen_members(manifest, is_wanted, &CancelFlag::new())?;
    assert!(matches!(members, ArtefactMembers::Chosen(_)), "everything is read");
    members.next_member()?.unwrap();
    let (mut content, mut buffer) = (Vec::new(), [0; 4]);
    while let length @ 1.. = members.read(&mut buffer)? {
        content.extend_from_slice(&buffer[..length]);
    }
    assert!(members.next_member()?.is_none());
    Ok(content)
}

#[test]
fn a_member_with_a_damaged_name_is_damage() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("db.tar");
    let long_name = "n".repeat(200);
    let manifest = write(&path, &long_name);
    assert_eq!(read(&path, &manifest).unwrap(), WANTED);

    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(200).position(|window| window == long_name.as_bytes()).unwrap();
    bytes[place + 199] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = read(&path, &manifest).unwrap_err();
    assert!(error.is_damage(), "{error}");
}
