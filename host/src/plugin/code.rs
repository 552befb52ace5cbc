//! The fixed codes under which a plugin is refused. They are part of the command line's contract.
use serde::{Serialize, Serializer};
use std::fmt;

/// Why a plugin is not used, as a machine reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PluginCode {
    /// The file cannot be opened or read.
    Unreadable,
    /// The file is no shared library of this platform's format.
    Format,
    /// The file ends before its own tables say.
    Truncated,
    /// Built for another machine.
    Arch,
    /// Needs a newer C library, or another one.
    Glibc,
    /// No note, a malformed one, or one that the code in memory contradicts.
    Note,
    /// The API ranges of plugin and host do not meet.
    Api,
    /// Built for another major version of the contract.
    Major,
    /// The layout of the root or of a role is not the contract's.
    Layout,
    /// Owner or mode of the file or of a directory above it lets others change it.
    Perm,
    /// The content is not what the lock file says.
    Hash,
    /// The trust policy asks for a lock entry, and there is none that can be read.
    Untrusted,
    /// Another plugin of the same directory has the same id, or an engine id is taken.
    Duplicate,
    /// An earlier directory has the same id, or a third party claims a first-party id.
    Shadowed,
    /// Disabled by the operator.
    Disabled,
    /// Left out by `--safe-mode`.
    SafeMode,
    /// The dynamic linker refuses it.
    Link,
    /// Its `init` or the making of its engine answered with an error.
    Init,
    /// It ended the process that loaded it, or hung.
    Crashed,
}

impl PluginCode {
    /// Every code, in the order in which a file is checked.
    pub const ALL: [Self; 19] = [
        Self::Unreadable,
        Self::Format,
        Self::Truncated,
        Self::Arch,
        Self::Glibc,
        Self::Note,
        Self::Api,
        Self::Major,
        Self::Layout,
        Self::Perm,
        Self::Hash,
        Self::Untrusted,
        Self::Duplicate,
        Self::Shadowed,
        Self::Disabled,
        Self::SafeMode,
        Self::Link,
        Self::Init,
        Self::Crashed,
    ];

    /// The code of that name, as another process has reported it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The code as it is printed, such as `E-PLUGIN-API`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "E-PLUGIN-UNREADABLE",
            Self::Format => "E-PLUGIN-FORMAT",
            Self::Truncated => "E-PLUGIN-TRUNCATED",
            Self::Arch => "E-PLUGIN-ARCH",
            Self::Glibc => "E-PLUGIN-GLIBC",
            Self::Note => "E-PLUGIN-NOTE",
            Self::Api => "E-PLUGIN-API",
            Self::Major => "E-PLUGIN-MAJOR",
            Self::Layout => "E-PLUGIN-LAYOUT",
            Self::Perm => "E-PLUGIN-PERM",
            Self::Hash => "E-PLUGIN-HASH",
            Self::Untrusted => "E-PLUGIN-UNTRUSTED",
            Self::Duplicate => "E-PLUGIN-DUPLICATE",
            Self::Shadowed => "E-PLUGIN-SHADOWED",
            Self::Disabled => "E-PLUGIN-DISABLED",
            Self::SafeMode => "E-PLUGIN-SAFE-MODE",
            Self::Link => "E-PLUGIN-LINK",
            Self::Init => "E-PLUGIN-INIT",
            Self::Crashed => "E-PLUGIN-CRASHED",
        }
    }
}

impl fmt::Display for PluginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for PluginCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
