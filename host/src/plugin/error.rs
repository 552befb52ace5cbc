//! What can go wrong between naming an engine and having its answer.
use super::{FIRST_PARTY_IDS, OptionProblem, Refusal, session::exit_of};
use crate::exit::{Classified, Exit};
use dbbackup_plugin_api::{document::DocumentError, error::EngineError};
use std::sync::Arc;

/// A failure of finding, loading or calling an engine.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The plugin of the engine is refused.
    #[error(transparent)]
    Refused(Arc<Refusal>),
    /// No plugin offers such an engine or family.
    #[error("unknown engine '{name}'")]
    UnknownEngine {
        /// What was asked for.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
        /// All names that exist.
        known: Vec<String>,
    },
    /// The family has no such member.
    #[error("engine family '{family}' has no backend '{backend}'")]
    UnknownBackend {
        /// The family.
        family: String,
        /// What was asked for.
        backend: String,
        /// The backends that it has.
        known: Vec<String>,
    },
    /// The engine that is named and the backend that is named are not one.
    #[error("engine '{engine}' is not of the backend '{backend}'")]
    OtherBackend {
        /// The engine that was asked for.
        engine: String,
        /// The backend that was asked for.
        backend: String,
    },
    /// No engine serves such locations.
    #[error("no engine serves {scheme}:// locations")]
    UnknownScheme {
        /// What was asked for.
        scheme: String,
        /// The nearest scheme that exists.
        nearest: Option<String>,
    },
    /// Options do not fit the schema of the engine.
    #[error("options of engine '{engine}': {}", join(problems))]
    Options {
        /// The engine.
        engine: String,
        /// What is wrong, all of it.
        problems: Vec<OptionProblem>,
    },
    /// The file of a usable plugin cannot be read any more.
    #[error("read plugin {}", path.display())]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine does not play the role.
    #[error("engine '{engine}' has no role {role}")]
    NoRole {
        /// The engine.
        engine: String,
        /// The role.
        role: String,
    },
    /// A document of ours could not be written, or one of the engine's could not be read.
    #[error("{step} of engine '{engine}'")]
    Document {
        /// The engine.
        engine: String,
        /// The call.
        step: &'static str,
        /// What is wrong with the document.
        source: DocumentError,
    },
    /// The engine answered with an error.
    #[error("{step} of engine '{engine}': {error}")]
    Engine {
        /// The engine.
        engine: String,
        /// The call.
        step: &'static str,
        /// Its answer; its causes are part of the text.
        error: Box<EngineError>,
    },
}

impl PluginError {
    /// True if the plugin was not let in, or could not be started.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl Classified for PluginError {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(refusal) => refusal.exit(),
            Self::UnknownEngine { .. }
            | Self::UnknownBackend { .. }
            | Self::UnknownScheme { .. }
            | Self::NoRole { .. } => Exit::Precondition,
            Self::OtherBackend { .. } => Exit::Usage,
            Self::Options { .. } => Exit::Configuration,
            Self::Document { .. } | Self::Unreadable { .. } => Exit::Plugin,
            Self::Engine { error, .. } => exit_of(error.code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.mend()),
            Self::UnknownEngine { name, .. } if FIRST_PARTY_IDS.contains(&name.as_str()) => {
                Some(format!(
                    "{name} is an engine of dbbackup's own, and its plugin is in none of the plugin \
                     directories: dbbackup engine add FILE puts it there"
                ))
            }
            Self::UnknownEngine { nearest: Some(name), .. } => {
                Some(format!("did you mean '{name}'?"))
            }
            Self::UnknownEngine { known, .. } if known.is_empty() => {
                Some("no engine plugin is installed; see dbbackup engine list".to_owned())
            }
            Self::UnknownEngine { known, .. } => Some(format!("there are: {}", known.join(", "))),
            Self::UnknownBackend { known, .. } => Some(format!("it has: {}", known.join(", "))),
            Self::OtherBackend { .. } => {
                Some("leave --snapshot-backend out, or say --engine snapshot".to_owned())
            }
            Self::UnknownScheme { nearest: Some(name), .. } => {
                Some(format!("did you mean {name}://?"))
            }
            Self::UnknownScheme { .. } => {
                Some("dbbackup engine list shows the targets that plugins serve".to_owned())
            }
            Self::Options { problems, .. } => problems.iter().find_map(OptionProblem::hint),
            Self::Engine { error, .. } if !error.hint.is_empty() => Some(error.hint.to_string()),
            Self::NoRole { .. }
            | Self::Unreadable { .. }
            | Self::Document { .. }
            | Self::Engine { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::UnknownEngine { .. } => "E-ENGINE-UNKNOWN".to_owned(),
            Self::UnknownBackend { .. } | Self::OtherBackend { .. } => {
                "E-ENGINE-BACKEND".to_owned()
            }
            Self::UnknownScheme { .. } => "E-TARGET-SCHEME".to_owned(),
            Self::Options { .. } => "E-ENGINE-OPTIONS".to_owned(),
            Self::Unreadable { .. } => "E-PLUGIN-UNREADABLE".to_owned(),
            Self::NoRole { .. } => "E-ENGINE-ROLE".to_owned(),
            Self::Document { .. } => "E-ENGINE-DOCUMENT".to_owned(),
            Self::Engine { error, .. } => format!("E-ENGINE-{}", error.code.0),
        }
    }
}

impl From<Arc<Refusal>> for PluginError {
    fn from(refusal: Arc<Refusal>) -> Self {
        Self::Refused(refusal)
    }
}

fn join(problems: &[OptionProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
