//! InnoDB's descriptors: big-endian, without padding, each with its version, length and type first.

use dbbackup_sdk::plugin_api::document::path::EntryPath;

use crate::rpc::{
    CodecError, Fields, MAX_CHUNKS, MAX_DATA_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES,
};

/// The version of descriptors that we know.
pub(crate) const DESCRIPTOR_VERSION: u32 = 100;
/// Version, length and type.
const HEADER_BYTES: u32 = 12;
/// Types of descriptors.
mod kind {
    pub(super) const LOCATOR: u32 = 1;
    pub(super) const TASK: u32 = 2;
    pub(super) const STATE: u32 = 3;
    pub(super) const FILE: u32 = 4;
    pub(super) const DATA: u32 = 5;
}
/// The clone's keys for an encrypted tablespace: 32 bytes of key, 32 of initial vector.
const KEY_BYTES: usize = 64;
/// Most connections of a clone, and then some.
const MAX_TASKS: u32 = 1024;

/// A stage of a clone, as the donor numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Not begun.
    None = 0,
    /// The donor gets ready.
    Init = 1,
    /// Files are copied.
    FileCopy = 2,
    /// Pages that changed meanwhile are copied.
    PageCopy = 3,
    /// The redo log of the meantime is copied.
    RedoCopy = 4,
    /// Everything is sent.
    Done = 5,
}

impl State {
    fn parse(value: u32) -> Result<Self, CodecError> {
        Ok(match value {
            0 => Self::None,
            1 => Self::Init,
            2 => Self::FileCopy,
            3 => Self::PageCopy,
            4 => Self::RedoCopy,
            5 => Self::Done,
            _ => return Err(CodecError::Value { what: "a state", value: value.into() }),
        })
    }

    /// Its number in the protocol.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "start",
            Self::Init => "preparation",
            Self::FileCopy => "file copy",
            Self::PageCopy => "page copy",
            Self::RedoCopy => "redo copy",
            Self::Done => "end",
        })
    }
}

/// What a donor describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// Which task of the clone this connection is.
    Task {
        /// Its number; the master's is 0.
        task: u32,
    },
    /// A stage begins or ends.
    State(StateChange),
    /// A file.
    File(FileMeta),
    /// Bytes of a file follow.
    Data(DataPart),
}

impl Descriptor {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// [`CodecError`]: it is none, of another version, or holds a value that cannot be.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let (kind, mut fields) = header(bytes)?;
        let descriptor = match kind {
            kind::TASK => {
                let task = task(&mut fields)?;
                fields.u32_be()?;
                fields.u32_be()?;
                Self::Task { task }
            }
            kind::STATE => Self::State(StateChange::parse(&mut fields)?),
            kind::FILE => Self::File(FileMeta::parse(&mut fields)?),
            kind::DATA => Self::Data(DataPart::parse(&mut fields)?),
            other => {
                return Err(CodecError::Value {
                    what: "type of a descriptor",
                    value: other.into(),
                });
            }
        };
        fields.end()?;
        Ok(descriptor)
    }
}

/// Reads the head; the fields that follow end where the descriptor does.
fn header(bytes: &[u8]) -> Result<(u32, Fields<'_>), CodecError> {
    let mut fields = Fields::new(bytes, "descriptor");
    let version = fields.u32_be()?;
    if version != DESCRIPTOR_VERSION {
        return Err(CodecError::DescriptorVersion { version });
    }
    let length = fields.u32_be()?;
    let kind = fields.u32_be()?;
    let body = length
        .checked_sub(HEADER_BYTES)
        .and_then(|body| usize::try_from(body).ok())
        .ok_or(CodecError::Value { what: "length of a descriptor", value: length.into() })?;
    Ok((kind, Fields::new(fields.take(body)?, "descriptor")))
}

fn task(fields: &mut Fields<'_>) -> Result<u32, CodecError> {
    bounded(fields.u32_be()?, MAX_TASKS, "a task number")
}

fn bounded(value: u32, most: u32, what: &'static str) -> Result<u32, CodecError> {
    if value > most { Err(CodecError::Value { what, value: value.into() }) } else { Ok(value) }
}

fn bounded_size(value: u64, what: &'static str) -> Result<u64, CodecError> {
    if value > MAX_FILE_BYTES { Err(CodecError::Value { what, value }) } else { Ok(value) }
}

/// What names a clone on its donor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Locator {
    clone_id: u64,
    snapshot_id: u64,
    index: u32,
    /// The bytes as they came, to be sent back.
    bytes: Vec<u8>,
}

impl Locator {
    /// Reads a locator.
    ///
    /// # Errors
    /// As [`Descriptor::parse`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let (kind, mut fields) = header(bytes)?;
        if kind != kind::LOCATOR {
            return Err(CodecError::Value { what: "type of a locator", value: kind.into() });
        }
        Ok(Self {
            clone_id: fields.u64_be()?,
            snapshot_id: fields.u64_be()?,
            index: fields.u32_be()?,
            bytes: bytes.to_vec(),
        })
    }

    /// The bytes as they came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A locator that names no clone, only the version of descriptors: for `Init`.
    pub(crate) fn of_version() -> Vec<u8> {
        /// Length of a recipient's first locator; what it does not need is zero.
        const BYTES: usize = 128;
        let mut locator = Self::encode(0, 0, 0, State::None, false, &[]);
        locator.resize(BYTES, 0);
        locator
    }

    /// The locator for `Reinit`: how far we are.
    pub(crate) fn for_restart(&self, state: State, has_all_files: bool, chunks: &[u8]) -> Vec<u8> {
        Self::encode(self.clone_id, self.snapshot_id, self.index, state, has_all_files, chunks)
    }

    fn encode(
        clone_id: u64,
        snapshot_id: u64,
        index: u32,
        state: State,
        has_all_files: bool,
        chunks: &[u8],
    ) -> Vec<u8> {
        const FIXED_BYTES: u32 = HEADER_BYTES + 22;
        let length = FIXED_BYTES.saturating_add(u32::try_from(chunks.len()).unwrap_or(u32::MAX));
        let mut bytes = Vec::with_capacity(64 + chunks.len());
        bytes.extend(DESCRIPTOR_VERSION.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(kind::LOCATOR.to_be_bytes());
        bytes.extend(clone_id.to_be_bytes());
        bytes.extend(snapshot_id.to_be_bytes());
        bytes.extend(index.to_be_bytes());
        bytes.push(state.number());
        bytes.push(u8::from(has_all_files));
        bytes.extend_from_slice(chunks);
        bytes
    }
}

/// The beginning or end of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateChange {
    /// The stage.
    pub(crate) state: State,
    task: u32,
    /// Number of its chunks.
    pub(crate) chunks: u32,
    /// Number of its files; of its pages in page copy.
    pub(crate) files: u32,
    /// Bytes that are about to come.
    pub(crate) estimate_bytes: u64,
    estimate_on_disk: u64,
    flags: u16,
}

/// The stage begins.
const FLAG_START: u16 = 1;
/// An acknowledgement; from a donor, a sign of life.
const FLAG_ACK: u16 = 2;

impl StateChange {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            state: State::parse(fields.u32_be()?)?,
            task: task(fields)?,
            chunks: bounded(fields.u32_be()?, MAX_CHUNKS, "number of chunks")?,
            files: fields.u32_be()?,
            estimate_bytes: fields.u64_be()?,
            estimate_on_disk: fields.u64_be()?,
            flags: fields.u16_be()?,
        })
    }

    /// The stage begins; else it ends.
    pub(crate) fn is_start(&self) -> bool {
        self.flags & FLAG_START != 0
    }

    /// Only a sign that the donor lives.
    pub(crate) fn is_keep_alive(&self) -> bool {
        self.flags & FLAG_ACK != 0
    }

    /// The descriptor that acknowledges this one.
    pub(crate) fn acknowledgement(&self) -> Vec<u8> {
        const BYTES: u32 = 46;
        let mut bytes = Vec::with_capacity(64);
        bytes.extend(DESCRIPTOR_VERSION.to_be_bytes());
        bytes.extend(BYTES.to_be_bytes());
        bytes.extend(kind::STATE.to_be_bytes());
        bytes.extend(u32::from(self.state.number()).to_be_bytes());
        bytes.extend(self.task.to_be_bytes());
        bytes.extend(self.chunks.to_be_bytes());
        bytes.extend(self.files.to_be_bytes());
        bytes.extend(self.estimate_bytes.to_be_bytes());
        bytes.extend(self.estimate_on_disk.to_be_bytes());
        bytes.extend((self.flags | FLAG_ACK).to_be_bytes());
        bytes
    }
}

/// The flags of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileFlags(u16);

impl FileFlags {
    const ENCRYPTED: u16 = 1 << 2;
    const RENAMED: u16 = 1 << 3;
    const DELETED: u16 = 1 << 4;
    const HAS_KEY: u16 = 1 << 5;
    const ALL: u16 = (1 << 6) - 1;

    /// Its pages are encrypted.
    pub(crate) fn is_encrypted(self) -> bool {
        self.0 & (Self::ENCRYPTED | Self::HAS_KEY) != 0
    }

    /// It got another name.
    pub(crate) fn is_renamed(self) -> bool {
        self.0 & Self::RENAMED != 0
    }

    /// It is gone.
    pub(crate) fn is_deleted(self) -> bool {
        self.0 & Self::DELETED != 0
    }

    /// Compression and encryption alone: 1 zlib, 2 lz4, 4 encrypted.
    pub(crate) fn attributes(self) -> u16 {
        self.0 & (Self::ENCRYPTED | 3)
    }
}

/// A file, or what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileMeta {
    /// The stage that it is said for.
    pub(crate) state: State,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Flags of the tablespace.
    pub(crate) fsp_flags: u32,
    /// Block size of the donor's file system.
    pub(crate) fs_block_bytes: u32,
    /// Flags of the clone.
    pub(crate) flags: FileFlags,
    /// Tablespace.
    pub(crate) space_id: u32,
    /// Number of the file; redo files have numbers of their own.
    pub(crate) index: u32,
    /// Its name; redo files have none.
    pub(crate) name: Option<EntryPath>,
}

impl FileMeta {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, CodecError> {
        let state = State::parse(fields.u32_be()?)?;
        let size_bytes = bounded_size(fields.u64_be()?, "size of a file")?;
        fields.u64_be()?;
        let fsp_flags = fields.u32_be()?;
        let fs_block_bytes = fields.u32_be()?;
        let flags = fields.u16_be()?;
        if flags & !FileFlags::ALL != 0 {
            return Err(CodecError::Value { what: "flags of a file", value: flags.into() });
        }
        let flags = FileFlags(flags);
        let space_id = fields.u32_be()?;
        let index = bounded(fields.u32_be()?, MAX_FILES, "number of a file")?;
        fields.u32_be()?;
        fields.u32_be()?;
        let name = name(fields)?;
        if flags.0 & FileFlags::HAS_KEY != 0 {
            fields.take(KEY_BYTES)?;
        }
        Ok(Self { state, size_bytes, fsp_flags, fs_block_bytes, flags, space_id, index, name })
    }
}

fn name(fields: &mut Fields<'_>) -> Result<Option<EntryPath>, CodecError> {
    let length = bounded(fields.u32_be()?, MAX_NAME_BYTES, "length of a file name")?;
    if length == 0 {
        return Ok(None);
    }
    let bytes = fields.take(usize::try_from(length).map_err(|_| CodecError::Name)?)?;
    match bytes.split_last() {
        Some((0, name)) if !name.is_empty() && !name.contains(&0) => {
            Ok(Some(EntryPath::from_bytes(name)))
        }
        _ => Err(CodecError::Name),
    }
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataPart {
    /// The stage that it belongs to.
    pub(crate) state: State,
    /// Its chunk, from 1.
    pub(crate) chunk: u32,
    /// Its block in the chunk, from 1.
    pub(crate) block: u32,
    /// The file.
    pub(crate) file_index: u32,
    /// Number of the bytes that follow.
    pub(crate) length: u32,
    /// Where they belong.
    pub(crate) offset: u64,
    /// Size of the file at this moment.
    pub(crate) file_bytes: u64,
}

impl DataPart {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, CodecError> {
        let state = State::parse(fields.u32_be()?)?;
        task(fields)?;
        let part = Self {
            state,
            chunk: bounded(fields.u32_be()?, MAX_CHUNKS + 2, "number of a chunk")?,
            block: fields.u32_be()?,
            file_index: bounded(fields.u32_be()?, MAX_FILES, "number of a file")?,
            length: bounded(fields.u32_be()?, MAX_DATA_BYTES, "length of a block")?,
            offset: bounded_size(fields.u64_be()?, "offset in a file")?,
            file_bytes: bounded_size(fields.u64_be()?, "size of a file")?,
        };
        bounded_size(part.end(), "end of a block")?;
        Ok(part)
    }

    /// The first byte after it.
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }
}
