//! Targets that fail, stall or are never finished; entries that break their promises.
use super::{
    Chunk, ChunkWriter, EntryKind, Memory, Output, Pipeline, PipelineError, add_local, meta, noise,
    open_stream, push_file, spec, start,
};
use crate::pipeline::CancelFlag;
use std::{
    io,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Takes so many bytes and is full then.
struct Full {
    room: usize,
    alive: Arc<()>,
}

impl ChunkWriter for Full {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        self.room = self.room.checked_sub(chunk.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        assert!(Arc::strong_count(&self.alive) > 1);
        Err(io::ErrorKind::StorageFull.into())
    }
}

fn run(pipeline: Pipeline) -> Result<(), PipelineError> {
    push_file(&pipeline, "data/a", &noise(1, 2_000_000))?;
    push_file(&pipeline, "data/b", &noise(2, 3_000_000))?;
    pipeline.finish().map(drop)
}

#[test]
fn a_full_target_fails_the_run_at_any_byte_and_keeps_its_kind() {
    for ending in [".tar", ".tar.gz", ".tar.zst.age"] {
        for step in 0..20 {
            let (alive, room) = (Arc::new(()), step * 260_000);
            let full = Full { room, alive: alive.clone() };
            let pipeline = Pipeline::start(spec(ending), Output::Chunks(Box::new(full))).unwrap();
            let error = run(pipeline).expect_err("a full target was reported as success");
            assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull), "{error:?}");
            assert!(error.is_target());
            // All threads are gone, and with them the target.
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    }
}

/// Stalls until the run is cancelled, as a target that waits for its store does.
struct Stalled {
    cancel: CancelFlag,
}

impl ChunkWriter for Stalled {
    fn write_chunk(&mut self, _chunk: Chunk) -> io::Result<()> {
        while !self.cancel.sleep(Duration::from_secs(1)) {}
        Err(io::ErrorKind::Interrupted.into())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that a stalled pipeline takes before it blocks, and what the blocked call answers.
fn fill_stalled(ending: &str, kind: EntryKind) -> (usize, PipelineError) {
    let mut spec = spec(ending);
    spec.threads = std::num::NonZeroUsize::new(2);
    let (cancel, progress) = (spec.cancel.clone(), spec.progress.clone());
    let output = Output::Chunks(Box::new(Stalled { cancel: cancel.clone() }));
    let pipeline = Pipeline::start(spec, output).unwrap();
    let taken = AtomicUsize::new(0);
    let error = std::thread::scope(|scope| {
        let pusher = scope.spawn(|| {
            let size = Some(1 << 40).filter(|_| kind == EntryKind::File);
            let mut writer = pipeline.open_entry(&meta(kind, "data/endless", size)).unwrap();
            let chunk = noise(1, 100_000);
            loop {
                if let Err(error) = writer.write(&chunk) {
                    return error;
                }
                taken.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        });
        let (mut before, mut still) = (0, Instant::now());
        while still.elapsed() < Duration::from_millis(700) {
            let now = taken.load(Ordering::SeqCst);
            if now != before {
                (before, still) = (now, Instant::now());
            }
            CancelFlag::new().sleep(Duration::from_millis(20));
        }
        assert!(progress.engine_is_waiting());
        cancel.cancel();
        pusher.join().unwrap()
    });
    (taken.into_inner(), error)
}

#[test]
fn a_stalled_target_bounds_what_is_taken_and_cancelling_ends_the_wait() {
    for (ending, kind) in [
        (".tar", EntryKind::File),
        (".tar.gz", EntryKind::File),
        (".sql.zst", EntryKind::Stream),
        (".tar.zst", EntryKind::Stream),
    ] {
        let (taken, error) = fill_stalled(ending, kind);
        assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
        assert!((1_000_000..40_000_000).contains(&taken), "{ending}: {taken} bytes in memory");
    }
}

#[test]
fn a_dropped_pipeline_ends_its_threads_and_fails_its_writers() {
    let alive = Arc::new(());
    let full = Full { room: usize::MAX, alive: alive.clone() };
    let pipeline = Pipeline::start(spec(".tar.gz"), Output::Chunks(Box::new(full))).unwrap();
    let mut writer = open_stream(&pipeline, "dump/t.sql").unwrap();
    writer.write(&noise(1, 3_000_000)).unwrap();
    drop(pipeline);
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(matches!(writer.write(b"x"), Err(PipelineError::Aborted)));
    assert!(matches!(writer.finish(), Err(PipelineError::Aborted)));
}

#[test]
fn entries_that_break_their_promise_fail_the_run() {
    let (pipeline, _) = start(".tar");
    let mut writer = pipeline.open_entry(&meta(EntryKind::File, "data/a", Some(5))).unwrap();
    let error = writer.write(b"123456").unwrap_err();
    assert_eq!(error.to_string(), "entry data/a: more than the promised 5 bytes");
    assert_eq!(pipeline.finish().unwrap_err().to_string(), error.to_string());

    let (pipeline, _) = start(".tar");
    let mut writer = pipeline.open_entry(&meta(EntryKind::File, "data/a", Some(5))).unwrap();
    writer.write(b"1234").unwrap();
    let error = writer.finish().unwrap_err();
    assert_eq!(error.to_string(), "entry data/a: 4 of the promised 5 bytes");

    let (pipeline, _) = start(".tar");
    drop(pipeline.open_entry(&meta(EntryKind::File, "data/a", Some(5))).unwrap());
    let error = push_file(&pipeline, "data/b", b"").unwrap_err();
    assert_eq!(error.to_string(), "entry data/a was given up before its end");
}

#[test]
fn refused_entries_leave_the_pipeline_usable() {
    let (pipeline, _) = start(".tar");
    for path in ["data/../etc/passwd", "data//a", "data/.", "data/", ""] {
        let refused = push_file(&pipeline, path, b"x").unwrap_err();
        assert!(matches!(refused, PipelineError::UnsafePath { .. }), "{path}: {refused:?}");
    }
    let refused = pipeline.open_entry(&meta(EntryKind::File, "data/a", None)).err().unwrap();
    assert_eq!(refused.to_string(), "entry data/a: a file needs a size");
    push_file(&pipeline, "data/a", b"x").unwrap();
    assert_eq!(pipeline.finish().unwrap().members.files.len(), 1);

    let (pipeline, _) = start(".sql");
    let refused = push_file(&pipeline, "data/a", b"x").unwrap_err();
    assert_eq!(refused.to_string(), "entry data/a: a sql output holds no File entries");
    pipeline.finish().unwrap();
}

#[test]
fn local_files_that_are_gone_or_shorter_are_errors_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, _) = start(".tar.gz");
    let error = add_local(&pipeline, "data/a", &folder.path().join("a")).unwrap_err();
    assert!(error.is_source() && error.io_kind() == Some(io::ErrorKind::NotFound));

    let path = folder.path().join("short");
    std::fs::write(&path, b"12345").unwrap();
    let mut short = meta(EntryKind::File, "data/short", Some(6));
    short.mode = None;
    let entry = super::LocalEntry { meta: short, source: path };
    let error = pipeline.add_local(&[entry]).unwrap_err();
    assert!(matches!(error, PipelineError::SourceShrank { expected_bytes: 6, .. }), "{error:?}");

    let error = add_local(&pipeline, "data/folder", folder.path()).unwrap_err();
    assert!(matches!(error, PipelineError::OtherKind { .. }), "{error:?}");
}

#[test]
fn the_rate_limit_holds_for_the_output() {
    let mut spec = spec(".tar");
    spec.limit_rate = NonZeroU64::new(8_000_000);
    let output = Output::Chunks(Box::new(Memory::default()));
    let pipeline = Pipeline::start(spec, output).unwrap();
    let start = Instant::now();
    run(pipeline).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
}

#[test]
fn contradictory_requests_are_refused() {
    let memory = || Output::Chunks(Box::new(Memory::default()));
    let mut needs = spec(".tar.age");
    needs.recipients.clear();
    let error = Pipeline::start(needs, memory()).err().unwrap();
    assert_eq!(error.to_string(), "an output that ends in .tar.age needs recipients to encrypt to");
    let error = Pipeline::start(spec("/"), memory()).err().unwrap();
    assert_eq!(error.to_string(), "an output that ends in / cannot be written to a stream");
    let line = super::secret_line(&super::KEY);
    let error = line.parse::<super::Recipient>().unwrap_err().to_string();
    assert!(error.contains("secret key") && !error.contains(&line[20..30]), "{error}");
}
