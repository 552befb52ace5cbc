use super::*;
use crate::rpc::State;

const PAGE_BYTES: usize = 16_384;
const AT: usize = 10_390;

fn file(flags: u16) -> ClonedFile {
    ClonedFile {
        index: 3,
        space_id: 9,
        name: "./shop/orders.ibd".into(),
        member: None,
        size_bytes: 1 << 20,
        final_size_bytes: 1 << 20,
        fsp_flags: 0,
        flags,
        fs_block_bytes: 4096,
        deleted: false,
        created: false,
    }
}

fn part(offset: u64) -> DataPart {
    let (state, length, file_bytes) = (State::FileCopy, 16_384, 1 << 20);
    DataPart { state, chunk: 1, block: 1, file_index: 3, length, offset, file_bytes }
}

/// Page 0 with a key.
fn page(master_key_id: u32, key: u8, checksum: u32) -> Vec<u8> {
    let mut page = vec![7; PAGE_BYTES];
    let mut info = b"lCC".to_vec();
    info.extend(master_key_id.to_be_bytes());
    info.extend([b'u'; 36]);
    info.extend([key; 64]);
    info.extend(checksum.to_be_bytes());
    page[AT..AT + INFO_BYTES].copy_from_slice(&info);
    page
}

fn look(known: &mut KeyInfo, stage: Stage, page: &mut [u8]) -> Result<(), CloneError> {
    known.look(&file(4), stage, &part(0), page, 16_384)
}

#[test]
fn a_key_in_clear_is_replaced_by_the_wrapped_one() {
    let mut known = KeyInfo::default();
    let mut base = page(1, b'w', 99);
    look(&mut known, Stage::FileCopy, &mut base).unwrap();
    assert_eq!(base, page(1, b'w', 99), "the file copy stays as it is");
    let mut patch = page(0, b'k', 99);
    look(&mut known, Stage::PageCopy, &mut patch).unwrap();
    assert_eq!(patch[AT..AT + INFO_BYTES], base[AT..AT + INFO_BYTES]);
    assert!(!patch.windows(8).any(|bytes| bytes == [b'k'; 8]));
    let mut expected = page(1, b'w', 99);
    write_checksums(&mut expected, 0);
    assert_eq!(patch, expected);
}

#[test]
fn a_key_that_cannot_be_wrapped_ends_the_run() {
    let mut known = KeyInfo::default();
    assert!(look(&mut known, Stage::FileCopy, &mut page(0, b'k', 99)).is_err(), "in clear");
    look(&mut known, Stage::FileCopy, &mut vec![0; PAGE_BYTES]).unwrap();
    assert!(look(&mut known, Stage::PageCopy, &mut page(0, b'k', 99)).is_err(), "not known");
    look(&mut known, Stage::FileCopy, &mut page(1, b'w', 99)).unwrap();
    assert!(look(&mut known, Stage::PageCopy, &mut page(0, b'k', 98)).is_err(), "another key");
    assert!(look(&mut known, Stage::PageCopy, &mut vec![0; PAGE_BYTES]).is_err(), "no key");
    assert!(look(&mut known, Stage::PageCopy, &mut [0; 100]).is_err(), "no page");
}

#[test]
fn other_pages_and_files_are_left_alone() {
    let mut known = KeyInfo::default();
    let mut page = page(0, b'k', 99);
    known.look(&file(0), Stage::PageCopy, &part(0), &mut page, 16_384).unwrap();
    known.look(&file(4), Stage::PageCopy, &part(16_384), &mut page, 16_384).unwrap();
}

#[test]
fn the_place_follows_the_page_size() {
    for (physical, logical, at) in [
        (4096, 4096, 1558),
        (8192, 8192, 3734),
        (16_384, 16_384, 10_390),
        (65_536, 65_536, 41_110),
        (4096, 16_384, 2710),
    ] {
        assert_eq!(offset(physical, logical), at);
    }
}
