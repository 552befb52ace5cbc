//! Memory is that of the parts on their way, however long the stream and however large the parts.
use super::{DEADLINE, START, streamer, wishes::Believing};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, Random, Running, S3Operation, S3Sink, wait_until};
use std::{fs, io::Write as _};

/// What a process had in memory at most so far.
const PEAK: &str = "VmHWM:";
/// What is a process's own of its memory. The code of host and plugins is several times as large without
/// optimisation as it is where it is used, and says nothing of what they need.
const OWN: &str = "RssAnon:";
/// Looks in a row that must find no growth for memory to count as full: two seconds of them.
const STEADY_LOOKS: u32 = 200;

/// What is promised: bytes that an uploader may have in memory.
fn most_bytes(workers: u64, part_bytes: u64) -> u64 {
    (workers + 2) * part_bytes + 60_000_000
}

#[test]
fn memory_is_that_of_the_parts_on_their_way() -> Result<()> {
    const PART_BYTES: u64 = 8 << 20;
    const WORKERS: u64 = 4;
    let example = streamer::example()?;
    let sink = S3Sink::start()?;
    let options = [format!("workers={WORKERS}"), format!("part_size={PART_BYTES}")];
    let mut run = streamer::begin(&example, &sink.access(), "db.tar").args(options).spawn()?;
    let mut input = run.stdin.take().context("its input")?;
    let mut random = Random::announced("a long stream");
    let chunk: Vec<u8> =
        std::iter::repeat_with(|| random.bits().to_le_bytes()).take(1 << 17).flatten().collect();
    // Several times what it may hold.
    for _ in 0..500 {
        input.write_all(&chunk)?;
    }
    let peak = memory_bytes(run.id(), PEAK)?.context("no peak")?;
    drop(input);
    ensure!(run.wait()?.success(), "the example failed");
    let limit = most_bytes(WORKERS, PART_BYTES);
    ensure!(peak < limit, "{peak} bytes of {limit}");
    // Were it not for the parts, the figure would say nothing of them.
    ensure!(peak > 2 * PART_BYTES, "{peak} bytes are no parts");
    Ok(())
}

/// With a dump that outgrows all buffers.
mod acceptance {
    use super::*;

    #[test]
    fn a_backup_with_large_parts_needs_no_more_memory_than_these() -> Result<()> {
        const PART_BYTES: u64 = 64 << 20;
        const WORKERS: u64 = 2;
        let store = Believing::start()?;
        // As text twice these 140 MB: more than all buffers together.
        store.server.sql(
            "CREATE TABLE shop.large (id INT PRIMARY KEY, b LONGBLOB); \
             INSERT INTO shop.large WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 140) SELECT i, REPEAT(RANDOM_BYTES(1000), 1000) FROM n",
        )?;
        store.proxy.add(FaultRule::on(S3Operation::Part, Fault::Hold));
        let parts = ["--part-size", "64M", "--workers", "2"];
        let mut run = store.stream("db.sql").args(parts).start()?;
        let (mut peak, mut looks) = (0, 0);
        wait_until("all buffers are full", START, || {
            let more = most_of_workers(&run)?;
            looks = if more > peak { 0 } else { looks + 1 };
            peak = peak.max(more);
            Ok(peak > (WORKERS + 1) * PART_BYTES && looks > STEADY_LOOKS)
        })?;
        store.proxy.clear();
        wait_until("the run ends", DEADLINE, || {
            peak = peak.max(most_of_workers(&run)?);
            Ok(!run.is_running())
        })?;
        run.wait()?.expect_success()?;
        let limit = most_bytes(WORKERS, PART_BYTES);
        ensure!(peak < limit, "{peak} bytes of {limit}");
        Ok(())
    }
}

/// What any worker of a run that is alive has in memory at most now.
fn most_of_workers(run: &Running) -> Result<u64> {
    let mut most = 0;
    for worker in run.workers()? {
        most = most.max(memory_bytes(worker, OWN)?.unwrap_or(0));
    }
    Ok(most)
}

/// A figure of a process, bytes; none if it has ended.
fn memory_bytes(process: u32, figure: &str) -> Result<Option<u64>> {
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { return Ok(None) };
    let line = status.lines().find_map(|line| line.strip_prefix(figure));
    let Some(line) = line else { return Ok(None) };
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(Some(kib * 1024))
}
