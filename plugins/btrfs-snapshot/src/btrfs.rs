//! Subvolumes: the one that holds all files of the server, or a refusal that lists where they lie.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::snapshot::Place;

use crate::{error::BtrfsError, ioctl, options::Options};

/// `BTRFS_SUPER_MAGIC`.
const FILESYSTEM_MAGIC: u64 = 0x9123_683E;
/// `BTRFS_FIRST_FREE_OBJECTID`: the inode of each subvolume's root.
const ROOT_INODE: u64 = 256;

/// The subvolume that holds all files of the server.
#[derive(Debug)]
pub(crate) struct Subvolume {
    /// Its root directory.
    pub(crate) root: PathBuf,
    /// The root, open: the path may lead elsewhere later.
    pub(crate) file: File,
    /// What the kernel knows of it.
    pub(crate) identity: ioctl::SubvolumeIdentity,
}

impl Subvolume {
    /// Finds it. Every subvolume has a device number of its own, so that one number for all places
    /// means one subvolume.
    ///
    /// # Errors
    /// [`BtrfsError::NotBtrfs`], [`BtrfsError::Several`], [`BtrfsError::NoRoot`],
    /// [`BtrfsError::OtherSubvolume`].
    pub(crate) fn holding(places: &[Place], options: &Options) -> Result<Self, BtrfsError> {
        for place in places {
            if !is_btrfs(&place.path)? {
                return Err(BtrfsError::NotBtrfs { path: place.path.clone() });
            }
        }
        let Some(first) = places.first() else {
            return Err(BtrfsError::Several { places: Vec::new() });
        };
        if places.iter().any(|place| place.device != first.device) {
            return Err(BtrfsError::Several { places: places.iter().map(described).collect() });
        }
        let root = root_of(&first.path)?;
        // One subvolume may be mounted in several places; the snapshot is found below one of them.
        if let Some(other) = places.iter().find(|place| !place.path.starts_with(&root)) {
            return Err(BtrfsError::NoRoot { path: other.path.clone() });
        }
        if let Some(given) = &options.subvolume {
            let real = given.canonicalize().map_err(BtrfsError::io("find", given))?;
            if real != root {
                return Err(BtrfsError::OtherSubvolume { given: given.clone(), found: root });
            }
        }
        let file = File::open(&root).map_err(BtrfsError::io("open", &root))?;
        let identity =
            ioctl::subvolume_of(&file).map_err(BtrfsError::io("identify subvolume", &root))?;
        Ok(Self { root, file, identity })
    }
}

/// `data /mnt/mysql (subvolume /mnt/mysql)`
fn described(place: &Place) -> String {
    let root =
        root_of(&place.path).map_or_else(|_| "unknown".to_owned(), |r| r.display().to_string());
    format!("{} {} (subvolume {root})", place.role, place.path.display())
}

/// The root of the subvolume that a directory is in: the nearest directory above with a root's
/// inode.
fn root_of(path: &Path) -> Result<PathBuf, BtrfsError> {
    let device = fs::metadata(path).map_err(BtrfsError::io("look at", path))?.dev();
    for above in path.ancestors() {
        let found = fs::metadata(above).map_err(BtrfsError::io("look at", above))?;
        if found.dev() != device {
            break;
        }
        if found.ino() == ROOT_INODE {
            return Ok(above.to_owned());
        }
    }
    Err(BtrfsError::NoRoot { path: path.to_owned() })
}

/// Whether a directory is the root of a subvolume.
pub(crate) fn is_root(path: &Path) -> Result<bool, BtrfsError> {
    let found = fs::symlink_metadata(path).map_err(BtrfsError::io("look at", path))?;
    Ok(found.is_dir() && found.ino() == ROOT_INODE && is_btrfs(path)?)
}

/// Whether a path is on Btrfs.
pub(crate) fn is_btrfs(path: &Path) -> Result<bool, BtrfsError> {
    let found = rustix::fs::statfs(path).map_err(BtrfsError::io("look at", path))?;
    // The type of the field differs between architectures.
    Ok(u64::try_from(found.f_type).is_ok_and(|magic| magic == FILESYSTEM_MAGIC))
}
