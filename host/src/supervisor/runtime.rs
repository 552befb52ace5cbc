//! What all runs of a process share: plugins, state, workers and their limits.
use super::{
    CancelFlag, Limits, Observer, StateDir, Supervisor, WorkerCommand,
    event::LogLevel,
    job::{EnginePin, Job, Task},
    secrets::Secrets,
};
use crate::plugin::{EngineRef, PluginError, Registry, Sha256};
use dbbackup_plugin_api::role::TARGET_ROLE;
use jiff::Timestamp;
use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::PathBuf,
};

/// How this process runs jobs.
#[derive(Debug)]
pub struct Runtime<'a> {
    /// The plugins.
    pub plugins: &'a Registry,
    /// Where journals are.
    pub state: StateDir,
    /// The program that is started as a worker.
    pub worker: WorkerCommand,
    /// How long workers may do what.
    pub limits: Limits,
    /// Log events below this severity are not sent by workers.
    pub log_level: LogLevel,
    /// Parent of scratch directories; the state directory's own if not given.
    pub scratch_parent: Option<PathBuf>,
}

impl<'a> Runtime<'a> {
    /// Defaults for everything but plugins and state.
    pub fn new(plugins: &'a Registry, state: StateDir) -> Self {
        Self {
            plugins,
            state,
            worker: WorkerCommand::this_program(),
            limits: Limits::default(),
            log_level: LogLevel::Info,
            scratch_parent: None,
        }
    }

    /// A job for one worker.
    pub fn job(&self, run_id: &str, secrets: &Secrets, task: Task) -> Job {
        let settings = self.plugins.settings();
        Job {
            run_id: run_id.to_owned(),
            log_level: self.log_level,
            scratch_parent: self.scratch_parent.clone().unwrap_or_else(|| self.state.scratch()),
            trust: settings.trust,
            allow_shadowing: settings.allow_shadowing,
            secrets: secrets.clone(),
            task,
        }
    }

    /// A supervisor for one or several jobs.
    pub fn supervisor<'r>(
        &'r self,
        observer: &'r dyn Observer,
        cancel: &'r CancelFlag,
    ) -> Supervisor<'r> {
        Supervisor::new(&self.worker, self.limits, observer, cancel)
    }

    /// Pins an engine by its id to the file that holds it now.
    ///
    /// # Errors
    /// [`PluginError`] if there is no such engine, or its file cannot be read.
    pub fn pin(&self, engine: &str) -> Result<EnginePin, PluginError> {
        EnginePin::of(self.plugins.engine(engine)?)
    }
}

impl EnginePin {
    /// Pins an engine to the file that holds it now.
    ///
    /// # Errors
    /// [`PluginError::Unreadable`] if the file cannot be read.
    pub fn of(found: EngineRef<'_>) -> Result<Self, PluginError> {
        let path = found.plugin.path.clone();
        let hash = File::open(&path).and_then(Sha256::of_reader);
        let sha256 = hash
            .map_err(|source: io::Error| PluginError::Unreadable { path: path.clone(), source })?;
        Ok(Self {
            plugin: found.plugin.id().unwrap_or(&found.engine.id).to_owned(),
            engine: found.engine.id.clone(),
            path,
            sha256: sha256.to_string(),
            environment: environment_of(found),
        })
    }
}

/// What an engine with the target role needs of the environment; others get nothing of it.
fn environment_of(found: EngineRef<'_>) -> Vec<String> {
    let is_target = found.engine.roles.iter().any(|role| role == TARGET_ROLE);
    if is_target { found.engine.environment.clone() } else { Vec::new() }
}

/// Id of a new run: its start in UTC and six random digits, so that ids sort by time.
pub fn new_run_id(now: Timestamp) -> String {
    let random = RandomState::new().build_hasher().finish() & 0xff_ffff;
    format!("{}-{random:06x}", now.strftime("%Y%m%dT%H%M%SZ"))
}

/// True for what [`new_run_id`] makes.
pub(crate) fn is_run_id(text: &str) -> bool {
    let shape = "00000000T000000Z-xxxxxx";
    text.len() == shape.len()
        && shape.bytes().zip(text.bytes()).all(|(wanted, found)| match wanted {
            b'0' => found.is_ascii_digit(),
            b'x' => found.is_ascii_hexdigit(),
            literal => found == literal,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_runs_are_told_from_other_words() {
        assert!(is_run_id(&new_run_id(Timestamp::now())));
        for word in ["", "monday", "20261201T122457Z", "20261201T122457Z-b158cg"] {
            assert!(!is_run_id(word), "{word}");
        }
    }
}
