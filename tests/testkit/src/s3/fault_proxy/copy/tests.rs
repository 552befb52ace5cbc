use super::{Copied, Treatment, copy};
use std::time::{Duration, Instant};

fn copied(source: &[u8], limit: u64, treatment: Treatment) -> (Copied, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (mut source, mut written, mut noted) = (source, Vec::new(), 0);
    let copied = runtime
        .block_on(copy(&mut source, &mut written, limit, treatment, |bytes| noted += bytes))
        .unwrap();
    assert_eq!(noted, copied.bytes);
    (copied, written)
}

#[test]
fn one_bit_is_flipped_wherever_the_buffer_ends() {
    let source = vec![0; 200_000];
    for at in [0, 65_535, 65_536, 199_999] {
        let treatment = Treatment { flip_at: Some(at), ..Treatment::default() };
        let (_, written) = copied(&source, 200_000, treatment);
        let flipped: Vec<usize> = (0..written.len()).filter(|place| written[*place] != 0).collect();
        assert_eq!(flipped, [usize::try_from(at).unwrap()]);
    }
}

#[test]
fn the_limit_and_the_end_of_the_source_end_it() {
    let (moved, written) = copied(b"abcdef", 4, Treatment::default());
    assert_eq!((moved.bytes, written.as_slice()), (4, b"abcd".as_slice()));
    let (moved, _) = copied(b"abcdef", 10, Treatment::default());
    assert_eq!(moved.bytes, 6);
}

#[test]
fn the_last_chunk_is_recognised_at_any_pace() {
    let slow = Treatment { bytes_per_second: Some(40), ..Treatment::default() };
    for treatment in [Treatment::default(), slow] {
        assert!(copied(b"1\r\na\r\n0\r\n\r\n", u64::MAX, treatment).0.ends_with_last_chunk());
    }
    assert!(!copied(b"1\r\na\r\n0\r\n", u64::MAX, Treatment::default()).0.ends_with_last_chunk());
}

#[test]
fn a_slowed_body_takes_its_time() {
    let slow = Treatment { bytes_per_second: Some(10_000), ..Treatment::default() };
    let started = Instant::now();
    copied(&[0; 2000], 2000, slow);
    assert!(started.elapsed() >= Duration::from_millis(200));
}
