//! What a worker does with its process before anything else: descriptors, signals, its end.
use crate::exit::{Classified, Exit};
use rustix::{
    net::sockopt::socket_type,
    process::{Signal, set_parent_process_death_signal},
    stdio::{dup2_stdin, dup2_stdout},
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::Command,
    sync::{Arc, atomic::AtomicBool},
};

/// What the process was started with.
pub(super) struct Setup {
    /// The supervisor's other end.
    pub(super) socket: UnixStream,
    /// Where the bytes of an artefact go.
    pub(super) artefact: File,
}

/// Why a process cannot be a worker.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Standard input is no socket.
    #[error("the command worker is for dbbackup itself")]
    NotASupervisor,
    /// A descriptor, a signal or the first message cannot be had.
    #[error("set up the worker process")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
}

impl Setup {
    /// Takes socket and artefact away from descriptors 0 and 1, which plugins and their children
    /// inherit, and arranges for this process to die with its supervisor.
    pub(super) fn of_this_process() -> Result<Self, SetupError> {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
        let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
        if socket_type(&socket).is_err() {
            return Err(SetupError::NotASupervisor);
        }
        let artefact: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
        dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
        dup2_stdout(io::stderr()).map_err(io::Error::from)?;
        // A service manager signals every process of a unit; the supervisor alone decides.
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        Ok(Self { socket: socket.into(), artefact: artefact.into() })
    }
}

/// Becomes the program in the arguments, which dies with the parent of this process.
pub(super) fn become_guarded(mut arguments: impl Iterator<Item = OsString>) -> SetupError {
    if let Err(errno) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return io::Error::from(errno).into();
    }
    match arguments.next() {
        // The signal setting outlives the exec; this returns only if there was none.
        Some(program) => Command::new(program).args(arguments).exec().into(),
        None => SetupError::NotASupervisor,
    }
}

impl Classified for SetupError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotASupervisor => Exit::Usage,
            Self::Io { .. } => Exit::Failed,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::NotASupervisor => "E-WORKER-ALONE".to_owned(),
            Self::Io { .. } => "E-WORKER-SETUP".to_owned(),
        }
    }
}
