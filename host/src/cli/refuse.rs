//! What is refused before anything is parsed: a password in an argument, which every user of the
//! machine could read and which the parser's own message would repeat.
use crate::exit::{Classified, Exit};
use std::ffi::OsString;

/// A command line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    /// A password was given as an argument.
    #[error("a password on the command line can be read by every user of this machine")]
    PasswordInArgument,
    /// The parser's own words.
    #[error("{0}")]
    Parse(String),
    /// Options that do not fit together.
    #[error("{0}")]
    Contradiction(String),
}

/// The refusal, if one of the arguments is a password: `--password`, `--password=x`, `-px`.
pub(crate) fn password_in(arguments: &[OsString]) -> Option<UsageError> {
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let mut words = words.take_while(|word| word != "--");
    let is_password = |word: &str| {
        word == "--password"
            || word.starts_with("--password=")
            || (word.starts_with("-p") && !word.starts_with("--"))
    };
    words.any(|word| is_password(&word)).then_some(UsageError::PasswordInArgument)
}

impl Classified for UsageError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PasswordInArgument => Some(
                "use MYSQL_PWD, --password-file FILE, --password-stdin, or an option file with \
                 --defaults-file"
                    .to_owned(),
            ),
            Self::Parse(_) | Self::Contradiction(_) => {
                Some("for more information, try --help".to_owned())
            }
        }
    }

    fn code(&self) -> String {
        match self {
            Self::PasswordInArgument => "E-USAGE-PASSWORD",
            Self::Parse(_) | Self::Contradiction(_) => "E-USAGE",
        }
        .to_owned()
    }
}
