//! Places that an engine with the target role serves, such as `s3://bucket/path`.
//!
//! Plugins run in workers alone. A worker that writes or reads an artefact itself opens the target in
//! its own process. Whatever the supervisor needs of a place, it asks a worker that does nothing else: a
//! [`RemoteTarget`] is the supervisor's end, `serve` the worker's, and the bytes go over a socket of
//! their own. A restore, a verification or a list thus works on `s3://` as on a local path, and a target
//! that crashes ends its worker alone.
mod error;
mod files;
mod message;
mod place;
mod read_ahead;
mod serve;
mod session;

pub use error::RemoteError;
pub use place::{Place, TargetPlace};

pub(crate) use error::{Refusal, target_exit};
pub(crate) use files::joined;
pub(crate) use place::is_url;
pub(crate) use read_ahead::ReadAheadObject;
pub(crate) use serve::serve;
pub(crate) use session::RemoteTarget;
