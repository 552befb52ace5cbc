//! What every engine of the family `snapshot` does in the same way; an engine adds its technology.
//!
//! 1. [`ServerPaths`]: the paths that the server uses, proven to be those of the server on the
//!    connection. [`ServerPaths::places`] says on which devices they lie; the engine decides whether
//!    that is one atomic unit.
//! 2. [`ServerPaths::sync`] flushes what is dirty before any lock.
//! 3. [`SnapshotServer::lock_for_snapshot`] takes the lightest lock that does, on one held session.
//!    The engine makes its snapshot; [`SnapshotLock::release`] gives the lock back at once.
//! 4. [`ServerPaths::files_in`] lists exactly the server's files inside the snapshot, and
//!    [`SnapshotFiles::copy_to`] hands them to the host, which reads them in parallel.
//!
//! ```ignore
//! let paths = ServerPaths::proven_local(&run.request.environment)?;
//! let unit = volumes_holding(&paths.places()?)?;
//! let mut server = SnapshotServer::connect(run, PageWrites::MayTear)?;
//! paths.sync()?;
//! let undo = run.host.journal(&unit.undo_record(&name)?)?;
//! let locked = server.lock_for_snapshot()?;
//! let snapshot = unit.snapshot(&name)?;
//! let instant = locked.release()?;
//! let files = paths.files_in(&snapshot.view(), &instant)?;
//! let mut summary = server.summary(instant, &files)?;
//! files.copy_to(sink)?;
//! snapshot::finish(snapshot.destroy(), undo, &mut summary)?;
//! ```

mod assess;
mod at_risk;
mod binlogs;
mod error;
mod files;
mod finish;
mod instant;
mod mounts;
mod names;
mod paths;
mod server;
mod tablespaces;
mod tree;
mod view;

pub use assess::{PageWrites, assessment, has_doublewrite, server_blockers};
pub use error::SnapshotError;
pub use files::SnapshotFiles;
pub use finish::finish;
pub use instant::{Instant, SnapshotLock};
pub use mounts::{Mount, Mounts};
pub use names::{SNAPSHOT_PREFIX, is_snapshot_name, snapshot_name};
pub use paths::{Place, ServerPaths};
pub use server::SnapshotServer;
pub use tablespaces::Tablespace;
pub use view::SnapshotView;
