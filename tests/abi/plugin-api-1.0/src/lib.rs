//! The contract between the `dbbackup` host and its engine plugins. No I/O happens here.
//!
//! # Lifecycle
//!
//! | state | entered by | what may be called |
//! |---|---|---|
//! | *found* | the host reads the ELF note of the file | nothing: no byte of the plugin has run |
//! | *loaded* | `dlopen`, then the layout checks of [`root`] | [`PluginRoot::manifest`](root::PluginRoot) |
//! | *initialised* | one call of `init` with the host's services | `create_engine`, `capability` |
//! | *engine* | `create_engine` | every method of [`engine::Engine`] and its roles |
//!
//! A library is loaded once and never unloaded. Engines are dropped before the process ends.
//!
//! # Threads
//!
//! Every call blocks; asynchronous code stays inside one crate. Each function says `[thread]`:
//! *any* means that several threads may be inside it at once, *run* means one dedicated thread for
//! the length of the call. [`host::HostServices`] may be used from every thread.
//!
//! # Ownership
//!
//! Slices are borrowed for the call. Whoever allocates frees: see [`chunk::Chunk`]. No panic crosses
//! the boundary: the sdk turns it into an error with [`error::ErrorCode::PANIC`].
//!
//! # Versioning
//!
//! The root is frozen at four functions for the life of major version 1. Everything else grows in
//! two ways: by roles addressed through a versioned id (each carrying its own checked type layout,
//! see [`capability`]), and by JSON documents with a schema id, in which unknown fields are kept
//! (see [`document`]). Plain structs never grow. Methods are only added after `last_prefix_field`,
//! with a default body that answers [`error::ErrorCode::UNSUPPORTED`].
#![allow(
    unsafe_code,
    reason = "the boundary itself: chunks and capability pointers; every use says why it is sound"
)]
#![allow(
    non_local_definitions,
    non_camel_case_types,
    unused_braces,
    reason = "abi_stable's macros expand to all three"
)]

pub mod capability;
pub mod chunk;
pub mod document;
pub mod engine;
pub mod error;
pub mod host;
pub mod position;
pub mod role;
pub mod root;
pub mod sink;

pub use abi_stable;

/// Version of this contract. A plugin records the one that it was built with.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Oldest version of the contract whose plugins this version's host still loads.
pub const OLDEST_ACCEPTED_API: &str = "1.0.0";

/// Name of the ELF section that holds the plugin's note (see [`document::plugin`]).
pub const NOTE_SECTION: &str = ".note.dbbackup";

/// Owner name inside the ELF note.
pub const NOTE_NAME: &str = "dbbackup";

/// Type number of the ELF note that holds the plugin manifest as JSON.
pub const NOTE_TYPE: u32 = 1;

/// Id of an engine that nobody has: asked for it, a plugin built with the sdk panics inside its
/// guard, so that the conformance kit can see a panic become an error.
pub const PANIC_PROBE_ENGINE: &str = "dbbackup.panic-probe";
