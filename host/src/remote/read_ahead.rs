//! Reads of one object that fetch what comes next before it is asked for: a store far away gives one
//! connection a fraction of what several get.
//!
//! Within a range that was announced, as many blocks as the place likes are under way, and nothing
//! beyond it is fetched. Reads that nobody announced begin small and grow as long as they go on in their
//! order, so that a look at a header does not fetch megabytes.
#[cfg(test)]
mod tests;

use crate::{
    pipeline::read::RangedRead,
    plugin::{LoadedReader, PluginError},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use dbbackup_plugin_api::document::target::TargetLimits;
use std::{
    collections::VecDeque,
    io::{self, Read as _},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// Bytes of the first read that nobody announced.
const FIRST_BYTES: u64 = 256 << 10;
/// Most blocks under way, whatever a place says.
const MOST_PARALLEL: u16 = 32;
/// Smallest and largest block, whatever a place says.
const BLOCK_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(16 << 20);

/// What blocks are fetched from, several at the same time.
pub(crate) trait BlockSource: Send + Sync + 'static {
    /// Length in bytes.
    fn length(&self) -> u64;

    /// Fills the buffer from `offset`; fewer bytes only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, PluginError>;
}

impl BlockSource for LoadedReader {
    fn length(&self) -> u64 {
        Self::length(self)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, PluginError> {
        Self::read_at(self, offset, buffer)
    }
}

/// One object, read ahead. Dropped, its threads end, and its blocks are gone.
pub(crate) struct ReadAheadObject {
    reader: Arc<dyn BlockSource>,
    parallel: usize,
    block_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What will be read, as far as is known.
    expected: Range<u64>,
    /// What is fetched next.
    next: u64,
    /// Bytes that an unannounced read in order is followed by.
    growth: u64,
    under_way: VecDeque<UnderWay>,
    current: Option<Block>,
    /// Room of blocks that were read, for the next ones: memory that is known already.
    spare: Vec<Vec<u8>>,
    /// None before the first fetch.
    fetches: Option<Sender<Fetch>>,
}

/// A block that somebody fetches.
struct UnderWay {
    range: Range<u64>,
    answer: Receiver<Result<Vec<u8>, PluginError>>,
}

/// A block that is here.
struct Block {
    offset: u64,
    bytes: Vec<u8>,
}

/// A block that is to be fetched.
struct Fetch {
    range: Range<u64>,
    /// What it may be fetched into.
    room: Vec<u8>,
    answer: Sender<Result<Vec<u8>, PluginError>>,
}

impl ReadAheadObject {
    /// An open object; nothing is fetched yet.
    pub(crate) fn new(reader: impl BlockSource, limits: &TargetLimits) -> Self {
        let parallel = usize::from(limits.parallel_reads.clamp(1, MOST_PARALLEL));
        let block_bytes = limits.read_bytes.clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end());
        Self { reader: Arc::new(reader), parallel, block_bytes, state: Mutex::default() }
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.reader.length()
    }

    /// A range that will be read in its order.
    /// Fetching begins with its first read.
    pub(crate) fn announce(&self, range: Range<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.restart(range.start..range.end.min(self.length()));
    }

    /// Fills the front of `buffer` from `offset`; 0 only at the end.
    ///
    /// # Errors
    /// The engine's, inside an [`io::Error`].
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.with_bytes(offset, buffer.len(), |mut bytes| bytes.read(buffer))?
    }

    /// Shows the bytes from `offset` on, at most so many and none only at the end, without a copy.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(crate) fn with_bytes<T>(
        &self,
        offset: u64,
        most: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<T> {
        if offset >= self.length() {
            return Ok(take(&[]));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(bytes) = state.at_hand(offset) {
                return Ok(take(bytes.get(..most).unwrap_or(bytes)));
            }
            state.drop_passed(offset);
            match state.take_first(|first| first.range.contains(&offset)) {
                Some(first) => {
                    self.fill(&mut state)?;
                    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
                    let bytes = first.answer.recv().map_err(|_| gone())?;
                    let bytes = bytes.map_err(io::Error::other)?;
                    if bytes.is_empty() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    state.replace(Block { offset: first.range.start, bytes });
                }
                None => {
                    let range = self.unannounced(&mut state, offset);
                    state.restart(range);
                    self.fill(&mut state)?;
                }
            }
        }
    }

    /// What is fetched for a read that was not announced, or goes on beyond what was.
    fn unannounced(&self, state: &mut State, offset: u64) -> Range<u64> {
        if state.expected.contains(&offset) {
            return offset..state.expected.end;
        }
        let most = self.block_bytes.saturating_mul(self.parallel as u64);
        let goes_on = offset == state.expected.end && state.growth > 0;
        let grown = state.growth.saturating_mul(2).min(most);
        state.growth = if goes_on { grown } else { FIRST_BYTES };
        offset..offset.saturating_add(state.growth).min(self.length())
    }

    /// Has everything fetched that may be under way.
    fn fill(&self, state: &mut State) -> io::Result<()> {
        while state.under_way.len() < self.parallel && state.next < state.expected.end {
            let end = state.next.saturating_add(self.block_bytes).min(state.expected.end);
            let (answer, under_way) = bounded(1);
            let range = state.next..end;
            let room = state.spare.pop().unwrap_or_default();
            let fetch = Fetch { range: range.clone(), room, answer };
            let fetches = match &state.fetches {
                Some(fetches) => fetches,
                None => state.fetches.insert(self.start_threads()?),
            };
            // Never full: no more fetches than threads and places in the queue are under way.
            fetches.send(fetch).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            state.under_way.push_back(UnderWay { range, answer: under_way });
            state.next = end;
        }
        Ok(())
    }

    fn start_threads(&self) -> io::Result<Sender<Fetch>> {
        // Fetches that nobody waits for any more may still be in the queue.
        let (fetches, queue) = bounded(self.parallel * 2);
        for _ in 0..self.threads() {
            let (queue, reader) = (queue.clone(), Arc::clone(&self.reader));
            thread::Builder::new()
                .name("read-ahead".to_owned())
                .spawn(move || fetch_all(&queue, reader.as_ref()))?;
        }
        Ok(fetches)
    }

    /// As many as the place likes, and no more than the object has blocks: a manifest is one.
    fn threads(&self) -> usize {
        let blocks = self.length().div_ceil(self.block_bytes);
        usize::try_from(blocks).unwrap_or(usize::MAX).clamp(1, self.parallel)
    }
}

impl State {
    /// Begins anew with a range; what is under way for another one is dropped when it comes.
    fn restart(&mut self, range: Range<u64>) {
        self.under_way.clear();
        self.next = range.start;
        self.expected = range;
    }

    /// What is here from an offset on.
    fn at_hand(&self, offset: u64) -> Option<&[u8]> {
        let block = self.current.as_ref()?;
        let start = usize::try_from(offset.checked_sub(block.offset)?).ok()?;
        block.bytes.get(start..).filter(|bytes| !bytes.is_empty())
    }

    /// Goes on to the next block.
    fn replace(&mut self, block: Block) {
        let passed = self.current.replace(block);
        self.spare.extend(passed.map(|block| block.bytes));
    }

    /// The first block under way, if it is such a one.
    fn take_first(&mut self, is_such: impl Fn(&UnderWay) -> bool) -> Option<UnderWay> {
        self.under_way.front().is_some_and(is_such).then(|| self.under_way.pop_front()).flatten()
    }

    /// Drops blocks before `offset`, which the reader has skipped.
    fn drop_passed(&mut self, offset: u64) {
        while self.take_first(|first| first.range.end <= offset).is_some() {}
    }
}

/// A thread that fetches until nobody can ask any more.
fn fetch_all(queue: &Receiver<Fetch>, reader: &dyn BlockSource) {
    for Fetch { range, room, answer } in queue {
        // Nobody waits any more if the reader has gone elsewhere.
        drop(answer.send(fetch(range, room, reader)));
    }
}

fn fetch(
    range: Range<u64>,
    mut bytes: Vec<u8>,
    reader: &dyn BlockSource,
) -> Result<Vec<u8>, PluginError> {
    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    bytes.resize(wanted, 0);
    let mut filled = 0;
    while filled < wanted {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        match reader.read_at(range.start + filled as u64, rest)? {
            0 => break,
            length => filled += length,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

impl RangedRead for ReadAheadObject {
    fn size_bytes(&self) -> u64 {
        self.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(offset, buffer)
    }

    fn expect(&self, range: Range<u64>) {
        self.announce(range);
    }
}
