//! Streams that were written at once come back one after the other, in every container.
use crate::{
    artefact::Identified,
    manifest::tests::manifest,
    pipeline::{CancelFlag, Encoding, Output, Pipeline, PipelineSpec},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, PageCheck},
    manifest::{EncodingRecord, Manifest, ObjectRecord},
};
use std::{
    fs::{self, File},
    path::Path,
};

fn meta(kind: EntryKind, path: &str, size_bytes: Option<u64>) -> EntryMeta {
    EntryMeta {
        kind,
        root: "dump".to_owned(),
        path: path.into(),
        size_bytes,
        mode: None,
        uid: None,
        gid: None,
        modified_unix: None,
        pages: PageCheck::None,
        extra: serde_json::Map::new(),
    }
}

/// Bytes that differ from one place to the next.
fn content(seed: u8, length: usize) -> Vec<u8> {
    let step = usize::from(seed) * 2 + 1;
    (0..length).map(|i| u8::try_from((i * step / 7) % 251).unwrap()).collect()
}

/// Writes two streams, pieces of them in turns where the container takes that.
fn write(path: &Path, ending: &str, streams: [&[u8]; 2]) -> Manifest {
    let encoding: Encoding = ending.parse().unwrap();
    let output = if ending == "/" {
        fs::create_dir(path).unwrap();
        Output::Directory(path.to_owned())
    } else {
        Output::Chunks(Box::new(File::create(path).unwrap()))
    };
    let pipeline = Pipeline::start(PipelineSpec::new(encoding), output).unwrap();
    let names = ["a.sql", "b.sql"];
    if ending.starts_with(".sql") {
        for (name, bytes) in names.into_iter().zip(streams) {
            let mut writer = pipeline.open_entry(&meta(EntryKind::Stream, name, None)).unwrap();
            writer.write(bytes).unwrap();
            writer.finish().unwrap();
        }
    } else {
        let mut writers =
            names.map(|name| pipeline.open_entry(&meta(EntryKind::Stream, name, None)).unwrap());
        let parts = streams.map(|bytes| bytes.chunks(3 << 20).collect::<Vec<_>>());
        for turn in 0..parts.iter().map(Vec::len).max().unwrap() {
            for (writer, parts) in writers.iter_mut().zip(&parts) {
                if let Some(part) = parts.get(turn) {
                    writer.write(part).unwrap();
                }
            }
        }
        writers.iter_mut().for_each(|writer| writer.finish().unwrap());
        let mut file = pipeline.open_entry(&meta(EntryKind::File, "f", Some(4))).unwrap();
        file.write(b"file").unwrap();
        file.finish().unwrap();
    }
    let receipt = pipeline.finish().unwrap();
    let mut manifest = manifest("b1", "db", 0);
    manifest.files = receipt.members.files;
    manifest.encoding = EncodingRecord {
        container: encoding.container().to_string(),
        compression: encoding.compression().to_string(),
        encryption: "none".to_owned(),
        recipients: Vec::new(),
    };
    manifest.objects = receipt
        .objects
        .into_iter()
        .map(|digest| ObjectRecord {
            name: "db".to_owned(),
            size_bytes: digest.size_bytes,
            sha256: digest.sha256,
            checksum: None,
        })
        .collect();
    manifest
}

fn read(path: &Path, manifest: &Manifest) -> Vec<(String, Vec<u8>)> {
    let artefact = Identified::local(path, &manifest.encoding, &[]).unwrap();
    let mut reader = artefact.streams(manifest, &CancelFlag::new()).unwrap();
    let mut streams = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            let length = reader.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..length]);
        }
        streams.push((format!("{}/{}", entry.root, entry.path), bytes));
    }
    streams
}

#[test]
fn streams_written_in_turns_come_back_one_after_the_other() {
    let (a, b) = (content(1, 70 << 20), content(2, 40 << 20));
    for ending in [".tar.zst", ".tar", "/", ".sql.gz"] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("db");
        let manifest = write(&path, ending, [&a, &b]);
        let streams = read(&path, &manifest);
        let names: Vec<_> = streams.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["dump/a.sql", "dump/b.sql"], "{ending}");
        assert!(streams[0].1 == a && streams[1].1 == b, "{ending}");
    }
}

#[test]
fn a_stream_that_is_not_read_is_passed_over() {
    let (a, b) = (content(1, 20 << 20), content(2, 100));
    for ending in [".tar.zst", "/", ".sql.zst"] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("db");
        let manifest = write(&path, ending, [&a, &b]);
        let artefact = Identified::local(&path, &manifest.encoding, &[]).unwrap();
        let mut reader = artefact.streams(&manifest, &CancelFlag::new()).unwrap();
        reader.next_entry().unwrap().unwrap();
        let mut buffer = vec![0; 1000];
        assert!(reader.read(&mut buffer).unwrap() > 0, "{ending}");
        assert_eq!(reader.next_entry().unwrap().unwrap().path.as_bytes(), b"b.sql", "{ending}");
        let mut read_bytes = 0;
        while let length @ 1.. = reader.read(&mut buffer).unwrap() {
            read_bytes += length;
        }
        assert_eq!(read_bytes, 100, "{ending}");
        assert!(reader.next_entry().unwrap().is_none(), "{ending}");
    }
}

#[test]
fn damage_in_a_piece_is_an_error_before_its_end() {
    let (a, b) = (content(1, 5 << 20), content(2, 100));
    for ending in [".tar", "/", ".sql"] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("db");
        let manifest = write(&path, ending, [&a, &b]);
        let bytes_at = if ending == "/" { path.join("dump/a.sql") } else { path.clone() };
        let mut bytes = fs::read(&bytes_at).unwrap();
        bytes[1 << 20] ^= 1;
        fs::write(&bytes_at, bytes).unwrap();
        let artefact = Identified::local(&path, &manifest.encoding, &[]).unwrap();
        let mut reader = artefact.streams(&manifest, &CancelFlag::new()).unwrap();
        reader.next_entry().unwrap().unwrap();
        let mut buffer = vec![0; 1 << 20];
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(0) => panic!("{ending}: damage was passed on as content"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_damage(), "{ending}: {error}");
    }
}
