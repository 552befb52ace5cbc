//! Reads the fields of a packet, never past its end.

/// A position in a packet.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Starts at the first byte of what errors call `what`.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// Whether everything has been read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`CodecError::Short`] if fewer are left; the same holds for all methods below.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(CodecError::Short { what: self.what });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(CodecError::Short { what: self.what });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes of a descriptor.
    pub(crate) fn u16_be(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes of a descriptor.
    pub(crate) fn u32_be(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes of a descriptor.
    pub(crate) fn u64_be(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Four bytes of a response.
    pub(crate) fn u32_le(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Four bytes of a response, with a sign.
    pub(crate) fn i32_le(&mut self) -> Result<i32, CodecError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// Bytes of a response after their length.
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.u32_le()?;
        let what = self.what;
        self.take(usize::try_from(length).map_err(|_| CodecError::Short { what })?)
    }

    /// Text of a response after its length.
    pub(crate) fn text(&mut self) -> Result<String, CodecError> {
        Ok(String::from_utf8_lossy(self.counted()?).into_owned())
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`CodecError::Trailing`].
    pub(crate) fn end(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(CodecError::Trailing { what: self.what, bytes }),
        }
    }
}

/// Why bytes of a donor are not the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    /// It ends too early.
    #[error("{what} is cut off")]
    Short {
        /// What was read.
        what: &'static str,
    },
    /// It is longer than it should be.
    #[error("{what} has {bytes} bytes too many")]
    Trailing {
        /// What was read.
        what: &'static str,
        /// How many.
        bytes: usize,
    },
    /// A version that we do not speak.
    #[error("clone protocol version {version:#06x} is unknown: 0x0100 to 0x0103 are known")]
    ProtocolVersion {
        /// What the donor answered.
        version: u32,
    },
    /// Descriptors of a form that we do not know.
    #[error("InnoDB clone descriptors of version {version} are unknown: version 100 is known")]
    DescriptorVersion {
        /// What the descriptor says.
        version: u32,
    },
    /// Data of another storage engine.
    #[error("the donor sends data of storage engine {engine}, and only InnoDB (12) is known")]
    Engine {
        /// Its number in the protocol.
        engine: u8,
    },
    /// A value that cannot be.
    #[error("{what} cannot be {value}")]
    Value {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// The name of a file that is none.
    #[error("a file name is empty, too long, or not ended by one NUL")]
    Name,
    /// A packet that does not belong here.
    #[error("{what} came where {expected} was expected")]
    Order {
        /// What came.
        what: String,
        /// What should have come.
        expected: &'static str,
    },
}
