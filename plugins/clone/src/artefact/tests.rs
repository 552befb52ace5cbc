use std::io::Cursor;

use dbbackup_sdk::plugin_api::document::path::EntryPath;
use proptest::prelude::*;

use super::*;

fn written(records: &[(u32, u64, Vec<u8>)], chunk_bytes: usize) -> Vec<u8> {
    let mut writer = RecordWriter::new(Vec::new(), chunk_bytes);
    for (index, offset, bytes) in records {
        writer.append(*index, *offset, bytes).expect("a vector takes everything");
    }
    let (stream, count, bytes) = writer.finish().expect("a vector takes everything");
    assert_eq!(count, records.len() as u64);
    assert_eq!(bytes, records.iter().map(|(_, _, bytes)| bytes.len() as u64).sum::<u64>());
    stream
}

fn read(stream: &[u8]) -> Result<Vec<(u32, u64, Vec<u8>)>, RecordError> {
    let mut reader = RecordReader::new(Cursor::new(stream))?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push((record.file_index, record.offset, record.bytes.to_vec()));
    }
    Ok(records)
}

#[test]
fn layout_of_a_stream_is_fixed() {
    let stream = written(&[(7, 0x0102, b"page".to_vec())], 64);
    let mut expected = b"DBBREC1\n".to_vec();
    expected.extend([0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2]);
    expected.extend(b"page");
    expected.extend([255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(stream, expected);
}

#[test]
fn streams_that_are_cut_off_or_longer_are_refused() {
    let stream = written(&[(1, 0, vec![1; 100]), (2, 5, vec![2; 3])], 64);
    for length in 0..stream.len() {
        let cut = read(&stream[..length]);
        assert!(matches!(cut, Err(RecordError::CutOff { .. })), "{length}: {cut:?}");
    }
    let mut longer = stream.clone();
    longer.push(0);
    assert!(matches!(read(&longer), Err(RecordError::Behind { records: 2 })));
    let mut fewer = stream.clone();
    fewer.drain(8..8 + 16 + 100);
    assert!(matches!(read(&fewer), Err(RecordError::Count { counted: 2, records: 1 })));
}

#[test]
fn foreign_bytes_and_endless_records_are_refused() {
    assert!(matches!(read(b"PK\x03\x04 and so on"), Err(RecordError::NotRecords)));
    let mut long = b"DBBREC1\n".to_vec();
    long.extend([0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(read(&long), Err(RecordError::TooLong { record: 0, bytes: 0x0400_0001 })));
}

#[test]
fn long_records_are_handed_on_as_they_are() {
    let long = vec![5; 4096];
    let mut writer = RecordWriter::new(Vec::new(), 1024);
    writer.append(1, 0, b"short").expect("a vector takes everything");
    writer.append(2, 7, &long).expect("a vector takes everything");
    let (stream, records, bytes) = writer.finish().expect("a vector takes everything");
    assert_eq!((records, bytes), (2, 4101));
    assert_eq!(read(&stream).expect("records"), [(1, 0, b"short".to_vec()), (2, 7, long)]);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        records in prop::collection::vec(
            (0..u32::MAX, any::<u64>(), prop::collection::vec(any::<u8>(), 0..300)), 0..40),
        chunk_bytes in 32_usize..2000,
    ) {
        let stream = written(&records, chunk_bytes);
        prop_assert_eq!(read(&stream).map_err(|error| TestCaseError::fail(error.to_string()))?, records);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut stream = b"DBBREC1\n".to_vec();
        stream.extend(bytes);
        let outcome = read(&stream);
        prop_assert!(outcome.is_ok() || outcome.is_err());
    }
}

fn document() -> CloneDocument {
    CloneDocument {
        schema: CloneDocument::schema(),
        protocol_version: 0x0103,
        descriptor_version: 100,
        page_size_bytes: 16384,
        encrypted: false,
        ddl_blocked: false,
        layout: Layout::Files,
        donor: Donor {
            configs: [("version".to_owned(), "9.7.4".to_owned())].into(),
            plugins: vec![DonorPlugin { name: "clone".into(), library: "mysql_clone.so".into() }],
            collations: vec!["utf8mb4_0900_ai_ci".to_owned()],
        },
        files: vec![ClonedFile {
            index: 1,
            space_id: 2,
            name: EntryPath::from("./shop/orders.ibd"),
            member: Some(EntryPath::from("data/shop/orders.ibd")),
            size_bytes: 114_688,
            final_size_bytes: 114_688,
            fsp_flags: 16417,
            flags: 0,
            fs_block_bytes: 4096,
            deleted: false,
            created: false,
        }],
        changes: vec![Change {
            kind: ChangeKind::Delete,
            index: 1,
            stage: Stage::PageCopy,
            space_id: 2,
            from: Some(EntryPath::from("./shop/orders.ibd")),
            to: None,
            member: None,
            size_bytes: 0,
            fsp_flags: 0,
            flags: 0,
        }],
        redo: vec![RedoFile { index: 0, size_bytes: 3_276_800 }],
        streams: vec![StreamCount {
            path: pages_path(1),
            stage: Stage::PageCopy,
            records: 3,
            bytes: 49_152,
        }],
    }
}

#[test]
fn documents_come_back() {
    let bytes = document().to_bytes().expect("it can be written");
    assert_eq!(CloneDocument::parse(&bytes).expect("it can be read"), document());
}

#[test]
fn documents_of_another_schema_are_refused_by_name() {
    let later = CloneDocument { schema: "dbbackup.clone/2".to_owned(), ..document() };
    let bytes = later.to_bytes().expect("it can be written");
    let error = CloneDocument::parse(&bytes).expect_err("another schema");
    assert!(matches!(&error, DocumentError::Schema { schema } if schema == "dbbackup.clone/2"));
}
