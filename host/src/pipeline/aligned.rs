//! Memory that a disk can take bytes from by itself.

/// What direct writes ask of addresses, offsets and lengths: the largest sector in use.
pub(super) const ALIGNMENT: usize = 4096;
/// Bytes of a block: long enough for a disk to be busy, and a few of them cost no memory to speak of.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// A buffer at an aligned address.
#[derive(Debug)]
pub(super) struct AlignedBlock {
    memory: Vec<u8>,
    start: usize,
    used: usize,
}

impl AlignedBlock {
    /// An empty block.
    pub(super) fn new() -> Self {
        let memory = vec![0; BLOCK_BYTES + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, used: 0 }
    }

    /// Forgets what is in it.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// True if nothing more fits.
    pub(super) fn is_full(&self) -> bool {
        self.used == BLOCK_BYTES
    }

    /// Takes as much of `bytes` as fits, and answers what does not.
    pub(super) fn append<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let room = BLOCK_BYTES - self.used;
        let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        let from = self.start + self.used;
        if let Some(place) = self.memory.get_mut(from..from + now.len()) {
            place.copy_from_slice(now);
        }
        self.used += now.len();
        later
    }

    /// Fills up with zeros to the alignment.
    pub(super) fn pad(&mut self) {
        let end = self.used.next_multiple_of(ALIGNMENT);
        if let Some(rest) = self.memory.get_mut(self.start + self.used..self.start + end) {
            rest.fill(0);
        }
        self.used = end;
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.used).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_lies_at_an_aligned_address_and_keeps_what_it_takes() {
        let mut block = AlignedBlock::new();
        assert!(block.append(b"ibdata").is_empty());
        assert_eq!(block.bytes(), b"ibdata");
        assert_eq!(block.bytes().as_ptr().align_offset(ALIGNMENT), 0);
        block.pad();
        assert_eq!(block.bytes().len(), ALIGNMENT);
        assert!(block.bytes().starts_with(b"ibdata\0\0"));
        block.clear();
        let more = vec![7; BLOCK_BYTES + 3];
        assert_eq!(block.append(&more), [7, 7, 7]);
        assert!(block.is_full());
        assert_eq!(block.bytes(), &more[..BLOCK_BYTES]);
    }
}
