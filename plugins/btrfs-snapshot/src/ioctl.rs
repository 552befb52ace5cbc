//! The kernel's calls for Btrfs subvolumes: their numbers, their arguments, and the only unsafe code
//! of this engine. See `docs/adr/0015-btrfs-calls-without-a-library.md`.
#![allow(unsafe_code, reason = "an ioctl is unsafe by its nature; nothing else here is")]

use std::{io, os::fd::AsFd};

use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

/// Group of Btrfs's calls.
const MAGIC: u8 = 0x94;
/// Longest name of a subvolume, bytes.
const MAX_NAME_BYTES: usize = 255;
/// `BTRFS_SUBVOL_RDONLY`.
pub(crate) const READ_ONLY: u64 = 1 << 1;

/// `struct btrfs_ioctl_vol_args_v2`.
#[repr(C)]
struct SnapshotArguments {
    source: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

/// `struct btrfs_ioctl_vol_args`.
#[repr(C)]
struct NameArguments {
    source: i64,
    name: [u8; 4088],
}

/// `struct btrfs_ioctl_get_subvol_info_args`: identity of a subvolume.
#[repr(C)]
#[derive(Clone, Copy)]
struct SubvolumeAnswer {
    id: u64,
    name: [u8; 256],
    parent_id: u64,
    directory: u64,
    generation: u64,
    flags: u64,
    uuid: [u8; 16],
    parent_uuid: [u8; 16],
    received_uuid: [u8; 16],
    transactions: [u64; 4],
    times: [[u64; 2]; 4],
    reserved: [u64; 8],
}

/// `struct btrfs_ioctl_fs_info_args`: identity of a file system.
#[repr(C)]
#[derive(Clone, Copy)]
struct FilesystemAnswer {
    max_id: u64,
    devices: u64,
    uuid: [u8; 16],
    rest: [u64; 124],
}

const SNAP_CREATE_V2: Opcode = opcode::write::<SnapshotArguments>(MAGIC, 23);
const SNAP_DESTROY: Opcode = opcode::write::<NameArguments>(MAGIC, 15);
const SUBVOL_SETFLAGS: Opcode = opcode::write::<u64>(MAGIC, 26);
const FS_INFO: Opcode = opcode::read::<FilesystemAnswer>(MAGIC, 31);
const GET_SUBVOL_INFO: Opcode = opcode::read::<SubvolumeAnswer>(MAGIC, 60);

const _: () = assert!(size_of::<SnapshotArguments>() == 4096);
const _: () = assert!(size_of::<NameArguments>() == 4096);
const _: () = assert!(size_of::<SubvolumeAnswer>() == 504);
const _: () = assert!(size_of::<FilesystemAnswer>() == 1024);

/// What a subvolume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubvolumeIdentity {
    /// Number in its file system.
    pub(crate) id: u64,
    /// Its own identity.
    pub(crate) uuid: [u8; 16],
    /// That of the subvolume it is a snapshot of; zeros if it is none.
    pub(crate) parent_uuid: [u8; 16],
}

/// Makes a read-only snapshot of `subvolume` as `name` in `directory`.
pub(crate) fn snapshot(directory: impl AsFd, subvolume: impl AsFd, name: &str) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let source = i64::from(subvolume.as_fd().as_raw_fd());
    let name = fixed(name)?;
    let arguments =
        SnapshotArguments { source, transaction: 0, flags: READ_ONLY, unused: [0; 4], name };
    // SAFETY: the call reads a `btrfs_ioctl_vol_args_v2`, whose layout `SnapshotArguments` has, and
    // writes nothing without the flag for asynchronous creation. On a descriptor that is not of
    // Btrfs the kernel answers ENOTTY, as for every call below.
    unsafe { ioctl(directory, Setter::<SNAP_CREATE_V2, SnapshotArguments>::new(arguments)) }?;
    Ok(())
}

/// Removes the subvolume `name` of `directory`.
pub(crate) fn destroy(directory: impl AsFd, name: &str) -> io::Result<()> {
    let arguments = NameArguments { source: 0, name: fixed(name)? };
    // SAFETY: the call reads a `btrfs_ioctl_vol_args`, whose layout `NameArguments` has.
    unsafe { ioctl(directory, Setter::<SNAP_DESTROY, NameArguments>::new(arguments)) }?;
    Ok(())
}

/// Sets the flags of a subvolume; 0 makes it writable.
pub(crate) fn set_flags(subvolume: impl AsFd, flags: u64) -> io::Result<()> {
    // SAFETY: the call reads eight bytes.
    unsafe { ioctl(subvolume, Setter::<SUBVOL_SETFLAGS, u64>::new(flags)) }?;
    Ok(())
}

/// What the subvolume of a file is (kernel 4.18 and later).
pub(crate) fn subvolume_of(file: impl AsFd) -> io::Result<SubvolumeIdentity> {
    // SAFETY: the call writes a `btrfs_ioctl_get_subvol_info_args`, whose layout and size
    // `SubvolumeAnswer` has; any bytes are a valid one.
    let answer = unsafe { ioctl(file, Getter::<GET_SUBVOL_INFO, SubvolumeAnswer>::new()) }?;
    Ok(SubvolumeIdentity { id: answer.id, uuid: answer.uuid, parent_uuid: answer.parent_uuid })
}

/// Identity of the file system of a file.
pub(crate) fn filesystem_of(file: impl AsFd) -> io::Result<[u8; 16]> {
    // SAFETY: the call writes a `btrfs_ioctl_fs_info_args`, whose layout and size
    // `FilesystemAnswer` has; any bytes are a valid one.
    let answer = unsafe { ioctl(file, Getter::<FS_INFO, FilesystemAnswer>::new()) }?;
    Ok(answer.uuid)
}

/// A name in its field, with zeros behind it.
fn fixed<const N: usize>(name: &str) -> io::Result<[u8; N]> {
    let mut field = [0; N];
    let fits = name.len() <= MAX_NAME_BYTES && !name.contains(['/', '\0']) && !name.is_empty();
    match field.get_mut(..name.len()).filter(|_| fits) {
        Some(place) => place.copy_from_slice(name.as_bytes()),
        None => return Err(io::Error::from(io::ErrorKind::InvalidFilename)),
    }
    Ok(field)
}
