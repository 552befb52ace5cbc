//! Logical volumes inside of a guest, made with LVM's own tools.
use super::run_program;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// A volume group on a disk of the guest.
#[derive(Debug)]
pub struct VolumeGroup {
    name: &'static str,
}

impl VolumeGroup {
    /// Makes the group on a disk, such as `/dev/ubda`.
    ///
    /// # Errors
    /// The disk has one already.
    pub fn make(name: &'static str, disk: &str) -> Result<Self> {
        run_program("pvcreate", &[disk])?;
        run_program("vgcreate", &[name, disk])?;
        Ok(Self { name })
    }

    /// Makes a thick volume with ext4 and mounts it below `/srv`.
    ///
    /// # Errors
    /// The group has no room.
    pub fn thick(&self, name: &str, size: &str) -> Result<PathBuf> {
        run_program("lvcreate", &["--yes", "--size", size, "--name", name, self.name])?;
        self.mounted(name, &["mkfs.ext4", "-q"])
    }

    /// Makes a thin volume with XFS in a new pool named `pool` and mounts it below `/srv`.
    ///
    /// # Errors
    /// The group has no room.
    pub fn thin(&self, name: &str, pool_size: &str, size: &str) -> Result<PathBuf> {
        let pool = format!("{}/pool", self.name);
        let words = ["--yes", "--size", pool_size, "--thinpool", &pool, "--virtualsize", size];
        run_program("lvcreate", &[&words[..], &["--name", name]].concat())?;
        self.mounted(name, &["mkfs.xfs", "-q"])
    }

    fn mounted(&self, name: &str, make: &[&str]) -> Result<PathBuf> {
        let device = format!("/dev/{}/{name}", self.name);
        let (program, options) = make.split_first().context("a program")?;
        run_program(program, &[options, &[&device]].concat())?;
        let point = PathBuf::from("/srv").join(name);
        fs::create_dir_all(&point)?;
        run_program("mount", &[&device, &point.display().to_string()])?;
        Ok(point)
    }
}
