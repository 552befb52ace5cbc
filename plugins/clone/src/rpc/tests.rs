#![allow(clippy::cast_possible_truncation, reason = "names and bodies are short")]
use dbbackup_sdk::plugin_api::document::path::EntryPath;
use proptest::prelude::*;

use super::*;

/// A descriptor of a type with this body.
fn descriptor(version: u32, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    bytes.extend((12 + body.len() as u32).to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn file_body(flags: u16, name: &[u8], key: &[u8]) -> Vec<u8> {
    let mut body = 2_u32.to_be_bytes().to_vec();
    body.extend(114_688_u64.to_be_bytes());
    body.extend(114_688_u64.to_be_bytes());
    body.extend(16_417_u32.to_be_bytes());
    body.extend(4096_u32.to_be_bytes());
    body.extend(flags.to_be_bytes());
    for value in [7_u32, 3, 1, 2, name.len() as u32] {
        body.extend(value.to_be_bytes());
    }
    body.extend_from_slice(name);
    body.extend_from_slice(key);
    body
}

fn data_body(length: u32, offset: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [2_u32, 0, 5, 6, 7, length] {
        body.extend(value.to_be_bytes());
    }
    body.extend(offset.to_be_bytes());
    body.extend(1_048_576_u64.to_be_bytes());
    body
}

#[test]
fn files_are_read_with_their_names() {
    let body = file_body(0b1000, b"./shop/orders.ibd\0", b"");
    assert_eq!(descriptor(100, 4, &body).len(), 62 + 18);
    let Ok(Descriptor::File(file)) = Descriptor::parse(&descriptor(100, 4, &body)) else {
        panic!("a file");
    };
    assert_eq!(file.name, Some(EntryPath::from("./shop/orders.ibd")));
    assert_eq!((file.space_id, file.index, file.size_bytes), (7, 3, 114_688));
    assert!(file.flags.is_renamed() && !file.flags.is_deleted() && !file.flags.is_encrypted());
}

#[test]
fn keys_are_passed_over_and_said() {
    let body = file_body(0b10_0100, b"./a.ibd\0", &[9; 64]);
    let Ok(Descriptor::File(file)) = Descriptor::parse(&descriptor(100, 4, &body)) else {
        panic!("a file");
    };
    assert!(file.flags.is_encrypted());
    let short = file_body(0b10_0100, b"./a.ibd\0", &[9; 63]);
    let error = Descriptor::parse(&descriptor(100, 4, &short));
    assert_eq!(error, Err(CodecError::Short { what: "descriptor" }));
}

#[test]
fn names_end_with_their_only_nul() {
    for name in [&b"\0"[..], b"a", b"a\0b\0", b"a\0\0"] {
        let error = Descriptor::parse(&descriptor(100, 4, &file_body(0, name, b"")));
        assert_eq!(error, Err(CodecError::Name), "{name:?}");
    }
}

#[test]
fn unknown_versions_are_refused_by_name() {
    let error = Descriptor::parse(&descriptor(101, 5, &data_body(1, 0))).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "InnoDB clone descriptors of version 101 are unknown: version 100 is known"
    );
    let mut packet = vec![1];
    packet.extend(0x0104_u32.to_le_bytes());
    let error = Response::parse(&packet).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "clone protocol version 0x0104 is unknown: 0x0100 to 0x0103 are known"
    );
}

#[test]
fn other_storage_engines_are_refused() {
    let mut packet = vec![1];
    packet.extend(0x0103_u32.to_le_bytes());
    packet.extend([42, 0, 0, 0, 0]);
    assert_eq!(Response::parse(&packet), Err(CodecError::Engine { engine: 42 }));
    assert_eq!(Response::parse(&[2, 42, 0]), Err(CodecError::Engine { engine: 42 }));
}

#[test]
fn sizes_and_lengths_have_bounds() {
    for (length, offset) in [(64 * 1024 * 1024 + 1, 0), (1, 1 << 48), (1, u64::MAX)] {
        let error = Descriptor::parse(&descriptor(100, 5, &data_body(length, offset)));
        assert!(matches!(error, Err(CodecError::Value { .. })), "{length} {offset}: {error:?}");
    }
    let good = Descriptor::parse(&descriptor(100, 5, &data_body(16_384, 32_768)));
    let Ok(Descriptor::Data(part)) = good else { panic!("{good:?}") };
    assert_eq!((part.chunk, part.block, part.file_index, part.end()), (5, 6, 7, 49_152));
}

#[test]
fn the_lengths_of_descriptors_are_believed_only_if_they_fit() {
    let good = descriptor(100, 5, &data_body(1, 0));
    for length in 0..good.len() {
        assert!(Descriptor::parse(&good[..length]).is_err(), "{length}");
    }
    let mut shorter = good.clone();
    shorter[7] = 51;
    assert_eq!(Descriptor::parse(&shorter), Err(CodecError::Short { what: "descriptor" }));
    let mut longer = good;
    longer[7] = 53;
    longer.push(0);
    assert_eq!(
        Descriptor::parse(&longer),
        Err(CodecError::Trailing { what: "descriptor", bytes: 1 })
    );
}

#[test]
fn an_acknowledgement_is_the_end_of_the_stage_with_one_more_flag() {
    let mut body = Vec::new();
    for value in [2_u32, 0, 3, 4] {
        body.extend(value.to_be_bytes());
    }
    body.extend(5_u64.to_be_bytes());
    body.extend(6_u64.to_be_bytes());
    body.extend(0_u16.to_be_bytes());
    let mut bytes = descriptor(100, 3, &body);
    let Ok(Descriptor::State(change)) = Descriptor::parse(&bytes) else { panic!("a state") };
    assert!(!change.is_start() && !change.is_keep_alive());
    *bytes.last_mut().expect("a byte") = 2;
    assert_eq!(change.acknowledgement(), bytes);
}

#[test]
fn locators_say_how_far_we_are() {
    let sent = {
        let mut body = 11_u64.to_be_bytes().to_vec();
        body.extend(12_u64.to_be_bytes());
        body.extend(1_u32.to_be_bytes());
        body.extend([1, 0]);
        descriptor(100, 1, &body)
    };
    let locator = Locator::parse(&sent).expect("a locator");
    assert_eq!(locator.bytes(), sent);
    let restart = locator.for_restart(State::FileCopy, true, &[1, 2, 3]);
    assert_eq!(restart.len(), 34 + 3);
    assert_eq!(restart[7], 37);
    assert_eq!(restart[32..], [2, 1, 1, 2, 3]);
    assert_eq!(Locator::of_version().len(), 128);
    assert!(Locator::parse(&Locator::of_version()).is_ok());
}

#[test]
fn commands_have_their_layout() {
    assert_eq!(Command::Execute.bare(), [4]);
    let init = begin(Command::Init, 300, true, &[7, 8]);
    assert_eq!(init, [1, 3, 1, 0, 0, 44, 1, 0, 128, 12, 2, 0, 0, 0, 7, 8]);
    let init = begin(Command::Init, 300, false, &[]);
    assert_eq!(init[5..9], [44, 1, 0, 0]);
    assert_eq!(ack(0, &[1], &[2, 3]), [5, 0, 0, 0, 0, 12, 1, 0, 0, 0, 1, 2, 0, 0, 0, 2, 3]);
}

#[test]
fn settings_and_errors_are_read() {
    let config = [5, 2, 0, 0, 0, b'a', b'b', 1, 0, 0, 0, b'c'];
    let expected = Response::Config { name: "ab".to_owned(), value: "c".to_owned() };
    assert_eq!(Response::parse(&config), Ok(expected));
    let error = [100, 203, 4, 0, 0, b'n', b'o'];
    let expected = Response::Error { code: 1227, message: "no".to_owned() };
    assert_eq!(Response::parse(&error), Ok(expected));
    assert_eq!(Response::parse(&[99]), Ok(Response::Complete));
    assert!(Response::parse(&[99, 0]).is_err() && Response::parse(&[]).is_err());
}

/// What the fuzzer starts from, and what it has found.
#[test]
fn the_corpus_of_the_fuzzer_makes_no_panic() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/frames");
    let mut frames = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus") {
        inspect(&std::fs::read(entry.expect("an entry").path()).expect("a frame"));
        frames += 1;
    }
    assert!(frames > 30, "only {frames} frames");
}

proptest! {
    #[test]
    fn no_bytes_make_the_codec_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        inspect(&bytes);
    }

    /// Random bytes hardly get past the head of a descriptor: here it is right.
    #[test]
    fn no_body_makes_the_codec_panic(
        kind in 0_u32..7,
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut frame = vec![2, 12, 0];
        frame.extend(descriptor(100, kind, &body));
        inspect(&frame);
    }

    /// One bit of a good frame is wrong.
    #[test]
    fn no_flipped_bit_makes_the_codec_panic(at in 0_usize..90, bit in 0_u8..8) {
        for body in [file_body(0, b"./shop/orders.ibd\0", b""), data_body(16_384, 0)] {
            let mut frame = vec![2, 12, 0];
            frame.extend(descriptor(100, if body.len() == 40 { 5 } else { 4 }, &body));
            if let Some(byte) = frame.get_mut(at) {
                *byte ^= 1 << bit;
            }
            inspect(&frame);
        }
    }
}
