//! Contents of every length come back; lies of a peer are errors.
use super::*;

const BOTH: [Compression; 2] = [Compression::Zlib, Compression::Zstd];

/// Bytes that no algorithm makes shorter, and bytes that every one does.
fn contents() -> Vec<Vec<u8>> {
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let lengths = [1, 4, 49, 50, 51, 4096, COLLECT_BYTES - 1, COLLECT_BYTES, COLLECT_BYTES + 1];
    let noisy = lengths.map(|length| (0..length).map(|_| noise()).collect());
    let plain = lengths.map(|length| vec![b'x'; length]);
    noisy.into_iter().chain(plain).collect()
}

fn packed(compression: Compression, content: &[u8]) -> Vec<u8> {
    let (mut sent, mut number) = (Vec::new(), 0);
    let mut deflater = Deflater::new(compression).unwrap();
    deflater.write(&mut sent, content, &mut number).unwrap();
    deflater.flush(&mut sent, &mut number).unwrap();
    sent
}

fn opened(compression: Compression, mut sent: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let mut inflater = Inflater::new(compression)?;
    let (mut content, mut number) = (vec![0; length], 0);
    let mut filled = 0;
    while filled < length {
        filled += inflater.read(&mut sent, &mut content[filled..], &mut number)?;
    }
    Ok(content)
}

#[test]
fn contents_of_every_length_come_back() {
    for compression in BOTH {
        for content in contents() {
            let sent = packed(compression, &content);
            assert_eq!(opened(compression, &sent, content.len()).unwrap(), content);
            assert!(sent.len() <= content.len() + 2 * HEADER, "{} bytes", content.len());
        }
        let sent = packed(compression, &vec![b'x'; 100_000]);
        assert!(sent.len() < 2000, "{} bytes for nothing but x", sent.len());
    }
}

#[test]
fn empty_packets_are_passed_over() {
    for compression in BOTH {
        let mut sent = vec![0, 0, 0, 0, 0, 0, 0];
        sent.extend(packed(compression, b"later"));
        assert_eq!(opened(compression, &sent, 5).unwrap(), b"later");
    }
}

#[test]
fn a_content_of_another_length_than_announced_is_refused() {
    for compression in BOTH {
        let honest = packed(compression, &[b'x'; 1000]);
        for wrong in [1_u32, 999, 1001, 0xff_ffff] {
            let mut sent = honest.clone();
            sent[4..7].copy_from_slice(&wrong.to_le_bytes()[..3]);
            let error = opened(compression, &sent, 1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{compression:?} {wrong}");
        }
    }
}

#[test]
fn garbage_and_cut_packets_are_refused() {
    for compression in BOTH {
        let honest = packed(compression, &[b'x'; 1000]);
        let garbage = [&[5, 0, 0, 0, 100, 0, 0][..], b"\x01\x02\x03\x04\x05"].concat();
        let error = opened(compression, &garbage, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        for length in 1..honest.len() {
            let error = opened(compression, &honest[..length], 1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
    }
}
