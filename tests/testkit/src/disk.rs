//! A small filesystem, to run out of space at a chosen byte.
use crate::fetch::run;
use crate::scratch::Scratch;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted tmpfs of a bounded size. Dropping it unmounts it.
///
/// Mounting needs root. Without root a test can only skip, or write to `/dev/full`, which
/// refuses the first byte.
#[derive(Debug)]
pub struct SmallDisk {
    mounted: PathBuf,
    _scratch: Scratch,
}

/// The unit that a tmpfs hands out.
const PAGE_BYTES: u64 = 4096;

impl SmallDisk {
    /// Mounts an empty filesystem with room for `bytes`, rounded up to whole pages.
    ///
    /// # Errors
    /// Not root, or the kernel has no tmpfs.
    pub fn mount(bytes: u64) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mounted = scratch.join("disk");
        fs::create_dir(&mounted)?;
        let options = format!("size={},mode=0755", bytes.next_multiple_of(PAGE_BYTES));
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&mounted))
            .context("mount a tmpfs")?;
        Ok(Self { mounted, _scratch: scratch })
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Bytes that still fit.
    ///
    /// # Errors
    /// The filesystem is gone.
    pub fn free_bytes(&self) -> Result<u64> {
        let space = rustix::fs::statvfs(&self.mounted)?;
        Ok(space.f_bavail * space.f_frsize)
    }

    /// Takes up space until no more than `bytes` are free, rounded up to whole pages, so that a
    /// writer hits ENOSPC there. A later call frees what an earlier one took.
    ///
    /// # Errors
    /// Other files have left less than that.
    pub fn leave_free(&self, bytes: u64) -> Result<()> {
        let filler = self.mounted.join(".filler");
        if filler.exists() {
            fs::remove_file(&filler)?;
        }
        let free = self.free_bytes()?;
        let taken = free
            .checked_sub(bytes.next_multiple_of(PAGE_BYTES))
            .with_context(|| format!("only {free} bytes are free"))?;
        let file = File::create(&filler)?;
        if taken > 0 {
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, taken)
                .context("fill the small disk")?;
        }
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A lazy unmount succeeds while files are open; what is left then goes with them.
        drop(run(Command::new("umount").arg("--lazy").arg(&self.mounted)));
    }
}
