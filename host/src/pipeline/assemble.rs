//! The front of an archive pipeline: puts members into blocks, one behind the other.
use super::{
    block::{BLOCK_BYTES, Block, FileRange, MemberStart, Part, SourceFile},
    error::PipelineError,
    sparse::DataRange,
    stages::{Shared, Stages},
};
use crossbeam_channel::bounded;
use std::sync::Arc;

/// A piece below this size is copied into the running block instead of getting blocks of its own.
const SMALL_PIECE_BYTES: usize = BLOCK_BYTES / 4;

/// Fills blocks and submits them.
pub(super) struct Assembler {
    shared: Shared,
    stages: Stages,
    current: Block,
}

impl Assembler {
    pub(super) fn new(shared: Shared, stages: Stages) -> Self {
        let current = shared.pool.block();
        Self { shared, stages, current }
    }

    /// Starts a member; `header` is empty where the container has none.
    pub(super) fn begin(
        &mut self,
        start: Box<MemberStart>,
        header: &[u8],
    ) -> Result<(), PipelineError> {
        self.current.mark(Part::Begin(start));
        self.framing(header)
    }

    /// Adds bytes of the container.
    pub(super) fn framing(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.current.copy_framing(rest);
            rest = rest.get(taken..).unwrap_or_default();
            self.submit_full()?;
        }
        Ok(())
    }

    /// Adds content of the open member.
    pub(super) fn content(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.current.copy_content(rest);
            rest = rest.get(taken..).unwrap_or_default();
            self.submit_full()?;
        }
        Ok(())
    }

    /// Adds content of the open member that the workers read from a file.
    pub(super) fn file(
        &mut self,
        source: &Arc<SourceFile>,
        range: DataRange,
    ) -> Result<(), PipelineError> {
        let (mut offset, end) = (range.offset, range.offset + range.len);
        while offset < end {
            let room = self.current.room();
            let len = usize::try_from(end - offset).map_or(room, |left| left.min(room));
            self.current.reserve_file(FileRange { source: source.clone(), offset, len });
            offset += len as u64;
            self.submit_full()?;
        }
        Ok(())
    }

    /// Adds zeros to the open member that take no bytes in the container.
    pub(super) fn hole(&mut self, len: u64) {
        self.current.mark(Part::Hole(len));
    }

    /// Ends the open member.
    pub(super) fn end(&mut self, padding: &[u8]) -> Result<(), PipelineError> {
        self.current.mark(Part::End);
        self.framing(padding)
    }

    /// Adds a whole member whose content is in blocks already; large ones are not copied.
    pub(super) fn member(
        &mut self,
        start: Box<MemberStart>,
        header: &[u8],
        content: Vec<Block>,
        padding: &[u8],
    ) -> Result<(), PipelineError> {
        self.begin(start, header)?;
        let total: usize = content.iter().map(Block::len).sum();
        if total < SMALL_PIECE_BYTES {
            for block in content {
                self.content(block.bytes())?;
                self.shared.pool.recycle(block);
            }
        } else {
            for block in content {
                self.submit_current(block)?;
            }
            self.submit_full()?;
        }
        self.end(padding)
    }

    /// Submits what there is, and answers once every byte so far is read and hashed.
    pub(super) fn drain(&mut self) -> Result<(), PipelineError> {
        let (reached, wait) = bounded(1);
        self.current.mark(Part::Barrier(reached));
        self.submit()?;
        let answer = self.shared.latch.recv(&wait)?;
        answer.ok_or_else(|| self.shared.latch.fail(PipelineError::StageDied))
    }

    /// Submits the rest and waits until the target is durable.
    pub(super) fn finish(mut self) -> Result<Vec<super::output::OutputDigest>, PipelineError> {
        let submitted = self.submit();
        match submitted {
            Ok(()) => self.stages.finish(),
            Err(error) => {
                self.stages.abort();
                Err(error)
            }
        }
    }

    /// Ends all threads; whatever was written is worthless.
    pub(super) fn abort(self) {
        self.stages.abort();
    }

    fn submit_full(&mut self) -> Result<(), PipelineError> {
        if self.current.room() == 0 { self.submit() } else { Ok(()) }
    }

    fn submit(&mut self) -> Result<(), PipelineError> {
        let next = self.shared.pool.block();
        self.submit_current(next)
    }

    /// Submits the current block, unless it is empty, and goes on with `next`.
    fn submit_current(&mut self, next: Block) -> Result<(), PipelineError> {
        let full = std::mem::replace(&mut self.current, next);
        if full.is_empty() {
            self.shared.pool.recycle(full);
            return Ok(());
        }
        self.stages.submit(full)
    }
}
