//! Options of the engine; the schema in `plugin.json` describes the same.

use dbbackup_sdk::wire::Compression;
use serde::Deserialize;

/// Connections that bring files at once.
const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=16;
/// Seconds that the server waits for running DDL where DDL is blocked.
const DEFAULT_DDL_TIMEOUT_SECONDS: u32 = 300;
/// Longest such wait: one day.
const DDL_TIMEOUT_SECONDS: std::ops::RangeInclusive<u32> = 1..=86_400;
/// How often a cut connection is made again.
const DEFAULT_RESTARTS: u32 = 20;

/// Options of all methods.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Who clones.
    pub(crate) method: Method,
    /// Protocol: connections that bring the files at once.
    pub(crate) connections: u32,
    /// Whether other sessions' DDL goes on.
    pub(crate) ddl: Ddl,
    /// How long the server waits for running DDL where DDL is blocked.
    pub(crate) ddl_timeout_seconds: u32,
    /// Protocol: how often a cut connection is made again.
    pub(crate) restarts: u32,
    /// Protocol: how the donor compresses what it sends.
    pub(crate) compression: Compressed,
    /// What becomes of encrypted tablespaces.
    pub(crate) encrypted: Encrypted,
    /// Whether tables of other storage engines than InnoDB are dumped beside the clone.
    pub(crate) include_non_innodb: bool,
    /// Local and recipient: directory on the server's host that the server clones into.
    pub(crate) data_dir: Option<String>,
    /// Recipient: host of the donor.
    pub(crate) donor_host: Option<String>,
    /// Recipient: port of the donor.
    pub(crate) donor_port: u16,
    /// Recipient: account on the donor. Its password is the secret [`DONOR_PASSWORD_SECRET`].
    pub(crate) donor_user: String,
}

/// Name of the secret that holds the donor account's password.
pub(crate) const DONOR_PASSWORD_SECRET: &str = "clone.donor_password";

impl Default for Options {
    fn default() -> Self {
        Self {
            method: Method::default(),
            connections: *CONNECTIONS.start(),
            ddl: Ddl::default(),
            ddl_timeout_seconds: DEFAULT_DDL_TIMEOUT_SECONDS,
            restarts: DEFAULT_RESTARTS,
            compression: Compressed::default(),
            encrypted: Encrypted::default(),
            include_non_innodb: false,
            data_dir: None,
            donor_host: None,
            donor_port: 3306,
            donor_user: "clone_user".to_owned(),
        }
    }
}

impl Options {
    /// Refuses values that contradict each other or are out of bounds.
    pub(crate) fn check(self) -> Result<Self, OptionsError> {
        if !CONNECTIONS.contains(&self.connections) {
            return Err(OptionsError::Connections { connections: self.connections });
        }
        if !DDL_TIMEOUT_SECONDS.contains(&self.ddl_timeout_seconds) {
            return Err(OptionsError::DdlTimeout { seconds: self.ddl_timeout_seconds });
        }
        match self.method {
            Method::Recipient if self.donor_host.is_none() => Err(OptionsError::NoDonor),
            Method::Recipient if self.data_dir.is_none() => Err(OptionsError::NoDirectory),
            Method::Local | Method::Recipient if self.compression != Compressed::Off => {
                Err(OptionsError::CompressionUnused { method: self.method })
            }
            Method::Local | Method::Recipient if self.ddl == Ddl::Block => {
                Err(OptionsError::DdlUnused { method: self.method })
            }
            Method::Recipient if self.encrypted == Encrypted::Keep => {
                Err(OptionsError::EncryptedRecipient)
            }
            Method::Protocol | Method::Local if self.donor_host.is_some() => {
                Err(OptionsError::DonorUnused { method: self.method })
            }
            _ => Ok(self),
        }
    }
}

/// Options that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    /// Out of bounds.
    #[error("connections is {connections}, outside {} to {}", CONNECTIONS.start(), CONNECTIONS.end())]
    Connections {
        /// The value.
        connections: u32,
    },
    /// Out of bounds.
    #[error(
        "ddl_timeout_seconds is {seconds}, outside {} to {}",
        DDL_TIMEOUT_SECONDS.start(),
        DDL_TIMEOUT_SECONDS.end()
    )]
    DdlTimeout {
        /// The value.
        seconds: u32,
    },
    /// `recipient` without a donor.
    #[error("method recipient needs donor_host")]
    NoDonor,
    /// `recipient` without a directory: the server would clone over its own data.
    #[error("method recipient needs data_dir")]
    NoDirectory,
    /// Compression of connections that are not ours.
    #[error(
        "compression is for method protocol, not {method}; a server that is a recipient has \
         clone_enable_compression"
    )]
    CompressionUnused {
        /// The method.
        method: Method,
    },
    /// DDL waits where the server that is cloned says so.
    #[error(
        "ddl=block is for method protocol, not {method}; a server that clones by itself obeys the \
         source's clone_block_ddl"
    )]
    DdlUnused {
        /// The method.
        method: Method,
    },
    /// A recipient wraps the keys anew, with a master key of its own.
    #[error(
        "encrypted=keep is for methods protocol and local: a recipient wraps the keys with its own \
         master key, and the copy would not start with the keyring of the server that was cloned"
    )]
    EncryptedRecipient,
    /// A donor where the connected server is the one that is cloned.
    #[error("donor_host is for method recipient; method {method} clones the connected server")]
    DonorUnused {
        /// The method.
        method: Method,
    },
}

/// How the donor compresses what it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compressed {
    /// Not at all: what networks of a data centre do not need costs the donor's processors.
    #[default]
    Off,
    /// By zlib, which every donor has.
    Zlib,
    /// By zstd.
    Zstd,
}

impl Compressed {
    /// As connections want it.
    pub(crate) fn of_connection(self) -> Option<Compression> {
        match self {
            Self::Off => None,
            Self::Zlib => Some(Compression::Zlib),
            Self::Zstd => Some(Compression::Zstd),
        }
    }
}

/// Who clones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// We do: our own client of the protocol.
    #[default]
    Protocol,
    /// The connected server, into a directory of its own host.
    Local,
    /// The connected server clones another one.
    Recipient,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Protocol => "protocol",
            Self::Local => "local",
            Self::Recipient => "recipient",
        })
    }
}

/// Whether DDL of other sessions goes on during the clone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ddl {
    /// It goes on; the clone follows renames, drops and new files.
    #[default]
    Allow,
    /// It waits: the server holds its backup lock until the clone is done.
    Block,
}

/// What becomes of encrypted tablespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encrypted {
    /// They end the run before anything is written: a copy does not start without the keyring, which
    /// no clone holds.
    #[default]
    Refuse,
    /// They stay encrypted, with keys that only the source's keyring opens.
    Keep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_another_method_are_refused_and_not_ignored() {
        let local = || Options { method: Method::Local, ..Options::default() };
        assert!(local().check().is_ok());
        let of_protocol = [
            Options { ddl: Ddl::Block, ..local() },
            Options { compression: Compressed::Zstd, ..local() },
            Options { donor_host: Some("db2".to_owned()), ..local() },
        ];
        for options in of_protocol {
            let refused = options.check().expect_err("an option that does nothing");
            assert!(refused.to_string().contains("local"), "{refused}");
        }
    }
}
