//! Failures of the engine, each with its class and what the operator can do.

use dbbackup_sdk::{Classify, ErrorCode, HostError, server::SessionError, wire::WireError};

use crate::{
    artefact::RecordError,
    options::{Method, OptionsError},
};

/// Everything that ends a backup or a restore.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloneError {
    /// Options that cannot be.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A session failed.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// A connection that speaks the clone protocol failed.
    #[error(transparent)]
    Wire(Box<WireError>),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A stream of records cannot be read.
    #[error("read {stream}")]
    Records {
        /// The stream.
        stream: String,
        /// Why.
        source: RecordError,
    },
    /// The method cannot do what is asked.
    #[error("method {method} cannot do this")]
    Method {
        /// The method.
        method: Method,
    },
}

impl From<SessionError> for CloneError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl From<WireError> for CloneError {
    fn from(error: WireError) -> Self {
        Self::Wire(Box::new(error))
    }
}

impl Classify for CloneError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Options(_) => ErrorCode::CONFIG,
            Self::Session(error) => error.code(),
            Self::Wire(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Records { .. } => ErrorCode::INTEGRITY,
            Self::Method { .. } => ErrorCode::UNSUPPORTED,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Session(error) => error.hint(),
            Self::Wire(error) => error.hint(),
            Self::Host(error) => error.hint(),
            _ => None,
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_retryable(),
            Self::Wire(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            _ => false,
        }
    }
}
