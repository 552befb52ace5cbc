//! The exit codes, and the one trait through which every error of the host says its own.
use std::fmt;

/// Exit code of the `dbbackup` binary. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, durable, good.
    Done,
    /// Failed, unclassified.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong.
    Configuration,
    /// Privilege, plugin, version or something unsupported stands in the way.
    Precondition,
    /// The server is unreachable or refuses the account.
    Server,
    /// The target is unreachable or denies access.
    Target,
    /// No space is left.
    NoSpace,
    /// Another run holds the run lock.
    Locked,
    /// A server lock exceeded its budget; nothing was written.
    LockBudget,
    /// Written, but a named promise is weaker.
    Degraded,
    /// Verification failed.
    VerificationFailed,
    /// The binlog archive has a gap.
    ContinuityGap,
    /// Freshness or RPO threshold exceeded.
    TooOld,
    /// Refused for safety.
    Refused,
    /// A plugin was refused or crashed.
    Plugin,
    /// A time limit passed.
    Timeout,
    /// Interrupted by SIGINT; cleaned up.
    Interrupted,
    /// Interrupted by SIGTERM; cleaned up.
    Terminated,
}

impl Exit {
    /// Every exit code of the table.
    pub const ALL: [Self; 19] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Configuration,
        Self::Precondition,
        Self::Server,
        Self::Target,
        Self::NoSpace,
        Self::Locked,
        Self::LockBudget,
        Self::Degraded,
        Self::VerificationFailed,
        Self::ContinuityGap,
        Self::TooOld,
        Self::Refused,
        Self::Plugin,
        Self::Timeout,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The code with this number, as a worker reports it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// The number given to the operating system.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Precondition => 4,
            Self::Server => 5,
            Self::Target => 6,
            Self::NoSpace => 7,
            Self::Locked => 8,
            Self::LockBudget => 9,
            Self::Degraded => 10,
            Self::VerificationFailed => 20,
            Self::ContinuityGap => 21,
            Self::TooOld => 22,
            Self::Refused => 23,
            Self::Plugin => 24,
            Self::Timeout => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// An error of the host that knows its exit code and what the operator can do.
pub trait Classified: std::error::Error + Send + Sync + 'static {
    /// The exit code that a command ends with when this error ends it.
    fn exit(&self) -> Exit;

    /// What the operator can do, if anything is known: a sentence or a command.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Stable code for machines, such as `E-TARGET-EXISTS`.
    fn code(&self) -> String;
}

/// Any classified error, as commands and the library face return it.
///
/// `Display` is the outermost message; [`chain`](Failure::chain) adds the causes.
pub struct Failure(Box<dyn Classified>);

impl Failure {
    /// Its exit code.
    pub fn exit(&self) -> Exit {
        self.0.exit()
    }

    /// Its hint.
    pub fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    /// Its stable code.
    pub fn code(&self) -> String {
        self.0.code()
    }

    /// Message and causes in one line, each said once.
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(self.0.source(), |cause| cause.source());
        causes.fold(self.0.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// The error inside, for callers that look for a type of their own.
    pub fn inner(&self) -> &dyn Classified {
        self.0.as_ref()
    }
}

impl<E: Classified> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({}: {})", self.code(), self.chain())
    }
}
