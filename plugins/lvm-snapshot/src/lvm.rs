//! LVM's command line: its words and its reports, nothing else.

use std::time::Duration;

use dbbackup_sdk::Tool;
use serde::Deserialize;

use crate::error::LvmError;

/// Time of a command that only reads. It waits while another one changes the volume group.
const QUERY_LIMIT: Duration = Duration::from_secs(20);
/// Time of a command that changes something.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);
/// The tag that all of our snapshots carry.
pub(crate) const TAG: &str = "dbbackup";

/// Columns that are asked for.
const COLUMNS: &str = "vg_name,lv_name,lv_dm_path,lv_attr,lv_size,origin,pool_lv,data_percent,\
                       metadata_percent,lv_kernel_major,lv_kernel_minor,lv_tags,vg_free,\
                       vg_extent_size";

/// `lvs`: every logical volume of this machine.
pub(crate) fn list_all() -> Tool {
    // Numbers as bytes without a unit, and hidden volumes (a pool's parts) left out.
    let words = ["--reportformat", "json", "--units", "b", "--nosuffix", "--options", COLUMNS];
    Tool::query("lvs", QUERY_LIMIT).args(words)
}

/// `lvs`: one logical volume, or none; a volume that is not there is no error.
pub(crate) fn list_one(group: &str, name: &str) -> Tool {
    list_all().args(["--select", &format!("vg_name=\"{group}\" && lv_name=\"{name}\"")])
}

/// `lvcreate`: a writable snapshot with room of its own for what changes.
pub(crate) fn create_thick(group: &str, origin: &str, name: &str, bytes: u64) -> Tool {
    create(group, origin, name, &["--size", &format!("{bytes}b")])
}

/// `lvcreate`: a writable snapshot that shares its origin's pool. It is made inactive.
pub(crate) fn create_thin(group: &str, origin: &str, name: &str) -> Tool {
    create(group, origin, name, &[])
}

fn create(group: &str, origin: &str, name: &str, size: &[&str]) -> Tool {
    Tool::change("lvcreate", CHANGE_LIMIT)
        .args(["--yes", "--snapshot", "--name", name, "--addtag", TAG])
        .args(size)
        .args([format!("{group}/{origin}")])
}

/// `lvchange`: activates a thin snapshot, which LVM keeps inactive unless it is told.
pub(crate) fn activate(group: &str, name: &str) -> Tool {
    Tool::change("lvchange", CHANGE_LIMIT).args([
        "--activate",
        "y",
        "--ignoreactivationskip",
        &format!("{group}/{name}"),
    ])
}

/// `lvremove`.
pub(crate) fn remove(group: &str, name: &str) -> Tool {
    Tool::change("lvremove", CHANGE_LIMIT).args(["--yes", &format!("{group}/{name}")])
}

/// A logical volume as `lvs` reports it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) name: String,
    /// Its device, such as `/dev/mapper/vg-lv`.
    pub(crate) device: String,
    pub(crate) attributes: String,
    pub(crate) size_bytes: u64,
    /// The volume that it is a snapshot of; empty for others.
    pub(crate) origin: String,
    /// Its thin pool; empty for others.
    pub(crate) pool: String,
    /// How full a snapshot or pool is; none for others.
    pub(crate) data_percent: Option<f64>,
    pub(crate) metadata_percent: Option<f64>,
    /// Major and minor number; none while it is inactive.
    pub(crate) number: Option<(u32, u32)>,
    pub(crate) tags: Vec<String>,
    pub(crate) group_free_bytes: u64,
    pub(crate) extent_bytes: u64,
}

impl Row {
    /// Whether it is a thin volume, snapshots of which share its pool.
    pub(crate) fn is_thin(&self) -> bool {
        !self.pool.is_empty() && self.attributes.starts_with('V')
    }

    /// Whether it is a thick snapshot, of which LVM makes no further one.
    pub(crate) fn is_thick_snapshot(&self) -> bool {
        self.attributes.starts_with(['s', 'S'])
    }

    /// Whether it is a snapshot that has lost its content: `swi-I-s---`.
    ///
    /// The fifth attribute tells the state: `I` invalid, `S` invalid and suspended, `F` and `f`
    /// failed to merge.
    pub(crate) fn has_overflowed(&self) -> bool {
        let state = self.attributes.chars().nth(4);
        self.is_thick_snapshot()
            && (matches!(state, Some('I' | 'S')) || self.data_percent.is_some_and(|p| p >= 100.0))
    }

    /// How full a pool is: its data or its metadata, whichever ends first.
    pub(crate) fn fullest_percent(&self) -> Option<f64> {
        [self.data_percent, self.metadata_percent].into_iter().flatten().reduce(f64::max)
    }

    /// Whether its pool has failed or takes no more data: the ninth attribute of a thin volume or
    /// pool is `F`, `D` or `M` then.
    pub(crate) fn has_failed_pool(&self) -> bool {
        self.attributes.starts_with(['V', 't'])
            && matches!(self.attributes.chars().nth(8), Some('F' | 'D' | 'M'))
    }
}

/// Reads a report of `lvs`.
///
/// # Errors
/// [`LvmError::Report`].
pub(crate) fn parse(report: &str) -> Result<Vec<Row>, LvmError> {
    let report: Report = serde_json::from_str(report).map_err(LvmError::Report)?;
    report.report.into_iter().flat_map(|part| part.lv).map(RawRow::checked).collect()
}

#[derive(Deserialize)]
struct Report {
    report: Vec<ReportPart>,
}

#[derive(Deserialize)]
struct ReportPart {
    lv: Vec<RawRow>,
}

/// All values are strings, empty where there is none.
#[derive(Deserialize)]
struct RawRow {
    vg_name: String,
    lv_name: String,
    lv_dm_path: String,
    lv_attr: String,
    lv_size: String,
    origin: String,
    pool_lv: String,
    data_percent: String,
    metadata_percent: String,
    lv_kernel_major: String,
    lv_kernel_minor: String,
    lv_tags: String,
    vg_free: String,
    vg_extent_size: String,
}

impl RawRow {
    fn checked(self) -> Result<Row, LvmError> {
        Ok(Row {
            size_bytes: number("lv_size", &self.lv_size)?,
            group_free_bytes: number("vg_free", &self.vg_free)?,
            extent_bytes: number("vg_extent_size", &self.vg_extent_size)?,
            data_percent: percent("data_percent", &self.data_percent)?,
            metadata_percent: percent("metadata_percent", &self.metadata_percent)?,
            // -1 while it is inactive.
            number: self.lv_kernel_major.parse().ok().zip(self.lv_kernel_minor.parse().ok()),
            tags: self.lv_tags.split(',').map(str::to_owned).collect(),
            group: self.vg_name,
            name: self.lv_name,
            device: self.lv_dm_path,
            attributes: self.lv_attr,
            origin: self.origin,
            // A hidden pool is shown in brackets.
            pool: self.pool_lv.trim_matches(['[', ']']).to_owned(),
        })
    }
}

fn number(column: &'static str, text: &str) -> Result<u64, LvmError> {
    text.parse().map_err(|_| LvmError::Value { column, value: text.to_owned() })
}

fn percent(column: &'static str, text: &str) -> Result<Option<f64>, LvmError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| LvmError::Value { column, value: text.to_owned() })
}

#[cfg(test)]
mod tests;
