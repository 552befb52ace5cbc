//! One run of `dbbackup` in the making.
use super::{Outcome, Rig, Running};
use crate::env;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a run may take unless the test says otherwise.
const DEADLINE: Duration = Duration::from_secs(120);

/// Arguments, environment and streams of a run, whose environment holds nothing else.
#[derive(Debug)]
pub struct Invocation {
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) directory: PathBuf,
    pub(super) streams: PathBuf,
    pub(super) input: Vec<u8>,
    pub(super) stdout: Option<Stdio>,
    pub(super) deadline: Duration,
}

impl Invocation {
    pub(super) fn new(rig: &Rig, arguments: Vec<OsString>) -> Self {
        let variables: Vec<(OsString, OsString)> = [
            ("PATH", env::path()),
            ("HOME", rig.home().into()),
            ("XDG_STATE_HOME", rig.state_dir().into()),
            // Root's state is the machine's otherwise, and each rig must see its own alone.
            ("DBBACKUP_STATE_DIR", rig.state_dir().join("dbbackup").into()),
            ("XDG_CONFIG_HOME", rig.config_dir().into()),
            ("XDG_DATA_HOME", rig.home().join("share").into()),
            ("TMPDIR", rig.tmp_dir().into()),
            ("LC_ALL", "C.UTF-8".into()),
            ("RUST_BACKTRACE", "1".into()),
        ]
        .into_iter()
        .map(|(name, value)| (OsString::from(name), value))
        .collect();
        Self {
            binary: rig.binary(),
            arguments,
            variables,
            directory: rig.work_dir(),
            streams: rig.scratch.path().to_owned(),
            input: Vec::new(),
            stdout: None,
            deadline: DEADLINE,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Feeds `input` to stdin, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Sends stdout elsewhere, such as into a pipe; it is not captured then.
    #[must_use]
    pub fn stdout_to(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Runs in another directory than the rig's own.
    #[must_use]
    pub fn in_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Bounds the run, by 120 seconds otherwise; past it the run is killed and the test fails.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The run does not end by its deadline; the message holds what it has logged.
    pub fn run(self) -> Result<Outcome> {
        self.start()?.wait()
    }

    /// Starts the run and returns at once.
    ///
    /// # Errors
    /// The binary cannot be started.
    pub fn start(self) -> Result<Running> {
        Running::start(self)
    }

    /// The same run as a plain command without streams, for whoever waits for it in another way.
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        self.configure(&mut command);
        command
    }

    pub(super) fn configure(&self, command: &mut Command) {
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory);
    }

    pub(super) fn input_file(&self) -> Result<Stdio> {
        if self.input.is_empty() {
            return Ok(Stdio::null());
        }
        let file = tempfile::NamedTempFile::new_in(&self.streams)?;
        file.as_file().write_all(&self.input).context("write the input of dbbackup")?;
        // The name goes with the temporary file, the opened content stays readable.
        Ok(File::open(file.path())?.into())
    }
}
