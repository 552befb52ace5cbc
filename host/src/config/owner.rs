//! Who can have written a configuration file that nobody has named.
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Opens a file that root and the user alone can have written, or says who else can have.
///
/// # Errors
/// It is not there, or cannot be opened.
pub(super) fn open(file: &Path) -> io::Result<Result<File, String>> {
    let user = rustix::process::geteuid().as_raw();
    // Of somebody else, a link is not followed and a pipe not waited for.
    if let Some(why) = foreign(fs::symlink_metadata(file)?.uid(), user) {
        return Ok(Err(why));
    }
    let opened = File::open(file)?;
    let metadata = opened.metadata()?;
    let why = foreign(metadata.uid(), user).or_else(|| writable(metadata.mode()));
    Ok(why.map_or(Ok(opened), Err))
}

fn foreign(owner: u32, user: u32) -> Option<String> {
    (owner != 0 && owner != user)
        .then(|| format!("it belongs to user {owner}, neither root nor user {user}"))
}

fn writable(mode: u32) -> Option<String> {
    if mode & OTHERS_WRITE != 0 {
        return Some("everybody can write it".to_owned());
    }
    (mode & GROUP_WRITE != 0).then(|| "its group can write it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_of_somebody_else_is_not_taken() {
        assert_eq!(foreign(0, 1000), None);
        assert_eq!(foreign(1000, 1000), None);
        let why = "it belongs to user 1001, neither root nor user 0";
        assert_eq!(foreign(1001, 0).as_deref(), Some(why));
        assert!(foreign(1001, 1000).is_some());
    }

    #[test]
    fn a_file_that_others_can_write_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dbbackup.yaml");
        assert_eq!(open(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&file, "plugins:\n  trust: dev\n").unwrap();
        for (mode, why) in [
            (0o600, None),
            (0o644, None),
            (0o664, Some("its group can write it")),
            (0o666, Some("everybody can write it")),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(&file).unwrap().err().as_deref(), why, "{mode:o}");
        }
    }
}
