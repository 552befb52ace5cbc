//! Errors as they go to the supervisor.
use crate::{exit::Classified, supervisor::job::ErrorReport};
use dbbackup_plugin_api::{
    abi_stable::std_types::RResult,
    error::{AbiResult, EngineError},
};

/// An error on its way to a plugin.
pub(super) type Refused = Box<EngineError>;

/// A result as it crosses the boundary.
pub(super) fn answer<T>(result: Result<T, Refused>) -> AbiResult<T> {
    match result {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(*error),
    }
}

/// An error with its causes, each said once.
pub(crate) fn error_report(error: &dyn Classified) -> ErrorReport {
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
