//! Sessions on the server being backed up or restored into: statements, locks, positions, rights.
//!
//! Every session is a [`wire`](crate::wire) connection, so that a statement and a bulk read log in,
//! encrypt, time out and cancel in one and the same way. What a server can do is asked of the server
//! where it can be asked, and derived from its version only where it cannot.

mod account;
mod cancel_watch;
mod coordinates;
mod error;
mod flavor;
mod grants;
mod lock;
pub mod quote;
mod replica;
mod session;
mod watchdog;

pub use account::Account;
pub use cancel_watch::CancelWatch;
pub use coordinates::{BinlogStatus, LogStatus};
pub use error::{LockPhase, SessionError};
pub use flavor::ServerVersion;
pub use grants::{Grants, MissingPrivilege, Requirement};
pub use lock::{BackupStage, LockBudget, LockReport, ServerLock};
pub use replica::{ChannelState, ReplicaChannel, ReplicaError};
pub use session::{Record, Session, Table};

pub use crate::wire::{Address, ConnectOptions, Secret, Ssl, SslMode};
pub use dbbackup_plugin_api::document::environment::ServerFlavor;
