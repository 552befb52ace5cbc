//! CRC64NVME: of a part, of a whole out of its parts, and as S3 writes it.

use aws_smithy_checksums::ChecksumAlgorithm;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::{CrcAlgorithm, checksum_combine};

/// The checksum of bytes. A whole is put together from its parts without hashing them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crc64(u64);

impl Crc64 {
    /// Of these bytes. By the SDK's crate and not by `crc-fast` itself, which inlines all of it into the
    /// caller: a build of ours without optimisation takes a second for a gigabyte then.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut checksum = ChecksumAlgorithm::Crc64Nvme.into_impl();
        checksum.update(bytes);
        let sum = checksum.finalize();
        Self(sum.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Of these bytes followed by `length` bytes that have the checksum `next`.
    pub(crate) fn followed_by(self, next: Self, length: u64) -> Self {
        Self(checksum_combine(CrcAlgorithm::Crc64Nvme, self.0, next.0, length))
    }

    /// As S3 writes it: big-endian, base64.
    pub(crate) fn base64(self) -> String {
        STANDARD.encode(self.0.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm_comes_out() {
        assert_eq!(Crc64::of(b"123456789"), Crc64(0xae8b_1486_0a79_9888));
        assert_eq!(Crc64::of(b"123456789").base64(), "rosUhgp5mIg=");
    }

    #[test]
    fn parts_make_the_whole() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for cut in [0, 1, 4096, 123_457, bytes.len()] {
            let (head, tail) = bytes.split_at(cut);
            let length = u64::try_from(tail.len()).unwrap();
            assert_eq!(Crc64::of(head).followed_by(Crc64::of(tail), length), Crc64::of(&bytes));
        }
    }
}
