//! The roles that an engine can play, one file each. A role is a table of functions found by a
//! versioned id through [`Engine::role`](crate::engine::Engine).

mod backup;
mod doctor;
mod replay;
mod restore;
mod stream;
mod target;
mod undo;
mod verify;

pub use backup::*;
pub use doctor::*;
pub use replay::*;
pub use restore::*;
pub use stream::*;
pub use target::*;
pub use undo::*;
pub use verify::*;

/// Every role id of this version, in the order in which they are shown.
pub const ALL_ROLES: [&str; 8] = [
    BACKUP_ROLE,
    RESTORE_ROLE,
    TARGET_ROLE,
    STREAM_ROLE,
    REPLAY_ROLE,
    VERIFY_ROLE,
    DOCTOR_ROLE,
    UNDO_ROLE,
];
