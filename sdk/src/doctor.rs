//! What the doctor says of an engine: what its assessment says, and what else the engine has found.

use dbbackup_plugin_api::document::{
    assessment::{Assessment, Remedy},
    doctor::{DoctorFindings, Finding, Severity},
};

/// The findings of an assessment and others, worst first. What is in the way of one
/// engine is a warning: another one may do.
#[must_use]
pub fn doctor_findings(assessment: Assessment, others: Vec<Finding>) -> DoctorFindings {
    let mut findings = others;
    for blocker in assessment.blockers {
        findings.push(finding(Severity::Warning, blocker.what, blocker.remedy));
    }
    for warning in assessment.warnings {
        findings.push(finding(Severity::Warning, warning, None));
    }
    if assessment.applicable {
        findings.push(finding(Severity::Good, assessment.reason, None));
    }
    findings.sort_by_key(|finding| finding.severity);
    DoctorFindings { findings, ..DoctorFindings::default() }
}

/// One finding.
#[must_use]
pub fn finding(severity: Severity, what: impl Into<String>, remedy: Option<Remedy>) -> Finding {
    Finding { severity, what: what.into(), remedy }
}
