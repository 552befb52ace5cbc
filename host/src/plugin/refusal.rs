//! A refused plugin: which file, why, and what mends it.
use super::{PermissionProblem, PluginCode, Sha256, mend};
use crate::exit::{Classified, Exit};
use dbbackup_plugin_api::error::EngineError;
use semver::{Version, VersionReq};
use serde::Serialize;
use std::{fmt, io, path::PathBuf, sync::Arc};

/// A plugin file that is not used, with its reason. `Display` is the whole account except the
/// code and the mend; [`report`](Self::report) has everything.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The file.
    pub path: PathBuf,
    /// Id and version, once the note was readable.
    pub plugin: Option<PluginLabel>,
    /// Why.
    pub reason: Reason,
}

/// Name of a plugin in messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginLabel {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: Version,
}

/// Why a plugin is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The file cannot be opened or read.
    #[error("cannot be read")]
    Unreadable {
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// Not an ELF file, or no shared library.
    #[error("is not a shared library: {what}")]
    Format {
        /// What was found instead.
        what: String,
    },
    /// A table or segment ends behind the end of the file.
    #[error("is truncated: {part} ends at byte {end}, the file at {size_bytes}")]
    Truncated {
        /// The part that is missing.
        part: String,
        /// Where it should end.
        end: u64,
        /// Length of the file.
        size_bytes: u64,
    },
    /// Built for another machine.
    #[error("is built for {found}, this machine is {wanted}")]
    OtherMachine {
        /// Machine of the file.
        found: String,
        /// Machine of this process.
        wanted: &'static str,
    },
    /// Needs a newer glibc.
    #[error("needs glibc {needed}, this machine has {present}")]
    NewerGlibc {
        /// Oldest version that it runs with.
        needed: String,
        /// Version here.
        present: String,
    },
    /// Linked with another C library.
    #[error("is linked with {library}, dbbackup with glibc")]
    OtherLibc {
        /// The library.
        library: String,
    },
    /// No plugin of ours.
    #[error("is a shared library, but no dbbackup plugin: it has no {section} section")]
    NoNote {
        /// The missing section.
        section: &'static str,
    },
    /// The note cannot be understood.
    #[error("has a malformed note: {what}")]
    BadNote {
        /// What is wrong with it.
        what: String,
    },
    /// The note and the running code contradict each other.
    #[error("is not what its note says: {what}")]
    NoteContradicted {
        /// The contradiction.
        what: String,
    },
    /// The API ranges do not meet.
    #[error("cannot be used with dbbackup {tool}{mismatch}", tool = .0.tool, mismatch = .0)]
    Api(Box<ApiMismatch>),
    /// Another major version of the contract.
    #[error("cannot be used with dbbackup {tool}{mismatch}", tool = .0.tool, mismatch = .0)]
    Major(Box<ApiMismatch>),
    /// The binary interface is another one.
    #[error("has another binary interface: {what}")]
    Layout {
        /// What differs, in a clause.
        what: String,
    },
    /// Others can change the file.
    #[error("{0}")]
    Permission(PermissionProblem),
    /// The content is not the locked one.
    #[error("has sha256 {found}, {expected_by} says {expected}")]
    Hash {
        /// Digest of the file.
        found: Sha256,
        /// Digest expected.
        expected: Sha256,
        /// Who expects it: a lock file or `--sha256`.
        expected_by: String,
    },
    /// The policy is `locked` and there is no entry.
    #[error("is not in {}, and the trust policy is 'locked'", lock_file.display())]
    NotLocked {
        /// The lock file of its directory.
        lock_file: PathBuf,
    },
    /// The lock file is there and cannot be used.
    #[error("cannot be checked: {} {what}", lock_file.display())]
    LockFileUnusable {
        /// The lock file.
        lock_file: PathBuf,
        /// Why not.
        what: String,
    },
    /// Same directory, same id.
    #[error("has the id of {}", by.display())]
    Duplicate {
        /// The one that counts.
        by: PathBuf,
    },
    /// An engine id is taken by another plugin.
    #[error("has an engine '{engine}', as {} has", by.display())]
    DuplicateEngine {
        /// The engine.
        engine: String,
        /// The one that counts.
        by: PathBuf,
    },
    /// An earlier directory has the id.
    #[error("is shadowed by {}, which is searched first", by.display())]
    Shadowed {
        /// The one that counts.
        by: PathBuf,
    },
    /// A third party claims an id of ours.
    #[error("claims '{id}', an id of dbbackup itself, for the vendor '{vendor}'")]
    FirstPartyId {
        /// The id.
        id: String,
        /// Who claims it.
        vendor: String,
    },
    /// Disabled by the operator.
    #[error("is disabled in {}", lock_file.display())]
    Disabled {
        /// Where that is written.
        lock_file: PathBuf,
    },
    /// Safe mode leaves it out.
    #[error("is left out by safe mode, which uses installed first-party plugins only")]
    SafeMode,
    /// `dlopen` refused.
    #[error("is refused by the dynamic linker: {what}")]
    Link {
        /// The linker's text.
        what: String,
    },
    /// The plugin answered with an error.
    #[error("cannot be initialised: {error}")]
    Init {
        /// Its answer.
        error: Box<EngineError>,
    },
    /// The process that loaded it for a trial refused it or ended.
    #[error("fails its trial load: {what}")]
    Probe {
        /// The code that it was refused with there.
        code: PluginCode,
        /// What was said there, one line.
        what: String,
    },
    /// The process that loaded it ended or hung.
    #[error("ended the process that loaded it: {how}")]
    Crashed {
        /// Signal, exit status or time limit.
        how: String,
    },
}

impl Reason {
    /// The fixed code.
    pub fn code(&self) -> PluginCode {
        match self {
            Self::Unreadable { .. } => PluginCode::Unreadable,
            Self::Format { .. } => PluginCode::Format,
            Self::Truncated { .. } => PluginCode::Truncated,
            Self::OtherMachine { .. } => PluginCode::Arch,
            Self::NewerGlibc { .. } | Self::OtherLibc { .. } => PluginCode::Glibc,
            Self::NoNote { .. } | Self::BadNote { .. } | Self::NoteContradicted { .. } => {
                PluginCode::Note
            }
            Self::Api(_) => PluginCode::Api,
            Self::Major(_) => PluginCode::Major,
            Self::Layout { .. } => PluginCode::Layout,
            Self::Permission(_) => PluginCode::Perm,
            Self::Hash { .. } => PluginCode::Hash,
            Self::NotLocked { .. } | Self::LockFileUnusable { .. } => PluginCode::Untrusted,
            Self::Duplicate { .. } | Self::DuplicateEngine { .. } => PluginCode::Duplicate,
            Self::Shadowed { .. } | Self::FirstPartyId { .. } => PluginCode::Shadowed,
            Self::Disabled { .. } => PluginCode::Disabled,
            Self::SafeMode => PluginCode::SafeMode,
            Self::Link { .. } => PluginCode::Link,
            Self::Init { .. } => PluginCode::Init,
            Self::Probe { code, .. } => *code,
            Self::Crashed { .. } => PluginCode::Crashed,
        }
    }
}

impl Refusal {
    /// The fixed code, such as `E-PLUGIN-API`.
    pub fn plugin_code(&self) -> PluginCode {
        self.reason.code()
    }

    /// What the operator can do: a command or a sentence.
    pub fn mend(&self) -> String {
        mend::mend(self)
    }

    /// Everything, as it is printed: code, account, file and mend, several lines.
    pub fn report(&self) -> String {
        format!("error[{}]: {self}\n  fix:  {}", self.plugin_code(), self.mend())
    }

    /// The refusal as data, for `--json`.
    pub fn view(&self) -> RefusalView {
        RefusalView {
            code: self.plugin_code(),
            plugin: self.plugin.clone(),
            file: self.path.display().to_string(),
            reason: self.cause_chain(),
            mend: self.mend(),
        }
    }

    /// The reason and its cause in one line.
    pub fn cause_chain(&self) -> String {
        let text = self.reason.to_string();
        let text = text.split("\n  ").map(str::trim).collect::<Vec<_>>().join("; ");
        match std::error::Error::source(&self.reason) {
            Some(cause) => format!("{text}: {cause}"),
            None => text,
        }
    }
}

/// A refusal as it appears in `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct RefusalView {
    /// The fixed code.
    pub code: PluginCode,
    /// Id and version, if the note was readable.
    pub plugin: Option<PluginLabel>,
    /// The file.
    pub file: String,
    /// Why, one line.
    pub reason: String,
    /// What mends it.
    pub mend: String,
}

impl fmt::Display for PluginLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' {}", self.id, self.version)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(label) => write!(f, "engine plugin {label} {}", self.reason)?,
            None => write!(f, "engine plugin {}", self.reason)?,
        }
        if let Some(cause) = std::error::Error::source(&self.reason) {
            write!(f, ": {cause}")?;
        }
        write!(f, "\n  file: {}", self.path.display())
    }
}

// The causes are part of `Display`, because the lines about file and API follow them.
impl std::error::Error for Refusal {}

impl Classified for Refusal {
    fn exit(&self) -> Exit {
        Exit::Plugin
    }

    fn hint(&self) -> Option<String> {
        Some(self.mend())
    }

    fn code(&self) -> String {
        self.plugin_code().to_string()
    }
}

/// The API versions of a plugin and a host that do not fit each other. `Display` is the two lines
/// below the first one of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiMismatch {
    /// Version of dbbackup.
    pub tool: Version,
    /// Host API versions that the plugin works with.
    pub requires: VersionReq,
    /// Contract that the plugin was built with.
    pub built: Version,
    /// Contract of this host.
    pub host: Version,
    /// Oldest contract that this host accepts.
    pub oldest: Version,
}

impl fmt::Display for ApiMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { built, oldest, .. } = self;
        let (requires, host) = (self.requires.to_string(), self.host.to_string());
        let width = requires.len().max(host.len());
        write!(
            f,
            "\n  plugin needs host API  {requires:<width$}   (built with plugin-api {built})\
             \n  this dbbackup offers   {host:<width$}   (accepts plugins built with {}.{} and later {}.x)",
            oldest.major, oldest.minor, self.host.major
        )
    }
}
