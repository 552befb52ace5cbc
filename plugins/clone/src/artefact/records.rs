//! Streams of records: bytes, and the place in a file where they belong.
//!
//! A stream begins with [`MAGIC`]. Each record is a file index (4 bytes), a length (4), an offset (8),
//! all big-endian, and the bytes. The last record has the index [`END_INDEX`], no bytes, and the
//! number of the records before it as its offset: a stream without it was cut off.

use std::io::{self, Read};

/// First bytes of a stream.
const MAGIC: [u8; 8] = *b"DBBREC1\n";
/// Index of the last record.
const END_INDEX: u32 = u32::MAX;
/// Bytes before those of a record.
const HEADER_BYTES: usize = 16;
/// Longest record: the longest block of a donor.
pub(crate) const MAX_RECORD_BYTES: u32 = 64 * 1024 * 1024;

/// Where the bytes of a stream go.
pub(crate) trait RecordOutput {
    /// Why it takes no more.
    type Error;

    /// Takes bytes.
    ///
    /// # Errors
    /// It takes no more.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl RecordOutput for dbbackup_sdk::EntryWriter {
    type Error = dbbackup_sdk::HostError;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.write_bytes(bytes)
    }
}

impl RecordOutput for Vec<u8> {
    type Error = std::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Writes records, gathered into chunks.
#[derive(Debug)]
pub(crate) struct RecordWriter<W> {
    output: W,
    buffer: Vec<u8>,
    chunk_bytes: usize,
    records: u64,
    bytes: u64,
}

impl<W: RecordOutput> RecordWriter<W> {
    /// Begins a stream that is handed on in chunks of about this size.
    pub(crate) fn new(output: W, chunk_bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(chunk_bytes);
        buffer.extend_from_slice(&MAGIC);
        Self { output, buffer, chunk_bytes, records: 0, bytes: 0 }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The output takes no more; a record of more than [`MAX_RECORD_BYTES`] cannot be, since the
    /// protocol's reader refuses it before.
    pub(crate) fn append(
        &mut self,
        file_index: u32,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), W::Error> {
        self.header(file_index, u32::try_from(bytes.len()).unwrap_or(u32::MAX), offset);
        self.records += 1;
        self.bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > self.chunk_bytes {
            self.flush()?;
        }
        // What would fill the buffer by itself is handed on from where it is.
        if bytes.len() >= self.chunk_bytes / 2 {
            self.flush()?;
            return self.output.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() + HEADER_BYTES > self.chunk_bytes { self.flush() } else { Ok(()) }
    }

    /// Ends the stream; answers the output, the number of records and their bytes.
    ///
    /// # Errors
    /// As [`RecordWriter::append`].
    pub(crate) fn finish(mut self) -> Result<(W, u64, u64), W::Error> {
        self.header(END_INDEX, 0, self.records);
        self.flush()?;
        Ok((self.output, self.records, self.bytes))
    }

    fn header(&mut self, file_index: u32, length: u32, offset: u64) {
        self.buffer.extend_from_slice(&file_index.to_be_bytes());
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(&offset.to_be_bytes());
    }

    fn flush(&mut self) -> Result<(), W::Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.output.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// One record; its bytes are in the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'r> {
    /// The file.
    pub(crate) file_index: u32,
    /// Where in the file.
    pub(crate) offset: u64,
    /// What to write there.
    pub(crate) bytes: &'r [u8],
}

/// Reads records.
#[derive(Debug)]
pub(crate) struct RecordReader<R> {
    input: R,
    buffer: Vec<u8>,
    records: u64,
    ended: bool,
}

impl<R: Read> RecordReader<R> {
    /// Begins to read a stream.
    ///
    /// # Errors
    /// [`RecordError::Read`], [`RecordError::NotRecords`], [`RecordError::CutOff`].
    pub(crate) fn new(mut input: R) -> Result<Self, RecordError> {
        let mut magic = [0; MAGIC.len()];
        fill(&mut input, &mut magic, 0)?;
        if magic != MAGIC {
            return Err(RecordError::NotRecords);
        }
        Ok(Self { input, buffer: Vec::new(), records: 0, ended: false })
    }

    /// Records read so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The next record, or nothing behind the last one.
    ///
    /// # Errors
    /// [`RecordError`]; nothing more can be read then.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        if self.ended {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        fill(&mut self.input, &mut header, self.records)?;
        let (file_index, length, offset) = split_header(header);
        if file_index == END_INDEX {
            return self.end(length, offset);
        }
        if length > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong { record: self.records, bytes: length });
        }
        self.buffer.resize(usize::try_from(length).unwrap_or(0), 0);
        fill(&mut self.input, &mut self.buffer, self.records)?;
        self.records += 1;
        Ok(Some(Record { file_index, offset, bytes: &self.buffer }))
    }

    fn end(&mut self, length: u32, counted: u64) -> Result<Option<Record<'_>>, RecordError> {
        if length != 0 || counted != self.records {
            return Err(RecordError::Count { counted, records: self.records });
        }
        match self.input.read(&mut [0]) {
            Ok(0) => {
                self.ended = true;
                Ok(None)
            }
            Ok(_) => Err(RecordError::Behind { records: self.records }),
            Err(source) => Err(RecordError::Read { record: self.records, source }),
        }
    }
}

fn split_header(header: [u8; HEADER_BYTES]) -> (u32, u32, u64) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = header;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]), u64::from_be_bytes(rest))
}

fn fill(input: &mut impl Read, buffer: &mut [u8], record: u64) -> Result<(), RecordError> {
    input.read_exact(buffer).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => RecordError::CutOff { record },
        _ => RecordError::Read { record, source },
    })
}

/// Why a stream of records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// Another kind of file.
    #[error("not a stream of records")]
    NotRecords,
    /// The last record is missing.
    #[error("cut off in or after record {record}")]
    CutOff {
        /// Number of the record, from 0.
        record: u64,
    },
    /// A length that no donor sends.
    #[error("record {record} claims {bytes} bytes, more than {MAX_RECORD_BYTES}")]
    TooLong {
        /// Number of the record, from 0.
        record: u64,
        /// What it claims.
        bytes: u32,
    },
    /// Records are missing or too many.
    #[error("the end counts {counted} records, and {records} came before it")]
    Count {
        /// What the last record says.
        counted: u64,
        /// What was read.
        records: u64,
    },
    /// Bytes after the end.
    #[error("bytes follow the end, behind record {records}")]
    Behind {
        /// What was read.
        records: u64,
    },
    /// The bytes cannot be read.
    #[error("read record {record}")]
    Read {
        /// Number of the record, from 0.
        record: u64,
        /// Why.
        source: io::Error,
    },
}
