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
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectCreate, "dbbackup.object-create/1");

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

/// A finished object; an archive may continue in several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectReceipt {
    /// The objects in the order in which they are joined.
    pub objects: Vec<ObjectFacts>,
    /// What the store did not do although it was asked, a clause each.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ObjectReceipt, "dbbackup.object-receipt/1");
