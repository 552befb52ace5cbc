//! What the supervisor asks of a worker that serves a target. A request is a line of JSON, and so is its
//! answer; the bytes of an object follow their line as they are. `Forget` and `Close` have no answer.
use crate::supervisor::job::ErrorReport;
use dbbackup_plugin_api::document::target::{
    ObjectFacts, ObjectList, UnfinishedUpload, UnfinishedUploads,
};
use serde::{Deserialize, Serialize};

/// Most bytes of one read.
pub(super) const MOST_READ_BYTES: u64 = 16 << 20;

/// A request. Keys are relative to the location.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(super) enum Request {
    /// All objects below a prefix.
    List { prefix: String },
    /// Facts of an object.
    Head { key: String },
    /// Write a small object, whose bytes follow.
    Put { key: String, if_absent: bool, bytes: u64 },
    /// Delete an object.
    Delete { key: String },
    /// Open an object for reading.
    Open { key: String },
    /// A range that will be read in its order.
    Expect { object: usize, offset: u64, bytes: u64 },
    /// Bytes of an open object.
    Read { object: usize, offset: u64, bytes: u64 },
    /// An open object is not read any more.
    Forget { object: usize },
    /// Uploads that have not come to their end.
    Unfinished { prefix: String },
    /// Remove one of them.
    Abandon { upload: UnfinishedUpload },
    /// No more requests.
    Close,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(super) enum Answer {
    List { objects: ObjectList },
    Facts { facts: ObjectFacts },
    Unfinished { uploads: UnfinishedUploads },
    Done,
    Opened { object: usize, bytes: u64 },
    Bytes { bytes: u64 },
    Failed { refusal: super::Refusal, report: ErrorReport },
}
