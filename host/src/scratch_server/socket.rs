//! Where the server's socket lies: alone in a private directory with a short path, because the
//! kernel takes 107 bytes, and the state or a scratch directory may lie deeper than that.
use super::ScratchError;
use crate::{
    env,
    supervisor::{host_record::HostRecord, journal::Journal, message::RecordOwner},
};
use std::{
    fs::DirBuilder,
    hash::{BuildHasher, Hasher, RandomState},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Longest path of a socket that the kernel takes, in bytes.
const MAX_PATH_BYTES: usize = 107;
/// Where the directory is made if the temporary directory lies too deep as well.
const SHORT_PARENT: &str = "/tmp";
/// Name of the socket.
const NAME: &str = "s.sock";

/// Makes the directory, mode 0700, after the journal has named it, and returns the path that the
/// socket gets. Whoever undoes the journal's records removes it.
pub(super) fn create(journal: &mut Journal) -> Result<PathBuf, ScratchError> {
    // Nobody else can know the name, so that the record never names what another made.
    let name = format!("dbbackup-{:016x}", RandomState::new().build_hasher().finish());
    let directory = short_parent(&env::temp_dir(), &name).join(&name);
    let record = HostRecord::ScratchDirectory { path: directory.clone() };
    journal.record(RecordOwner::Host, record.to_undo_record()?)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(|source| ScratchError::io("create", &directory, source))?;
    Ok(directory.join(NAME))
}

fn short_parent(temporary: &Path, name: &str) -> PathBuf {
    let socket = temporary.join(name).join(NAME);
    // The journal is read by other runs, so the path has to mean the same there.
    if temporary.is_absolute() && socket.as_os_str().len() <= MAX_PATH_BYTES {
        return temporary.to_owned();
    }
    PathBuf::from(SHORT_PARENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_or_relative_temporary_directory_is_left_for_a_short_one() {
        let name = "dbbackup-0123456789abcdef";
        let longest = format!("/{}", "t".repeat(MAX_PATH_BYTES - name.len() - NAME.len() - 3));
        let parent = short_parent(Path::new(&longest), name);
        assert_eq!(parent, Path::new(&longest));
        assert_eq!(parent.join(name).join(NAME).as_os_str().len(), MAX_PATH_BYTES);
        let longer = format!("{longest}t");
        assert_eq!(short_parent(Path::new(&longer), name), Path::new(SHORT_PARENT));
        assert_eq!(short_parent(Path::new("tmp"), name), Path::new(SHORT_PARENT));
    }
}
