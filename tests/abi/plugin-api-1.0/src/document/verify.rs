//! Verification by an engine of its own members.
use super::{Extra, document, manifest::Manifest};
use serde::{Deserialize, Serialize};

/// What is to be verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyRequest {
    /// The backup.
    pub manifest: Manifest,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(VerifyRequest, "dbbackup.verify-request/1");

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerifyFindings {
    /// Things looked at.
    pub checked: u64,
    /// What is wrong, a clause each; empty means good.
    pub problems: Vec<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(VerifyFindings, "dbbackup.verify-findings/1");
