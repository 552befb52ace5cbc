//! What can be wrong with a configuration.
use super::units::UnitError;
use crate::exit::{Classified, Exit};
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{}:{line}: {problem}", file.display())]
    At {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        problem: Problem,
    },
    /// A value of the environment is wrong.
    #[error("environment variable {name}: {problem}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// An option file is wrong.
    #[error("option file {}:{line}: {problem}", file.display())]
    OptionFile {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A password was promised but cannot be had.
    #[error("read the password from {from}")]
    Password {
        /// Where it should come from.
        from: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Options that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// What is wrong at a place of the configuration file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// A part of YAML that could make one value another one's.
    #[error("{0} are not supported here")]
    Unsupported(&'static str),
    /// A key that nothing reads.
    #[error("unknown key {path}")]
    UnknownKey {
        /// The whole path of the key.
        path: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A key that is there twice.
    #[error("key {0} is given twice")]
    Duplicate(String),
    /// A value of the wrong kind.
    #[error("{path} must be {expected}, not {found}")]
    Kind {
        /// The key.
        path: String,
        /// What is expected there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A duration or size that is none.
    #[error("{path}: {source}")]
    Unit {
        /// The key.
        path: String,
        /// The text and what it should be.
        source: UnitError,
    },
    /// A key that has to be there.
    #[error("{0} is missing")]
    Missing(String),
    /// `${NAME}` of a variable that is not set.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// `${` that is no reference.
    #[error("{0:?} is no reference to an environment variable")]
    Reference(String),
}

impl Problem {
    pub(super) fn at(self, file: &std::path::Path, line: usize) -> ConfigError {
        ConfigError::At { file: file.to_owned(), line, problem: self }
    }
}

impl Classified for ConfigError {
    fn exit(&self) -> Exit {
        Exit::Configuration
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::At { problem: Problem::UnknownKey { nearest: Some(nearest), .. }, .. } => {
                Some(format!("did you mean {nearest}?"))
            }
            Self::At { problem: Problem::Unset(name), .. } => {
                Some(format!("set {name}, or write $${{{name}}} for the text itself"))
            }
            Self::At { problem: Problem::Reference(_), .. } => {
                Some("write ${NAME} for a variable, $${ for the text itself".to_owned())
            }
            _ => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Read { .. } => "E-CONFIG-READ",
            Self::At { problem: Problem::Syntax(_) | Problem::Unsupported(_), .. } => {
                "E-CONFIG-SYNTAX"
            }
            Self::At { problem: Problem::UnknownKey { .. }, .. } => "E-CONFIG-UNKNOWN-KEY",
            Self::At { problem: Problem::Unset(_) | Problem::Reference(_), .. } => {
                "E-CONFIG-VARIABLE"
            }
            Self::At { .. } | Self::Contradiction(_) => "E-CONFIG-VALUE",
            Self::Environment { .. } => "E-CONFIG-ENVIRONMENT",
            Self::OptionFile { .. } => "E-OPTION-FILE",
            Self::Password { .. } => "E-CONFIG-PASSWORD",
        }
        .to_owned()
    }
}
