//! What a doctor finds.
use super::{Extra, assessment::Remedy, document};
use serde::{Deserialize, Serialize};

/// Findings of one engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DoctorFindings {
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(DoctorFindings, "dbbackup.doctor-findings/1");

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found, a clause.
    pub what: String,
    /// What would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A backup cannot run.
    Problem,
    /// A backup runs with a weaker promise.
    Warning,
    /// All is well.
    Good,
}
