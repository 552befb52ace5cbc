//! Failures of engines: each engine's own error enum says its class once, through [`Classify`].
use dbbackup_plugin_api::{
    document::DocumentError,
    error::{EngineError, ErrorCode},
};
use std::fmt;

/// An error that knows its class and what the operator can do.
///
/// Implemented by an engine's error enum; [`Failure`] is made from it by `?`.
pub trait Classify: std::error::Error + 'static {
    /// Class of the failure; decides the exit code.
    fn code(&self) -> ErrorCode;

    /// What the operator can do, if anything is known.
    fn hint(&self) -> Option<String> {
        None
    }

    /// True if the same run may succeed later.
    fn is_retryable(&self) -> bool {
        false
    }
}

/// An error with its causes, in one line.
pub fn shown(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What a role method fails with; made from any [`Classify`] by `?`.
pub struct Failure(Box<EngineError>);

impl Failure {
    /// A failure without an error type of its own: a message, lower case, with its values.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(EngineError::new(code, message)))
    }

    /// The run was cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorCode::CANCELLED, "cancelled")
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self(Box::new(self.0.with_hint(hint)))
    }

    /// Class of the failure.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// As it crosses the boundary.
    pub(crate) fn into_inner(self) -> EngineError {
        *self.0
    }

    /// A failure that the host reported, handed on as it is.
    pub(crate) fn from_host(error: EngineError) -> Self {
        Self(Box::new(error))
    }
}

impl<E: Classify> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut crossing = EngineError::from_error(error.code(), &error);
        if let Some(hint) = error.hint() {
            crossing = crossing.with_hint(hint);
        }
        crossing.retryable = error.is_retryable();
        Self(Box::new(crossing))
    }
}

impl Classify for DocumentError {
    fn code(&self) -> ErrorCode {
        ErrorCode::UNSUPPORTED
    }
}

/// A failure that the host reported, as a source for an engine's own errors.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct HostError(Box<EngineError>);

impl HostError {
    pub(crate) fn new(error: EngineError) -> Self {
        Self(Box::new(error))
    }
}

impl Classify for HostError {
    fn code(&self) -> ErrorCode {
        self.0.code
    }

    fn hint(&self) -> Option<String> {
        (!self.0.hint.is_empty()).then(|| self.0.hint.to_string())
    }

    fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({}: {})", self.0.code.0, self.0)
    }
}
