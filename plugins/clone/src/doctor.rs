//! What stands in the way of a clone, and the statement that mends each of it. Nothing is changed.

use dbbackup_sdk::document::{
    assessment::Remedy,
    doctor::{DoctorFindings, Finding, Severity},
    environment::Environment,
};

use crate::{assess, options::Options};

/// Looks at an environment.
pub(crate) fn look(environment: &Environment, options: &Options) -> DoctorFindings {
    let assessment = assess::assess(environment, options);
    let mut findings = Vec::new();
    // Another engine may do: what is in the way here is in nobody's way else.
    for blocker in assessment.blockers {
        findings.push(finding(Severity::Warning, blocker.what, blocker.remedy));
    }
    for warning in assessment.warnings {
        findings.push(finding(Severity::Warning, warning, None));
    }
    if assessment.applicable {
        findings.push(finding(Severity::Good, assessment.reason, None));
    }
    DoctorFindings { findings, ..DoctorFindings::default() }
}

fn finding(severity: Severity, what: String, remedy: Option<Remedy>) -> Finding {
    Finding { severity, what, remedy }
}
