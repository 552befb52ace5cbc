//! A Btrfs file system of its own, in a file behind a loop device.
use crate::fetch::{btrfs_programs, run};
use crate::scratch::Scratch;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted Btrfs. Dropping it unmounts it and frees the loop device.
#[derive(Debug)]
pub struct BtrfsDisk {
    mounted: PathBuf,
    programs: PathBuf,
    _scratch: Scratch,
}

impl BtrfsDisk {
    /// Why there can be none here, in words; nothing if there can.
    pub fn obstacle() -> Option<String> {
        if !crate::is_root() {
            return Some("mounting Btrfs needs root".to_owned());
        }
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let has_btrfs = known.lines().any(|line| line.split_whitespace().last() == Some("btrfs"));
        if !has_btrfs {
            return Some("this kernel has no Btrfs".to_owned());
        }
        let has_loops = Path::new("/dev/loop-control").exists();
        (!has_loops).then(|| "this machine has no loop devices".to_owned())
    }

    /// Makes and mounts an empty file system with room for `bytes`, which take space only as they
    /// are written.
    ///
    /// # Errors
    /// [`BtrfsDisk::obstacle`] names the usual ones.
    pub fn mount(bytes: u64) -> Result<Self> {
        let programs = btrfs_programs()?;
        let scratch = Scratch::new()?;
        let (image, mounted) = (scratch.join("btrfs.img"), scratch.join("disk"));
        File::create(&image)?.set_len(bytes)?;
        std::fs::create_dir(&mounted)?;
        run(Command::new(programs.join("mkfs.btrfs")).arg("--quiet").arg(&image))?;
        run(Command::new("mount").args(["-t", "btrfs", "-o", "loop"]).arg(&image).arg(&mounted))
            .context("mount a Btrfs image")?;
        Ok(Self { mounted, programs, _scratch: scratch })
    }

    /// The mount point, which is the root of the topmost subvolume.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Lets every writer wait until the answer is dropped; readers go on.
    ///
    /// # Errors
    /// It is frozen already.
    pub fn freeze(&self) -> Result<FrozenDisk> {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.mounted))?;
        Ok(FrozenDisk(self.mounted.clone()))
    }

    /// Makes a subvolume at a path below the mount point.
    ///
    /// # Errors
    /// The path is there already.
    pub fn subvolume(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.mounted.join(path);
        run(Command::new(self.programs.join("btrfs")).args(["subvolume", "create"]).arg(&path))?;
        Ok(path)
    }

    /// The paths of all subvolumes and snapshots, sorted.
    ///
    /// # Errors
    /// The file system is gone.
    pub fn subvolumes(&self) -> Result<Vec<String>> {
        let mut btrfs = Command::new(self.programs.join("btrfs"));
        let listed = run(btrfs.args(["subvolume", "list"]).arg(&self.mounted))?;
        let text = String::from_utf8(listed.stdout)?;
        // `ID 256 gen 7 top level 5 path data`
        let paths = text.lines().filter_map(|line| line.split_once(" path "));
        let mut paths: Vec<String> = paths.map(|(_, path)| path.to_owned()).collect();
        paths.sort();
        Ok(paths)
    }

    /// Makes a subvolume the one that is mounted by default, which the kernel does not delete.
    ///
    /// # Errors
    /// There is none at this path.
    pub fn set_default(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut btrfs = Command::new(self.programs.join("btrfs"));
        let path = self.mounted.join(path);
        run(btrfs.args(["subvolume", "set-default"]).arg(path)).map(drop)
    }

    /// Makes the snapshot `copy` of a subvolume, as somebody else's tool would.
    ///
    /// # Errors
    /// The path is there already.
    pub fn snapshot(&self, subvolume: impl AsRef<Path>, copy: impl AsRef<Path>) -> Result<()> {
        let (from, to) = (self.mounted.join(subvolume), self.mounted.join(copy));
        let mut btrfs = Command::new(self.programs.join("btrfs"));
        run(btrfs.args(["subvolume", "snapshot"]).arg(from).arg(to)).map(drop)
    }
}

/// A file system that nobody can write to; dropping it lets the writers go on.
#[derive(Debug)]
pub struct FrozenDisk(PathBuf);

impl Drop for FrozenDisk {
    fn drop(&mut self) {
        drop(run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.0)));
    }
}

impl Drop for BtrfsDisk {
    fn drop(&mut self) {
        // A lazy unmount succeeds while files are open; the loop device goes with the mount.
        drop(run(Command::new("umount").arg("--lazy").arg(&self.mounted)));
    }
}
