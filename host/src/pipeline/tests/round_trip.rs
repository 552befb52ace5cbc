//! What goes in comes back, from any encoding, in order and one member alone.
use super::{
    Bytes, EntryKind, EntryPath, TARS, add_local, meta, noise, open_stream, push_file, read_all,
    read_content, read_spec, record, start,
};
use crate::pipeline::read::ReadError;
use proptest::prelude::*;
use std::{fs::File, io::Write, os::unix::fs::FileExt, sync::Arc};

/// Sizes around every boundary: records, blocks, nothing.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        1..2000usize,
        (2 << 20) - 1100..(2 << 20) + 1100usize,
        4_000_000..4_500_000usize,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn files_come_back_from_every_encoding(
        files in prop::collection::vec((sizes(), any::<u64>()), 0..6),
        ending in prop::sample::select(TARS.to_vec()),
    ) {
        let (pipeline, memory) = start(ending);
        let files: Vec<_> = files
            .into_iter()
            .enumerate()
            .map(|(number, (len, seed))| (format!("data/{number}.ibd"), noise(seed, len)))
            .collect();
        for (path, content) in &files {
            push_file(&pipeline, path, content).unwrap();
        }
        let receipt = pipeline.finish().unwrap();
        let bytes = memory.bytes();
        prop_assert_eq!(receipt.objects.len(), 1);
        prop_assert_eq!(receipt.objects[0].size_bytes, bytes.len() as u64);
        let spec = read_spec(ending, Some(&receipt));
        let read = read_all(&spec, &bytes).unwrap();
        prop_assert_eq!(read.len(), files.len());
        let source = Arc::new(Bytes(bytes));
        for ((path, content), (read_path, read_content_)) in files.iter().zip(read) {
            prop_assert_eq!(&EntryPath::from(path.as_str()), &read_path);
            prop_assert!(*content == read_content_);
            let mut alone = spec.member_alone(source.clone(), record(&receipt, path)).unwrap();
            let header = alone.next_member().unwrap().unwrap().clone();
            prop_assert_eq!(header.path, read_path);
            prop_assert_eq!(header.size_bytes, content.len() as u64);
            prop_assert!(read_content(&mut alone).unwrap() == *content);
            prop_assert!(alone.next_member().unwrap().is_none());
        }
    }
}

#[test]
fn owner_mode_time_and_long_names_come_back() {
    let long = format!("data/{}/t1.ibd", "schema_with_a_name".repeat(12));
    for ending in TARS {
        let (pipeline, memory) = start(ending);
        let mut directory = meta(EntryKind::Directory, "data/shop", None);
        directory.mode = Some(0o2750);
        pipeline.open_entry(&directory).unwrap().finish().unwrap();
        let mut file = meta(EntryKind::File, &long, Some(3));
        (file.mode, file.uid, file.gid) = (Some(0o600), Some(u32::MAX - 1), Some(65_534));
        let mut writer = pipeline.open_entry(&file).unwrap();
        writer.write(b"abc").unwrap();
        writer.finish().unwrap();
        let receipt = pipeline.finish().unwrap();
        assert!(receipt.members.files[0].sha256.is_empty());
        let spec = read_spec(ending, Some(&receipt));
        let mut members = spec.members(std::io::Cursor::new(memory.bytes())).unwrap();
        let header = members.next_member().unwrap().unwrap();
        assert_eq!((header.kind, header.mode), (EntryKind::Directory, 0o2750));
        let header = members.next_member().unwrap().unwrap();
        assert_eq!(header.path, EntryPath::from(long.as_str()));
        assert_eq!((header.mode, header.uid, header.gid), (0o600, u32::MAX - 1, 65_534));
        assert_eq!(header.modified_unix, 1_700_000_000);
        members.finish().unwrap();
    }
}

#[test]
fn a_text_is_divided_by_its_records() {
    for ending in [".sql", ".sql.gz", ".sql.zst", ".sql.gz.age"] {
        let (pipeline, memory) = start(ending);
        let texts = [noise(1, 1_500_000), Vec::new(), noise(2, 40), noise(3, 2_000_000)];
        for (number, text) in texts.iter().enumerate() {
            let mut stream = open_stream(&pipeline, &format!("dump/{number}.sql")).unwrap();
            for chunk in text.chunks(65_537) {
                stream.write(chunk).unwrap();
            }
            stream.finish().unwrap();
        }
        let receipt = pipeline.finish().unwrap();
        let spec = read_spec(ending, Some(&receipt));
        let read = read_all(&spec, &memory.bytes()).unwrap();
        assert_eq!(read.iter().map(|(_, text)| text).collect::<Vec<_>>(), Vec::from_iter(&texts));
        let whole = read_all(&read_spec(ending, None), &memory.bytes()).unwrap();
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].1, texts.concat());
        let source = Arc::new(Bytes(memory.bytes()));
        let last = record(&receipt, "dump/3.sql");
        let mut alone = spec.member_alone(source, last).unwrap();
        alone.next_member().unwrap().unwrap();
        assert_eq!(read_content(&mut alone).unwrap(), texts[3]);
    }
}

#[test]
fn local_files_are_read_in_parallel_and_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let contents: Vec<_> = (0..5).map(|seed| noise(seed, 1_300_000)).collect();
    for (number, content) in contents.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), content).unwrap();
    }
    let (pipeline, memory) = start(".tar.zst");
    for number in 0..contents.len() {
        let source = folder.path().join(number.to_string());
        add_local(&pipeline, &format!("data/{number}"), &source).unwrap();
        // All of it is read when the call returns.
        std::fs::remove_file(source).unwrap();
    }
    assert_eq!(pipeline.records().unwrap().files.len(), contents.len());
    let receipt = pipeline.finish().unwrap();
    let read = read_all(&read_spec(".tar.zst", Some(&receipt)), &memory.bytes()).unwrap();
    assert_eq!(read.into_iter().map(|(_, content)| content).collect::<Vec<_>>(), contents);
}

#[test]
fn holes_take_no_room_and_come_back_as_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.ibd");
    let file = File::create(&path).unwrap();
    // More ranges than one header holds, and a hole at the end.
    for range in 0..60 {
        file.write_all_at(&noise(range, 5000), range * 1_000_000).unwrap();
    }
    file.set_len(80_000_000).unwrap();
    let (pipeline, memory) = start(".tar");
    add_local(&pipeline, "data/sparse.ibd", &path).unwrap();
    let receipt = pipeline.finish().unwrap();
    let bytes = memory.bytes();
    assert!(bytes.len() < 2_000_000, "{} bytes", bytes.len());
    let spec = read_spec(".tar", Some(&receipt));
    let read = read_all(&spec, &bytes).unwrap();
    assert!(read[0].1 == std::fs::read(&path).unwrap());
    let mut alone =
        spec.member_alone(Arc::new(Bytes(bytes)), record(&receipt, "data/sparse.ibd")).unwrap();
    assert_eq!(alone.next_member().unwrap().unwrap().size_bytes, 80_000_000);
    let copy_path = folder.path().join("copy.ibd");
    let copy = File::create(&copy_path).unwrap();
    alone.copy_to_file(&copy, &copy_path).unwrap();
    assert!(std::fs::read(&copy_path).unwrap() == std::fs::read(&path).unwrap());
    let blocks = std::os::unix::fs::MetadataExt::blocks(&copy.metadata().unwrap());
    assert!(blocks * 512 < 2_000_000, "{blocks} blocks");
}

#[test]
fn artefacts_of_other_programs_are_read_too() {
    let text = noise(9, 3_000_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).unwrap();
    let gzip = gzip.finish().unwrap();
    assert!(read_all(&read_spec(".sql.gz", None), &gzip).unwrap()[0].1 == text);
    let cut = &gzip[..gzip.len() / 2];
    let error = read_all(&read_spec(".sql.gz", None), cut).unwrap_err();
    assert!(matches!(error, ReadError::CutOff { .. }), "{error:?}");
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    zstd.write_all(&text).unwrap();
    let zstd = zstd.finish().unwrap();
    assert!(read_all(&read_spec(".sql.zst", None), &zstd).unwrap()[0].1 == text);
    read_all(&read_spec(".sql.zst", None), &zstd[..zstd.len() - 7]).unwrap_err();
}

#[test]
fn an_artefact_without_entries_is_whole() {
    for ending in [".sql", ".sql.gz", ".sql.zst", ".tar", ".tar.gz", ".tar.zst.age"] {
        let (pipeline, memory) = start(ending);
        let receipt = pipeline.finish().unwrap();
        let read = read_all(&read_spec(ending, Some(&receipt)), &memory.bytes()).unwrap();
        assert!(read.is_empty(), "{ending}");
    }
}
