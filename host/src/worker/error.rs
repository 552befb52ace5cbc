//! What can go wrong inside a worker, each with its exit code.
use crate::{
    exit::{Classified, Exit},
    manifest::ManifestError,
    pipeline::{EncodingError, PipelineError, RecipientError},
    plugin::PluginError,
    remote::target_exit,
    target::exit_of_io,
};
use std::{io, time::Duration};

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    /// The plugin cannot be had, or its answer is an error.
    #[error(transparent)]
    Plugin(Box<PluginError>),
    /// The target cannot be had, or its engine's answer is an error.
    #[error(transparent)]
    Target(Box<PluginError>),
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The manifest inside the artefact cannot be made.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The ending of the artefact's name says nothing.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A public key is none.
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    /// A thread cannot be started.
    #[error("start a thread of the worker")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The supervisor is gone, or keeps no journal in time.
    #[error("ask the supervisor to keep the undo journal")]
    Unheard {
        /// What the socket said.
        source: io::Error,
    },
    /// The artefact's file does not take the flags of direct writes.
    #[error("prepare the artefact's file")]
    Output {
        /// What the system said.
        source: io::Error,
    },
    /// The plugin's file is not the one that was chosen.
    #[error("plugin {} has changed since it was chosen: sha256 {found} instead of {wanted}", path.display())]
    Changed {
        /// The file.
        path: std::path::PathBuf,
        /// Hash of the choice.
        wanted: String,
        /// Hash now.
        found: String,
    },
    /// The engine kept the sink beyond its run.
    #[error("engine {engine} kept the sink after its backup had returned")]
    SinkKept {
        /// The engine.
        engine: String,
    },
    /// The engine did not answer in time.
    #[error("engine {engine} did not answer within {} s", .limit.as_secs())]
    Silent {
        /// The engine.
        engine: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The engine's thread panicked outside of the plugin.
    #[error("the call of engine {engine} panicked")]
    Panicked {
        /// The engine.
        engine: String,
    },
    /// The plugin has no such engine.
    #[error("plugin {plugin} has no note that could be read")]
    NoNote {
        /// The plugin.
        plugin: String,
    },
    /// An artefact cannot be read.
    #[error(transparent)]
    Artefact(#[from] crate::artefact::ArtefactError),
}

impl From<PluginError> for WorkerError {
    fn from(error: PluginError) -> Self {
        Self::Plugin(Box::new(error))
    }
}

impl Classified for WorkerError {
    fn exit(&self) -> Exit {
        match self {
            Self::Plugin(error) => error.exit(),
            Self::Target(error) => target_exit(error),
            Self::Pipeline(error) => pipeline_exit(error),
            Self::Manifest(error) => error.exit(),
            Self::Encoding(_) | Self::Recipient(_) => Exit::Usage,
            Self::Thread { .. } | Self::Unheard { .. } => Exit::Failed,
            Self::Output { source } => crate::target::exit_of_io(source.kind()),
            Self::Artefact(error) => error.exit(),
            Self::Changed { .. }
            | Self::SinkKept { .. }
            | Self::Panicked { .. }
            | Self::NoNote { .. } => Exit::Plugin,
            Self::Silent { .. } => Exit::Timeout,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Plugin(error) | Self::Target(error) => error.hint(),
            Self::Pipeline(error) if target_error(error).is_some() => {
                target_error(error).and_then(Classified::hint)
            }
            Self::Pipeline(error) if pipeline_exit(error) == Exit::NoSpace => {
                Some("free some space, or choose another place with --output".to_owned())
            }
            Self::Manifest(error) => error.hint(),
            Self::Artefact(error) => error.hint(),
            _ => None,
        }
    }

    fn code(&self) -> String {
        let code = match self {
            Self::Plugin(error) | Self::Target(error) => return error.code(),
            Self::Manifest(error) => return error.code(),
            Self::Artefact(error) => return error.code(),
            Self::Pipeline(error) => pipeline_code(error),
            Self::Encoding(_) => "E-OUTPUT-NAME",
            Self::Recipient(_) => "E-RECIPIENT",
            Self::Thread { .. } => "E-WORKER-THREAD",
            Self::Unheard { .. } => "E-WORKER-UNHEARD",
            Self::Output { .. } => "E-TARGET-IO",
            Self::Changed { .. } => "E-PLUGIN-CHANGED",
            Self::SinkKept { .. } => "E-PLUGIN-SINK",
            Self::Silent { .. } => "E-PLUGIN-TIMEOUT",
            Self::Panicked { .. } => "E-PLUGIN-PANIC",
            Self::NoNote { .. } => "E-PLUGIN-NOTE",
        };
        code.to_owned()
    }
}

/// What the engine of a target said, if that made the pipeline fail.
fn target_error(error: &PipelineError) -> Option<&PluginError> {
    match error {
        PipelineError::Output { source, .. } => source.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// Exit code of a failed pipeline.
pub(crate) fn pipeline_exit(error: &PipelineError) -> Exit {
    if let Some(error) = target_error(error) {
        return target_exit(error);
    }
    match (error, error.io_kind()) {
        (PipelineError::Cancelled, _) => Exit::Interrupted,
        (_, Some(kind)) if error.is_target() => exit_of_io(kind),
        _ => Exit::Failed,
    }
}

fn pipeline_code(error: &PipelineError) -> &'static str {
    match pipeline_exit(error) {
        Exit::Interrupted => "E-INTERRUPTED",
        Exit::NoSpace => "E-TARGET-NO-SPACE",
        Exit::Target => "E-TARGET-IO",
        _ if error.is_source() => "E-SOURCE-IO",
        _ => "E-PIPELINE",
    }
}
