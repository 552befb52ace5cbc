//! Why a place cannot be used, as the engine that serves it says, or because its worker is gone.
use crate::{
    exit::{Classified, Exit},
    plugin::{PluginError, exit_of},
    supervisor::{SupervisorError, error::ReportedError, job::ErrorReport},
};
use dbbackup_plugin_api::error::ErrorCode;
use serde::{Deserialize, Serialize};
use std::io;

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The place refuses, or cannot be reached.
    #[error("{what}")]
    Refused {
        /// What was being done, to what.
        what: String,
        /// What kind of refusal.
        refusal: Refusal,
        /// What the engine said.
        source: ReportedError,
    },
    /// The worker that serves it is gone, or did not start.
    #[error(transparent)]
    Worker(#[from] SupervisorError),
    /// The worker's answer cannot be understood: a fault of the program.
    #[error("{what}: the worker's answer cannot be read")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong.
        source: io::Error,
    },
}

/// What kind of answer a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such object.
    Missing,
    /// There is one already.
    Exists,
    /// These credentials may not do it.
    Denied,
    /// The request was not answered: it may have been carried out, and still may be.
    Unanswered,
    /// Anything else.
    Other,
}

impl RemoteError {
    /// What kind of refusal it is.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::Worker(_) | Self::Answer { .. } => None,
        }
    }

    /// True if the same request may succeed later, as the engine says: a store in trouble.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { source, .. } => source.report().retryable,
            Self::Worker(_) | Self::Answer { .. } => false,
        }
    }
}

/// What a plugin's error at a target means.
pub(super) fn refusal_of(error: &PluginError) -> Refusal {
    match error {
        PluginError::Engine { error, .. } => match error.code {
            ErrorCode::PRECONDITION => Refusal::Missing,
            ErrorCode::SAFETY => Refusal::Exists,
            ErrorCode::AUTH | ErrorCode::PRIVILEGE => Refusal::Denied,
            ErrorCode::UNANSWERED => Refusal::Unanswered,
            _ => Refusal::Other,
        },
        _ => Refusal::Other,
    }
}

/// An error at a target, as it is reported: what is server and account elsewhere is the target here.
pub(super) fn target_report(error: &PluginError) -> ErrorReport {
    let mut report = ErrorReport::of(error);
    report.exit = target_exit(error).code();
    if let PluginError::Engine { error, .. } = error {
        report.retryable = error.retryable;
    }
    report
}

/// Exit code of an error at a target.
pub(crate) fn target_exit(error: &PluginError) -> Exit {
    match error {
        PluginError::Engine { error, .. } => match error.code {
            ErrorCode::CONNECT
            | ErrorCode::AUTH
            | ErrorCode::PRIVILEGE
            | ErrorCode::PRECONDITION
            | ErrorCode::SOURCE_IO
            | ErrorCode::TIMEOUT => Exit::Target,
            code => exit_of(code),
        },
        other => other.exit(),
    }
}

impl Classified for RemoteError {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused { refusal: Refusal::Exists, .. } => Exit::Refused,
            Self::Refused { source, .. } => source.exit(),
            Self::Worker(error) => error.exit(),
            Self::Answer { .. } => Exit::Plugin,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { source, .. } => source.hint(),
            Self::Worker(error) => error.hint(),
            Self::Answer { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Refused { refusal: Refusal::Exists, .. } => "E-TARGET-EXISTS".to_owned(),
            Self::Refused { refusal: Refusal::Denied, .. } => "E-TARGET-DENIED".to_owned(),
            Self::Refused { .. } => "E-TARGET".to_owned(),
            Self::Worker(error) => error.code(),
            Self::Answer { .. } => "E-WORKER-PROTOCOL".to_owned(),
        }
    }
}
