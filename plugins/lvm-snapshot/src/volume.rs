//! The one logical volume that holds everything of a server.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    Host,
    snapshot::{Mounts, Place},
};

use crate::{
    error::LvmError,
    lvm::{self, Row},
    options::Options,
};

/// File systems whose journal the kernel replays at a mount, and whose second instance it mounts.
const FILESYSTEMS: [&str; 3] = ["ext3", "ext4", "xfs"];
/// How full a thin pool may be. The writes of the server that a snapshot makes new room for could
/// fill it, and a full pool stops the server.
const MAX_POOL_PERCENT: f64 = 95.0;

/// A logical volume with the server's file system on it.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) row: Row,
    /// Its thin pool; none of a thick volume.
    pub(crate) pool: Option<Row>,
    /// Type of the file system.
    pub(crate) filesystem: String,
    /// Mount points, each with the directory of the file system that is visible there.
    pub(crate) mounts: Vec<(PathBuf, PathBuf)>,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.row.group, self.row.name)
    }
}

impl Volume {
    /// Finds the volume.
    ///
    /// # Errors
    /// [`LvmError::NotOnVolume`], [`LvmError::Several`] with the list, [`LvmError::Filesystem`],
    /// [`LvmError::IsSnapshot`], [`LvmError::OtherGroup`], [`LvmError::PoolFull`], and those of
    /// `lvs`.
    pub(crate) fn holding(
        places: &[Place],
        options: &Options,
        host: &Host,
    ) -> Result<Self, LvmError> {
        let mounts = Mounts::read().map_err(LvmError::Mounts)?;
        let on = Candidate::all(places, &mounts)?;
        let mapper = mapper_major()?;
        if let Some(other) = on.iter().find(|candidate| Some(candidate.number.0) != mapper) {
            // There is nothing to ask LVM for, be it installed or not.
            return Err(other.on_no_volume());
        }
        let report = lvm::list_all().run(host).map_err(LvmError::tool("list logical volumes"))?;
        let rows = lvm::parse(&report)?;
        let volume = Self::of(&on, &rows)?;
        volume.check(options)?;
        Ok(volume)
    }

    fn of(candidates: &[Candidate<'_>], rows: &[Row]) -> Result<Self, LvmError> {
        let mut found: Option<(&Row, &Candidate<'_>)> = None;
        let mut mounts: Vec<(PathBuf, PathBuf)> = Vec::new();
        for candidate in candidates {
            let Some(row) = rows.iter().find(|row| row.number == Some(candidate.number)) else {
                return Err(candidate.on_no_volume());
            };
            let (first, _) = *found.get_or_insert((row, candidate));
            if first.number != row.number {
                return Err(LvmError::Several { places: listed(candidates, rows) });
            }
            if !mounts.contains(&candidate.mount) {
                mounts.push(candidate.mount.clone());
            }
        }
        let (row, candidate) = found.ok_or(LvmError::NoPlaces)?;
        let is_pool = |other: &&Row| other.group == row.group && other.name == row.pool;
        let pool = rows.iter().find(is_pool).filter(|_| row.is_thin()).cloned();
        Ok(Self { row: row.clone(), pool, filesystem: candidate.filesystem.clone(), mounts })
    }

    fn check(&self, options: &Options) -> Result<(), LvmError> {
        let volume = || self.to_string();
        if !FILESYSTEMS.contains(&self.filesystem.as_str()) {
            return Err(LvmError::Filesystem {
                volume: volume(),
                filesystem: self.filesystem.clone(),
            });
        }
        if self.row.is_thick_snapshot() {
            return Err(LvmError::IsSnapshot { volume: volume() });
        }
        if let Some(given) = options.volume_group.as_ref().filter(|given| **given != self.row.group)
        {
            return Err(LvmError::OtherGroup { given: given.clone(), found: volume() });
        }
        match self.pool.as_ref().and_then(Row::fullest_percent) {
            Some(percent) if percent > MAX_POOL_PERCENT => {
                Err(LvmError::PoolFull { pool: self.pool_name(), percent })
            }
            _ => Ok(()),
        }
    }

    /// The name of its thin pool with that of the group.
    pub(crate) fn pool_name(&self) -> String {
        format!("{}/{}", self.row.group, self.row.pool)
    }
}

/// A place of the server and the file system that it is on.
struct Candidate<'p> {
    place: &'p Place,
    number: (u32, u32),
    source: String,
    filesystem: String,
    mount: (PathBuf, PathBuf),
}

impl<'p> Candidate<'p> {
    fn all(places: &'p [Place], mounts: &Mounts) -> Result<Vec<Self>, LvmError> {
        places.iter().map(|place| Self::of(place, mounts)).collect()
    }

    fn of(place: &'p Place, mounts: &Mounts) -> Result<Self, LvmError> {
        let mount = mounts
            .holding(&place.path, place.device)
            .ok_or_else(|| LvmError::NoMount { path: place.path.clone() })?;
        let root = mount.root.strip_prefix("/").unwrap_or(Path::new(""));
        Ok(Self {
            place,
            number: mount.number,
            source: mount.source.clone(),
            filesystem: mount.filesystem.clone(),
            mount: (mount.point.clone(), root.to_owned()),
        })
    }

    fn on_no_volume(&self) -> LvmError {
        let path = self.place.path.clone();
        LvmError::NotOnVolume { path, source_device: self.source.clone() }
    }
}

/// The major number of the device mapper, which every active logical volume has; none where the
/// kernel has no device mapper.
fn mapper_major() -> Result<Option<u32>, LvmError> {
    let devices = fs::read_to_string("/proc/devices").map_err(LvmError::Mounts)?;
    let mut numbers = devices.lines().filter_map(|line| line.trim().split_once(' '));
    let found = numbers.find(|(_, name)| *name == "device-mapper");
    Ok(found.and_then(|(number, _)| number.parse().ok()))
}

/// What each path is for, where it is, and on which volume.
fn listed(candidates: &[Candidate<'_>], rows: &[Row]) -> Vec<String> {
    let volume = |candidate: &Candidate<'_>| {
        let row = rows.iter().find(|row| row.number == Some(candidate.number));
        row.map_or(candidate.source.clone(), |row| format!("{}/{}", row.group, row.name))
    };
    candidates
        .iter()
        .map(|candidate| {
            let place = candidate.place;
            format!("{} {} on {}", place.role, place.path.display(), volume(candidate))
        })
        .collect()
}
