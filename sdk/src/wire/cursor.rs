//! Reads the fields of a packet: little-endian integers, lengths, strings. Never past the end.

use crate::wire::WireError;

/// A position in a packet. Every read past the end is [`WireError::Malformed`] with the name given.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte of `packet`, which errors call `what`.
    #[must_use]
    pub fn new(packet: &'a [u8], what: &'static str) -> Self {
        Self { rest: packet, what }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when fewer are left; the same holds for all methods below.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(WireError::Malformed { what: self.what });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(WireError::Malformed { what: self.what });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    #[inline]
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes, little endian.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Three bytes, little endian.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u24(&mut self) -> Result<u32, WireError> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes, little endian.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little endian.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length-encoded integer.
    ///
    /// # Errors
    /// As [`Cursor::take`], also for the NULL marker 0xFB.
    #[inline]
    pub fn lenenc_int(&mut self) -> Result<u64, WireError> {
        match self.u8()? {
            short @ 0..=0xfa => Ok(u64::from(short)),
            0xfc => Ok(u64::from(self.u16()?)),
            0xfd => Ok(u64::from(self.u24()?)),
            0xfe => self.u64(),
            _ => Err(WireError::Malformed { what: self.what }),
        }
    }

    /// A string after its length-encoded length.
    ///
    /// # Errors
    /// As [`Cursor::take`].
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.lenenc_int()?;
        let length =
            usize::try_from(length).map_err(|_| WireError::Malformed { what: self.what })?;
        self.take(length)
    }

    /// A string up to a zero byte, which is skipped; without one, everything up to the end.
    pub fn until_nul(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == 0).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest.get(1..).unwrap_or(&[]);
        taken
    }
}

/// Appends a length-encoded integer.
pub(crate) fn put_lenenc_int(to: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    let [a, b, c, ..] = bytes;
    match value {
        0..=0xfa => to.push(a),
        0xfb..=0xffff => to.extend([0xfc, a, b]),
        0x1_0000..=0xff_ffff => to.extend([0xfd, a, b, c]),
        _ => {
            to.push(0xfe);
            to.extend(bytes);
        }
    }
}

/// Appends a string after its length-encoded length.
pub(crate) fn put_lenenc_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    // A `usize` is never longer than 64 bits on a platform that runs this.
    put_lenenc_int(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
