//! The packets of the clone protocol: commands to the donor, responses from it, and the descriptors of
//! InnoDB inside. Whatever a donor sends is checked here; nothing panics, and every length has a bound.

mod command;
mod descriptor;
mod fields;
mod response;

pub(crate) use command::{Command, ack, begin};
pub(crate) use descriptor::{
    DESCRIPTOR_VERSION, DataPart, Descriptor, FileMeta, Locator, State, StateChange,
};
pub(crate) use fields::{CodecError, Fields};
pub(crate) use response::Response;

/// Newest version of the protocol that we speak; the donor answers the older one of both.
pub(crate) const NEWEST_PROTOCOL: u32 = 0x0103;
/// Oldest version of the protocol.
pub(crate) const OLDEST_PROTOCOL: u32 = 0x0100;
/// The storage engine whose descriptors we understand.
pub(crate) const INNODB: u8 = 12;

/// Longest payload of a donor: the longest block, and its frame.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 * 1024 * 1024 + 1024;
/// Longest block of a donor.
const MAX_DATA_BYTES: u32 = 64 * 1024 * 1024;
/// Largest file: InnoDB's largest tablespace is a quarter of it.
const MAX_FILE_BYTES: u64 = 1 << 48;
/// Most chunks of a stage: four pebibytes at the usual page size.
pub(crate) const MAX_CHUNKS: u32 = 1 << 26;
/// Most data files of an instance.
pub(crate) const MAX_FILES: u32 = 1 << 22;
/// Longest name of a file, its final NUL included.
const MAX_NAME_BYTES: u32 = 4097;

/// Takes a frame apart as the session does: for fuzzing.
pub fn inspect(frame: &[u8]) {
    if let Ok(Response::Descriptor { descriptor, .. }) = Response::parse(frame) {
        // What matters is that it returns.
        drop(Descriptor::parse(descriptor));
    }
    drop(Descriptor::parse(frame));
    drop(Locator::parse(frame));
}

#[cfg(test)]
mod tests;
