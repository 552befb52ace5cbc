//! Errors that cross the boundary: a code for the machine, a message and a hint for the operator.
use crate::document::Doc;
use abi_stable::{
    StableAbi,
    std_types::{RResult, RString, RVec},
};

/// Class of a failure. A newtype and no enum, because codes of later versions must stay legal.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// The run was cancelled at the caller's wish.
    pub const CANCELLED: Self = Self(1);
    /// A configuration value or engine option is wrong.
    pub const CONFIG: Self = Self(2);
    /// The peer does not know this method, document or value.
    pub const UNSUPPORTED: Self = Self(3);
    /// Something that the run needs is not so: version, plugin, storage engine.
    pub const PRECONDITION: Self = Self(4);
    /// Refused because going on could destroy something.
    pub const SAFETY: Self = Self(5);
    /// The server or store cannot be reached, or the connection to it is lost.
    pub const CONNECT: Self = Self(10);
    /// The server or store refuses the credentials.
    pub const AUTH: Self = Self(11);
    /// The account lacks a privilege.
    pub const PRIVILEGE: Self = Self(12);
    /// A lock could not be had or held within its budget; nothing is locked any more.
    pub const LOCK_BUDGET: Self = Self(13);
    /// Another run is at work there.
    pub const LOCKED: Self = Self(14);
    /// Reading the source failed in the middle, the connection to it not being lost.
    pub const SOURCE_IO: Self = Self(20);
    /// Writing to the sink or target failed.
    pub const SINK_IO: Self = Self(21);
    /// No space is left where the bytes go.
    pub const NO_SPACE: Self = Self(22);
    /// The place where backups live cannot be reached, is not there, or denies access.
    pub const TARGET: Self = Self(23);
    /// A request to the place where backups live went unanswered: it may have been carried out all the
    /// same, and still may be, so that nobody must build on its failure.
    pub const UNANSWERED: Self = Self(24);
    /// Bytes are not what they should be.
    pub const INTEGRITY: Self = Self(30);
    /// A child process failed.
    pub const TOOL: Self = Self(40);
    /// A time limit passed.
    pub const TIMEOUT: Self = Self(50);
    /// The plugin panicked; the panic was caught.
    pub const PANIC: Self = Self(90);
    /// A fault of the program itself.
    pub const INTERNAL: Self = Self(99);
}

/// A failure as it crosses the boundary.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct EngineError {
    /// Class of the failure.
    pub code: ErrorCode,
    /// True if the same call may succeed later; the host decides whether it tries.
    pub retryable: bool,
    /// Earliest sensible time of a retry, milliseconds from now; 0 if unknown.
    pub retry_after_ms: u64,
    /// What was being done, to what: lower case, no full stop, values included.
    pub message: RString,
    /// What the operator can do; empty if nothing is known.
    pub hint: RString,
    /// Further facts for the machine; an empty document if there are none.
    pub detail: Doc,
    /// Causes, outermost first; `message` is not repeated.
    pub causes: RVec<RString>,
}

impl EngineError {
    /// An error of `code` with a message, no hint and no causes.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            retryable: false,
            retry_after_ms: 0,
            message: RString::from(message.into()),
            hint: RString::new(),
            detail: Doc::empty(),
            causes: RVec::new(),
        }
    }

    /// An error of `code` from a Rust error and its chain of sources.
    pub fn from_error(code: ErrorCode, error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source())
            .map(|cause| RString::from(cause.to_string()))
            .collect();
        Self { causes, ..Self::new(code, error.to_string()) }
    }

    /// The answer of a peer that does not know `what`.
    pub fn unsupported(what: &str) -> Self {
        Self::new(ErrorCode::UNSUPPORTED, format!("{what} is not supported by this version"))
    }

    /// The same error with a hint for the operator.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = RString::from(hint.into());
        self
    }

    /// The same error, marked as worth a retry.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EngineError {}

/// Result of every call that can fail across the boundary.
pub type AbiResult<T> = RResult<T, EngineError>;
