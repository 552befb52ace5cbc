//! Framing around the length of a full piece, without a server: what is written is read back.

use std::io::{self, Read};

use super::{
    FrameError, HEADER, MAX_PIECE, PacketReader, PieceBuffer, READ_BUFFER_BYTES, Sequence,
    SequenceRule, write_parts,
};
use crate::wire::WireError;

/// Hands out bytes in small, uneven portions, as a socket may.
struct Portions<'a> {
    bytes: &'a [u8],
    portion: usize,
}

impl Read for Portions<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.portion.min(self.bytes.len()).min(buffer.len());
        let (now, later) = self.bytes.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0]).collect()
}

fn read_all(bytes: &[u8], portion: usize, payloads: &[Vec<u8>]) {
    let mut from = Portions { bytes, portion };
    let mut reader = PacketReader::new();
    let mut sequence = Sequence::default();
    for payload in payloads {
        sequence.restart();
        let range = reader.read(&mut from, &mut sequence).expect("valid packets");
        assert!(reader.slice(range).expect("a range of the buffer") == payload.as_slice());
    }
    assert!(from.bytes.is_empty() && !reader.has_unread());
}

#[test]
fn payloads_of_every_critical_length_come_back() {
    let lengths = [
        0,
        1,
        READ_BUFFER_BYTES - HEADER,
        READ_BUFFER_BYTES,
        MAX_PIECE - 1,
        MAX_PIECE,
        MAX_PIECE + 1,
        2 * MAX_PIECE,
        2 * MAX_PIECE + 70_000,
    ];
    let payloads: Vec<Vec<u8>> = lengths.iter().map(|length| pattern(*length)).collect();
    let (mut at_once, mut piecewise) = (Vec::new(), Vec::new());
    for payload in &payloads {
        let mut sequence = Sequence::default();
        let (head, tail) = payload.split_at(payload.len() / 3);
        write_parts(&mut at_once, &mut sequence, &[head, &[], tail]).expect("a vector takes all");
        let mut sequence = Sequence::default();
        let mut pieces = PieceBuffer::default();
        for part in payload.chunks(1_000_003) {
            pieces.push(&mut piecewise, &mut sequence, part).expect("a vector takes all");
        }
        pieces.finish(&mut piecewise, &mut sequence).expect("a vector takes all");
    }
    assert!(at_once == piecewise, "the two ways to write differ");
    read_all(&at_once, 100_001, &payloads);
    read_all(&at_once, 7_000_003, &payloads);
}

#[test]
fn a_full_piece_is_followed_by_an_empty_one() {
    let mut written = Vec::new();
    let payload = vec![7; MAX_PIECE];
    write_parts(&mut written, &mut Sequence::default(), &[&payload]).expect("a vector takes all");
    assert_eq!(written.len(), MAX_PIECE + 2 * HEADER);
    assert_eq!(written[..HEADER], [0xff, 0xff, 0xff, 0]);
    assert_eq!(written[MAX_PIECE + HEADER..], [0, 0, 0, 1]);
}

fn read_one(bytes: &[u8], rule: SequenceRule) -> Result<Vec<u8>, FrameError> {
    let mut reader = PacketReader::new();
    reader.set_limit(1000);
    let mut sequence = Sequence { rule, ..Sequence::default() };
    let mut from = Portions { bytes, portion: 3 };
    let mut last = Vec::new();
    while !from.bytes.is_empty() || reader.has_unread() {
        let range = reader.read(&mut from, &mut sequence)?;
        last = reader.slice(range)?.to_vec();
    }
    Ok(last)
}

#[test]
fn sequence_numbers_are_checked_as_the_dialogue_demands() {
    let up = [1, 0, 0, 0, 9, 1, 0, 0, 1, 8];
    let same = [1, 0, 0, 0, 9, 1, 0, 0, 0, 8];
    let error = [1, 0, 0, 0, 9, 1, 0, 0, 0, 0xff];
    let refused = |outcome: Result<Vec<u8>, FrameError>| {
        matches!(outcome, Err(FrameError::Wire(WireError::Malformed { .. })))
    };
    assert_eq!(read_one(&up, SequenceRule::Command).expect("one up"), [8]);
    assert!(refused(read_one(&same, SequenceRule::Command)));
    assert_eq!(read_one(&error, SequenceRule::Command).expect("errors come at any time"), [0xff]);
    assert_eq!(read_one(&same, SequenceRule::EachPayload).expect("from 0 each"), [8]);
    assert!(refused(read_one(&up, SequenceRule::EachPayload)));
    assert_eq!(read_one(&same, SequenceRule::Unchecked).expect("anything goes"), [8]);
}

#[test]
fn truncated_and_oversized_payloads_are_errors() {
    for cut in 1..=5 {
        let outcome = read_one(&[2, 0, 0, 0, 9, 9][..cut], SequenceRule::Command);
        match outcome {
            Err(FrameError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    let outcome = read_one(&[0xe9, 3, 0, 0, 9], SequenceRule::Command);
    assert!(matches!(outcome, Err(FrameError::Wire(WireError::PacketTooLarge { .. }))));
}
