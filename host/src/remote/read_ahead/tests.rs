//! Threads: as many as there are blocks, and none when the object is gone.
use super::*;
use std::time::{Duration, Instant};

const BLOCK: u64 = 64 << 10;
const PARALLEL: u16 = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// So many zeros.
struct Zeros(u64);

impl BlockSource for Zeros {
    fn length(&self) -> u64 {
        self.0
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, PluginError> {
        let rest = usize::try_from(self.0.saturating_sub(offset)).unwrap();
        Ok(rest.min(buffer.len()))
    }
}

fn object(length: u64) -> ReadAheadObject {
    let limits =
        TargetLimits { parallel_reads: PARALLEL, read_bytes: BLOCK, extra: serde_json::Map::new() };
    ReadAheadObject::new(Zeros(length), &limits)
}

/// Each thread shares the source with its object until the object is gone.
fn threads(object: &ReadAheadObject) -> usize {
    Arc::strong_count(&object.reader) - 1
}

fn read_whole(object: &ReadAheadObject) -> u64 {
    let (mut read, mut buffer) = (0, [1; 10_000]);
    loop {
        match object.read(read, &mut buffer).unwrap() {
            0 => return read,
            length => {
                assert!(buffer[..length].iter().all(|byte| *byte == 0));
                buffer.fill(1);
                read += length as u64;
            }
        }
    }
}

#[test]
fn an_object_has_no_more_threads_than_blocks() {
    for (length, expected) in [(0, 0), (1, 1), (BLOCK, 1), (BLOCK + 1, 2), (9 * BLOCK, 4)] {
        let object = object(length);
        object.announce(0..length);
        assert_eq!(threads(&object), 0, "nothing was read of {length} bytes");
        assert_eq!(read_whole(&object), length);
        assert_eq!(threads(&object), expected, "of {length} bytes");
    }
}

#[test]
fn the_threads_of_an_object_end_with_it() {
    let object = object(9 * BLOCK);
    read_whole(&object);
    let source = Arc::downgrade(&object.reader);
    assert!(source.strong_count() > 1);
    drop(object);
    let deadline = Instant::now() + PATIENCE;
    while source.strong_count() > 0 {
        assert!(Instant::now() < deadline, "{} threads are left", source.strong_count());
        thread::yield_now();
    }
}
