//! Files that are written in whole blocks, past the page cache where their file system can: a copy of
//! the data that nobody reads again would drive the server's own pages out of memory, cost processors a
//! copy, and leave the disk idle until the end.
use super::{aligned::AlignedBlock, output::ChunkWriter};
use dbbackup_plugin_api::chunk::Chunk;
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use std::{fs::File, io, os::unix::fs::FileExt};

/// A file that may bypass the page cache.
#[derive(Debug)]
pub(super) struct UncachedFile(File);

impl UncachedFile {
    /// A file that nobody else writes to.
    ///
    /// # Errors
    /// Its flags cannot be changed; that its file system knows no direct writes is none.
    pub(super) fn new(file: File) -> io::Result<Self> {
        // A file system that cannot do it says so here or at the first write.
        set_direct(&file, true).or_else(only_unsupported)?;
        Ok(Self(file))
    }

    /// A file that goes through the page cache: a small one.
    pub(super) fn cached(file: File) -> Self {
        Self(file)
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Writes bytes, which need be aligned for speed alone.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.0.write_all_at(bytes, offset) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                set_direct(&self.0, false)?;
                self.0.write_all_at(bytes, offset)
            }
            written => written,
        }
    }

    /// Cuts off what filled up the last block, and makes the file durable.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn finish(&self, size_bytes: u64) -> io::Result<()> {
        if self.0.metadata()?.len() != size_bytes {
            self.0.set_len(size_bytes)?;
        }
        self.0.sync_all()
    }
}

fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(fcntl_setfl(file, flags)?)
}

fn only_unsupported(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(code) if code == Errno::INVAL.raw_os_error() => Ok(()),
        _ => Err(error),
    }
}

/// An artefact's own file, empty at first: written in order and in whole blocks.
#[derive(Debug)]
pub struct BlockFile {
    file: UncachedFile,
    block: AlignedBlock,
    /// Where the block goes.
    offset: u64,
}

impl BlockFile {
    /// Takes over an empty file that nobody else writes to.
    ///
    /// # Errors
    /// Its flags cannot be changed.
    pub fn new(file: File) -> io::Result<Self> {
        Ok(Self { file: UncachedFile::new(file)?, block: AlignedBlock::new(), offset: 0 })
    }

    /// Appends bytes, and writes each block that is full.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.block.append(rest);
            if self.block.is_full() {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Writes the rest and makes everything durable.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn finish(&mut self) -> io::Result<()> {
        let size_bytes = self.offset + self.block.bytes().len() as u64;
        self.block.pad();
        self.write_block()?;
        self.file.finish(size_bytes)
    }

    fn write_block(&mut self) -> io::Result<()> {
        self.file.write(self.block.bytes(), self.offset)?;
        self.offset += self.block.bytes().len() as u64;
        self.block.clear();
        Ok(())
    }
}

impl ChunkWriter for BlockFile {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        self.append(&chunk)
    }

    fn finish(&mut self) -> io::Result<()> {
        Self::finish(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_go_past_the_page_cache_goes_through_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ibdata1");
        let file = UncachedFile::new(File::create_new(&path).expect("a file")).expect("a file");
        file.write(b"unaligned", 3).expect("written");
        file.finish(11).expect("finished");
        assert_eq!(std::fs::read(&path).expect("readable"), b"\0\0\0unaligne");
    }

    #[test]
    fn an_artefact_of_any_length_is_what_was_appended() {
        let directory = tempfile::tempdir().expect("a directory");
        let bytes: Vec<u8> = (0..3_000_017_u32).map(|at| at.to_le_bytes()[0] ^ 0x5a).collect();
        for (name, step) in [("large", 700_001), ("small", 17)] {
            let path = directory.path().join(name);
            let wanted = if name == "small" { bytes.get(..51).unwrap() } else { &bytes };
            let mut file = BlockFile::new(File::create_new(&path).expect("a file")).expect("flags");
            wanted.chunks(step).for_each(|piece| file.append(piece).expect("written"));
            file.finish().expect("durable");
            assert!(std::fs::read(&path).expect("readable") == wanted, "{name}");
        }
    }
}
