//! What kind of bytes a block holds, told from a part of it, so that each gets the search for
//! repetitions that pays. A block's own bytes alone decide: the same content is always packed into the
//! same bytes, whichever thread does it.
use std::io;
use zstd::zstd_safe::{CParameter, Strategy};

/// Bytes that are looked at: 3 % of a block.
const SAMPLE_BYTES: usize = 64 * 1024;
/// Samples that shrink to less than ten parts of this many hold repetitions that are no chance: InnoDB
/// pages of text and numbers shrink to a third, those of random digits to less than a half.
const REPETITIVE_PARTS: usize = 26;

/// What a search for repetitions finds in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texture {
    /// Text, codes, dates: repetitions everywhere, also short ones.
    Repetitive,
    /// Random digits, hashes, packed values: short repetitions are chance, and cost more than they
    /// save.
    Noisy,
}

/// Looks at blocks; of one thread.
pub(super) struct Probe {
    zstd: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl Probe {
    pub(super) fn new() -> io::Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(1)?;
        zstd.set_parameter(CParameter::Strategy(Strategy::ZSTD_fast))?;
        zstd.set_parameter(CParameter::MinMatch(6))?;
        Ok(Self { zstd, packed: vec![0; zstd::zstd_safe::compress_bound(SAMPLE_BYTES)] })
    }

    /// What a block holds in its middle: the beginning of a file is often empty.
    pub(super) fn look(&mut self, block: &[u8]) -> io::Result<Texture> {
        let start = (block.len() / 2).saturating_sub(SAMPLE_BYTES / 2);
        let rest = block.get(start..).unwrap_or_default();
        let sample = rest.get(..SAMPLE_BYTES).unwrap_or(rest);
        let packed_bytes = self.zstd.compress_to_buffer(sample, self.packed.as_mut_slice())?;
        let shrinks = packed_bytes.saturating_mul(REPETITIVE_PARTS) < sample.len() * 10;
        Ok(if shrinks { Texture::Repetitive } else { Texture::Noisy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_random_digits() {
        let mut probe = Probe::new().expect("a compressor");
        let words = ["carefully ", "pending ", "deposits ", "1996-03-13", "DELIVER IN PERSON"];
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits")
        };
        let text: String =
            (0..30_000).map(|_| words[random() % words.len()]).collect::<Vec<_>>().concat();
        let digits: Vec<u8> =
            (0..200_000).map(|_| b'0' + u8::try_from(random() % 10).expect("a digit")).collect();
        assert_eq!(probe.look(text.as_bytes()).expect("a texture"), Texture::Repetitive);
        assert_eq!(probe.look(&digits).expect("a texture"), Texture::Noisy);
        assert_eq!(probe.look(&vec![0; 100_000]).expect("a texture"), Texture::Repetitive);
        assert_eq!(probe.look(b"").expect("a texture"), Texture::Noisy);
    }
}
