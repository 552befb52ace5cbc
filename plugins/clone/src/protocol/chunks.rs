//! How far each chunk of the current stage has come: what a donor must know to go on after a cut.

use std::collections::BTreeMap;

use crate::{protocol::event::Task, rpc::MAX_CHUNKS};

/// Chunks and their blocks.
#[derive(Debug, Default)]
pub(crate) struct ChunkMap {
    /// A bit for each chunk that has begun, 32 in a word; the first chunk is number 1.
    words: Vec<u32>,
    /// Blocks that have come of chunks that may not be whole.
    partial: BTreeMap<u32, u32>,
    /// The chunk that each connection is at.
    current: BTreeMap<Task, u32>,
}

impl ChunkMap {
    /// A stage with so many chunks, none of which has begun.
    pub(crate) fn of_stage(chunks: u32) -> Self {
        let words = usize::try_from(chunks.min(MAX_CHUNKS).div_ceil(32)).unwrap_or(0);
        Self { words: vec![0; words], ..Self::default() }
    }

    /// A block has come whole. The first block of another chunk says that the one before is whole.
    pub(crate) fn block_done(&mut self, task: Task, chunk: u32, block: u32) {
        let Some(index) = chunk.checked_sub(1) else {
            return;
        };
        if self.current.get(&task) != Some(&chunk) {
            self.task_done(task);
            self.current.insert(task, chunk);
        }
        let word = usize::try_from(index / 32).unwrap_or(0);
        // The reader bounds the numbers of chunks.
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (index % 32);
        }
        self.partial.insert(chunk, block);
    }

    /// A connection has nothing more of this stage: its last chunk is whole.
    pub(crate) fn task_done(&mut self, task: Task) {
        if let Some(chunk) = self.current.remove(&task) {
            self.partial.remove(&chunk);
        }
    }

    /// All connections are cut: what they were at stays as it is.
    pub(crate) fn cut(&mut self) {
        self.current.clear();
    }

    /// The part of a locator that tells a donor how far we are.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = Vec::with_capacity(8 + 8 * self.partial.len() + 4 * self.words.len());
        bytes.extend(count(self.partial.len()));
        for (chunk, blocks) in &self.partial {
            bytes.extend(chunk.to_be_bytes());
            bytes.extend(blocks.to_be_bytes());
        }
        bytes.extend(count(self.words.len()));
        for word in &self.words {
            bytes.extend(word.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
