//! How a worker can end badly, each with its exit code.
use super::{cancel::CancelCause, job::ErrorReport, journal::JournalError};
use crate::exit::{Classified, Exit};
use std::{io, path::PathBuf, time::Duration};

/// Why a job has no receipt that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The signal handlers cannot be installed.
    #[error("install the signal handlers")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
    /// The worker process, or a thread that watches it, cannot be started.
    #[error("start the worker {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The worker cannot be spoken to.
    #[error("send to the worker")]
    Send {
        /// What the socket said.
        source: io::Error,
    },
    /// The worker ended without saying how its work went, or not cleanly after saying so.
    #[error("{}", crash_text(.task, .blamed, .how, .last_words))]
    Crashed {
        /// What it was doing.
        task: &'static str,
        /// Plugin and engine, where one alone is concerned.
        blamed: Option<Blamed>,
        /// Signal or exit status.
        how: String,
        /// Last line of its standard error; empty if there was none.
        last_words: String,
    },
    /// The worker wrote something that is no message.
    #[error("the worker's messages cannot be read")]
    Protocol {
        /// What is wrong.
        source: io::Error,
    },
    /// The engine neither sent anything nor gave a sign of life.
    #[error("{} gave no sign of life for {} s", blamed_text(.blamed), .silent.as_secs())]
    Stalled {
        /// Plugin and engine, where one alone is concerned.
        blamed: Option<Blamed>,
        /// For how long.
        silent: Duration,
    },
    /// The target took no bytes for longer than the source can wait.
    #[error("the target took no bytes for {} s", .blocked.as_secs())]
    TargetStalled {
        /// For how long.
        blocked: Duration,
    },
    /// The run was cancelled, and the worker is gone.
    #[error("{cause}")]
    Cancelled {
        /// By what.
        cause: CancelCause,
    },
    /// The worker reported an error.
    #[error(transparent)]
    Reported(#[from] ReportedError),
    /// The undo journal cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The worker answered with a receipt of another kind: a fault of the program.
    #[error("the worker's receipt is not that of the job {task}")]
    OtherReceipt {
        /// The job.
        task: &'static str,
    },
}

/// Plugin and engine that a crash or stall is blamed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blamed {
    /// Plugin id.
    pub plugin: String,
    /// Engine id.
    pub engine: String,
}

fn blamed_text(blamed: &Option<Blamed>) -> String {
    match blamed {
        Some(Blamed { plugin, engine }) if plugin == engine => format!("engine {engine}"),
        Some(Blamed { plugin, engine }) => format!("engine {engine} of plugin {plugin}"),
        None => "the worker".to_owned(),
    }
}

fn crash_text(task: &str, blamed: &Option<Blamed>, how: &str, last_words: &str) -> String {
    let words = match last_words {
        "" => String::new(),
        words => format!("; its last words: {words:?}"),
    };
    format!("{} crashed during {task}: its process {how}{words}", blamed_text(blamed))
}

/// An error of a plugin, or of the host's code in the worker, as it was reported.
#[derive(Clone, Debug)]
pub struct ReportedError {
    report: Box<ErrorReport>,
    cause: Option<ReportedCause>,
}

impl ReportedError {
    /// What the worker said.
    pub fn report(&self) -> &ErrorReport {
        &self.report
    }
}

impl From<ErrorReport> for ReportedError {
    fn from(report: ErrorReport) -> Self {
        let cause = report.causes.iter().rev().fold(None, |inner, message| {
            Some(ReportedCause { message: message.clone(), cause: inner.map(Box::new) })
        });
        Self { report: Box::new(report), cause }
    }
}

impl std::fmt::Display for ReportedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report.message)
    }
}

impl std::error::Error for ReportedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// One cause of a reported error.
#[derive(Clone, Debug)]
struct ReportedCause {
    message: String,
    cause: Option<Box<ReportedCause>>,
}

impl std::fmt::Display for ReportedCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReportedCause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl Classified for ReportedError {
    fn exit(&self) -> Exit {
        Exit::from_code(self.report.exit).unwrap_or(Exit::Failed)
    }

    fn hint(&self) -> Option<String> {
        self.report.hint.clone()
    }

    fn code(&self) -> String {
        self.report.code.clone()
    }
}

impl Classified for SupervisorError {
    fn exit(&self) -> Exit {
        match self {
            Self::Signals { .. } | Self::Spawn { .. } | Self::Send { .. } => Exit::Failed,
            Self::Crashed { .. } | Self::Protocol { .. } | Self::OtherReceipt { .. } => {
                Exit::Plugin
            }
            Self::Stalled { .. } => Exit::Timeout,
            Self::TargetStalled { .. } => Exit::Target,
            Self::Cancelled { cause } => cause.exit(),
            Self::Reported(error) => error.exit(),
            Self::Journal(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Reported(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Crashed { .. } => Some(
                "this is a fault of the plugin: report it to its vendor; nothing was committed"
                    .to_owned(),
            ),
            Self::Stalled { .. } => {
                Some("raise --stall-timeout if the engine may be silent for longer".to_owned())
            }
            _ => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Signals { .. } => "E-SIGNALS".to_owned(),
            Self::Spawn { .. } => "E-WORKER-SPAWN".to_owned(),
            Self::Send { .. } | Self::Protocol { .. } => "E-WORKER-PROTOCOL".to_owned(),
            Self::OtherReceipt { .. } => "E-WORKER-RECEIPT".to_owned(),
            Self::Crashed { .. } => "E-PLUGIN-CRASHED".to_owned(),
            Self::Stalled { .. } => "E-PLUGIN-STALLED".to_owned(),
            Self::TargetStalled { .. } => "E-TARGET-STALLED".to_owned(),
            Self::Cancelled { cause: CancelCause::Interrupted } => "E-INTERRUPTED".to_owned(),
            Self::Cancelled { cause: CancelCause::Terminated } => "E-TERMINATED".to_owned(),
            Self::Reported(error) => error.code(),
            Self::Journal(error) => error.code(),
        }
    }
}
