//! Targets: places where backups live.
use super::{Extra, document};
use serde::{Deserialize, Serialize};

/// A place and how to reach it. Credentials are secrets, asked for by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetLocation {
    /// The location as the operator wrote it, such as `s3://bucket/path`.
    pub location: String,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(TargetLocation, "dbbackup.target-location/1");

/// An object that is to be written, read or deleted; for a list, `key` is the prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Key relative to the location.
    pub key: String,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectKey, "dbbackup.object-key/1");

/// An object that is to be created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectCreate {
    /// Key relative to the location.
    pub key: String,
    /// Fail if the object exists.
    pub if_absent: bool,
    /// Expected size, for choosing part sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_bytes: Option<u64>,
    /// The backup that the object is a part of; none for an object that stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<BackupPart>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectCreate, "dbbackup.object-create/1");

/// Which backup an object belongs to. Until its manifest is there, the object is worth nothing, and
/// whoever cleans up removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPart {
    /// Id of the backup: the `id` of its manifest.
    pub backup_id: String,
    /// Key of the manifest, which is put last. The name of the backup is this key without its ending.
    pub manifest_key: String,
}

/// What a place can do, for whoever uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetLimits {
    /// Ranged reads that are worth having at the same time.
    pub parallel_reads: u16,
    /// Bytes of one such read.
    pub read_bytes: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(TargetLimits, "dbbackup.target-limits/1");

/// What a store says of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Key relative to the location.
    pub key: String,
    /// Size.
    pub size_bytes: u64,
    /// The store's version tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Time of last change, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Checksum of the whole object that the store has confirmed: algorithm, `:`, its value in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectFacts, "dbbackup.object-facts/1");

/// All objects below a prefix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectList {
    /// The objects by key.
    pub objects: Vec<ObjectFacts>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectList, "dbbackup.object-list/1");

/// A finished object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectReceipt {
    /// The object, as the store has confirmed it.
    pub object: ObjectFacts,
    /// What the store did not do although it was asked, a clause each.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// Keys of objects that say that this run is at work: deleted after the manifest is there.
    #[serde(default)]
    pub markers: Vec<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectReceipt, "dbbackup.object-receipt/1");

/// Something that a run has not brought to its end, and that takes room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedUpload {
    /// Key of the object that it would have become, or of the marker if only that is left.
    pub key: String,
    /// What the store calls it; absent for a marker without an upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<String>,
    /// Its start, RFC 3339, by the clock of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Seconds since its start, by the clock of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// The run that names it; none for an upload that no marker names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunMarker>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(UnfinishedUpload, "dbbackup.unfinished-upload/1");

/// What a run says of itself beside the objects that it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMarker {
    /// Id of the run's backup.
    pub run_id: String,
    /// Where it runs.
    pub host: String,
    /// Seconds since the store last heard of it, by the clock of the store.
    pub silent_s: u64,
}

/// All unfinished uploads below a prefix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedUploads {
    /// The uploads by key.
    pub uploads: Vec<UnfinishedUpload>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(UnfinishedUploads, "dbbackup.unfinished-uploads/1");
