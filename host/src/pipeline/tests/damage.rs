//! Artefacts that were cut or changed: always an error where there is a digest, and without one
//! never other content than what was written.
use super::{
    PipelineReceipt, TARS, noise, open_stream, push_file, read_all, read_spec, secret_line, start,
};
use crate::pipeline::read::ReadError;

/// A small artefact with several members.
fn artefact(ending: &str) -> (Vec<u8>, PipelineReceipt) {
    let (pipeline, memory) = start(ending);
    if ending.starts_with(".tar") {
        push_file(&pipeline, "data/ibdata1", &noise(1, 300_000)).unwrap();
        push_file(&pipeline, "data/zeros", &[0; 5000]).unwrap();
        push_file(&pipeline, "data/shop/t.ibd", &noise(2, 2_000_000)).unwrap();
    } else {
        let mut stream = open_stream(&pipeline, "dump/all.sql").unwrap();
        stream.write(&noise(3, 2_300_000)).unwrap();
        stream.finish().unwrap();
    }
    let receipt = pipeline.finish().unwrap();
    (memory.bytes(), receipt)
}

/// Offsets all over an artefact, dense at both ends, where headers and marks are.
fn offsets(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| *at < 40 || len - at < 35 || at % (len / 20) == 7)
}

#[test]
fn every_cut_is_an_error() {
    for ending in TARS.into_iter().chain([".sql.gz", ".sql.zst", ".sql.zst.age"]) {
        let (bytes, _) = artefact(ending);
        let spec = read_spec(ending, None);
        read_all(&spec, &bytes).unwrap();
        for len in offsets(bytes.len()) {
            let error = read_all(&spec, &bytes[..len]).expect_err("a cut artefact was read");
            assert!(error.to_string().contains(ending), "{ending} cut at {len}: {error}");
        }
    }
}

#[test]
fn every_cut_of_a_plain_text_is_an_error_with_its_record() {
    let (bytes, receipt) = artefact(".sql");
    for len in offsets(bytes.len()) {
        read_all(&read_spec(".sql", Some(&receipt)), &bytes[..len]).unwrap_err();
    }
}

#[test]
fn every_flip_is_an_error_with_a_digest_and_never_other_content_without() {
    for ending in TARS.into_iter().chain([".sql", ".sql.gz", ".sql.zst"]) {
        let (mut bytes, receipt) = artefact(ending);
        let whole = read_spec(ending, Some(&receipt));
        let mut lenient = read_spec(ending, Some(&receipt));
        lenient.digests = Vec::new();
        let good = read_all(&whole, &bytes).unwrap();
        for at in offsets(bytes.len()) {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            read_all(&whole, &bytes).expect_err("a changed artefact was read");
            if let Ok(read) = read_all(&lenient, &bytes) {
                assert!(read == good, "{ending}: other content after a flip at {at}");
            }
            bytes[at] ^= bit;
        }
    }
}

#[test]
fn flips_in_a_compressed_block_name_its_offset() {
    for ending in [".tar.gz", ".tar.zst"] {
        let (mut bytes, receipt) = artefact(ending);
        let mut spec = read_spec(ending, Some(&receipt));
        spec.digests = Vec::new();
        // The second block, of a tenth of the content.
        let second = bytes.len() - 10_000;
        bytes[second] ^= 4;
        match read_all(&spec, &bytes).unwrap_err() {
            ReadError::Damaged { offset, name, .. } => {
                assert!(offset > 0 && usize::try_from(offset).unwrap() < second, "{offset}");
                assert_eq!(name, format!("backup{ending}"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn bytes_behind_the_end_and_missing_members_are_errors() {
    for ending in TARS {
        let (mut bytes, mut receipt) = artefact(ending);
        let mut more = receipt.members.files[0].clone();
        more.path = "data/never/written".into();
        receipt.members.files.push(more);
        let mut spec = read_spec(ending, Some(&receipt));
        spec.digests = Vec::new();
        let error = read_all(&spec, &bytes).unwrap_err();
        assert!(matches!(error, ReadError::MissingMember { .. }), "{ending}: {error:?}");
        bytes.extend_from_slice(b"x");
        read_all(&read_spec(ending, None), &bytes).expect_err("trailing bytes were read");
    }
}

#[test]
fn a_member_that_is_not_its_record_is_an_error() {
    let (bytes, mut receipt) = artefact(".tar");
    receipt.members.files[2].sha256 = "00".repeat(32);
    match read_all(&read_spec(".tar", Some(&receipt)), &bytes).unwrap_err() {
        ReadError::WrongMember { path, .. } => assert_eq!(path, "data/shop/t.ibd".into()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_key_and_no_key_are_told_apart() {
    let (bytes, _) = artefact(".tar.gz.age");
    let mut spec = read_spec(".tar.gz.age", None);
    spec.identities = crate::pipeline::read::Identities::default();
    let error = read_all(&spec, &bytes).unwrap_err();
    assert!(matches!(error, ReadError::IdentityMissing { .. }), "{error:?}");
    let line = secret_line(&age::x25519::Identity::generate());
    spec.identities = crate::pipeline::read::Identities::parse(line.as_bytes()).unwrap();
    let error = read_all(&spec, &bytes).unwrap_err();
    assert!(matches!(error, ReadError::Decrypt { .. }), "{error:?}");
}
