//! Errors as they go to the supervisor.
use crate::{exit::Classified, supervisor::job::ErrorReport};

/// An error with its causes, each said once.
pub(super) fn error_report(error: &dyn Classified) -> ErrorReport {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    ErrorReport {
        code: error.code(),
        exit: error.exit().code(),
        message: error.to_string(),
        causes: causes.map(ToString::to_string).collect(),
        hint: error.hint(),
        retryable: false,
    }
}
