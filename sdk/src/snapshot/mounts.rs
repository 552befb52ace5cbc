//! The mounts of this machine: which volume a file system is on, and where its root is visible.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// A mounted file system, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// The directory of the file system that is visible there; `/` unless it is a bind mount.
    pub root: PathBuf,
    /// Major and minor number of the file system: `st_dev` of what is in it.
    pub number: (u32, u32),
    /// Type of the file system.
    pub filesystem: String,
    /// Device or dataset.
    pub source: String,
}

/// The mounts that this process sees, in the kernel's order.
#[derive(Debug, Clone, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads them.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read("/proc/self/mountinfo")?))
    }

    /// Reads the text of `/proc/self/mountinfo`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(Mount::parse).collect())
    }

    /// The mount of the file system with this `st_dev` through which a real path is reached; of
    /// equals the topmost.
    #[must_use]
    pub fn holding(&self, path: &Path, device: u64) -> Option<&Mount> {
        let of_it = self.of_device(device).filter(|mount| path.starts_with(&mount.point));
        of_it.max_by_key(|mount| mount.point.components().count())
    }

    /// A mount that shows this file system from its root on.
    #[must_use]
    pub fn whole(&self, device: u64) -> Option<&Mount> {
        self.of_device(device).find(|mount| mount.root == Path::new("/"))
    }

    /// What is mounted exactly here, the topmost if there are several.
    #[must_use]
    pub fn at(&self, point: &Path) -> Option<&Mount> {
        self.0.iter().rev().find(|mount| mount.point == point)
    }

    fn of_device(&self, device: u64) -> impl Iterator<Item = &Mount> {
        let number = (rustix::fs::major(device), rustix::fs::minor(device));
        self.0.iter().filter(move |mount| mount.number == number)
    }
}

impl Mount {
    /// `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw`
    fn parse(line: &[u8]) -> Option<Self> {
        let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
        let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
        let mut fields = line.split(|byte| *byte == b' ');
        let number = text(fields.nth(2)?);
        let (major, minor) = number.split_once(':')?;
        let number = (major.parse().ok()?, minor.parse().ok()?);
        let (root, point) = (path(fields.next()?), path(fields.next()?));
        let mut after = fields.skip_while(|field| *field != b"-").skip(1);
        let (filesystem, source) = (text(after.next()?), text(after.next()?));
        Some(Self { point, root, number, filesystem, source })
    }
}

/// The kernel writes blank, tab, newline and backslash as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests;
