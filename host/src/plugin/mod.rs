//! Plugins: found on disk, checked without running a byte of them, then loaded and driven.
//!
//! [`Registry::discover`] looks through the plugin directories and runs no plugin code: it reads
//! the ELF note of each file (`preflight`), negotiates the API, checks owner, mode and
//! lock file, and lists what it refuses with code, reason and mend. [`Registry::load`] is for the
//! worker process alone, because `dlopen` of a bad plugin may end the process that does it.
mod code;
mod discover;
mod error;
mod image;
mod install;
mod library;
mod lockfile;
mod mend;
mod negotiate;
mod note;
mod options;
mod preflight;
mod refusal;
mod registry;
mod session;
mod settings;
mod target;
mod trust;

pub use code::PluginCode;
pub use discover::{LockState, Origin, Plugin};
pub use error::PluginError;
pub use install::{
    AddRequest, Added, EnabledChange, InstallError, Removed, add, lock, probe, remove, set_enabled,
};
pub use lockfile::{LOCK_FILE_NAME, LockEntry, LockFile, LockFileError, Sha256};
pub use negotiate::{HostApi, negotiate};
pub use options::{OptionProblem, check_options};
pub use refusal::{ApiMismatch, PluginLabel, Reason, Refusal, RefusalView};
pub use registry::{EngineRef, Registry};
pub use session::{LoadedEngine, exit_of};
pub use settings::{FIRST_PARTY_IDS, FIRST_PARTY_VENDOR, PluginSettings};
pub(crate) use target::{LoadedReader, LoadedTarget, LoadedWriter};
pub use trust::{PermissionProblem, TrustPolicy};
