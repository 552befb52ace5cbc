//! The facts that need no engine's knowledge: what the server says of itself, which paths InnoDB
//! uses and where they lie, where the backup goes.
//!
//! The server is asked what it knows, never guessed from its version. A question that this kind of
//! server does not know, or that this account may not ask, leaves its fact unknown.
use super::{local, mounts, paths, server};
use crate::{
    connection::{Connection, ServerError, Session},
    exit::{Classified, Exit},
};
use dbbackup_plugin_api::document::environment::{Destination, Environment};
use std::path::Path;

/// Why no environment could be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The mount table of this machine cannot be read.
    #[error("read the mounts of this machine")]
    Mounts {
        /// Why.
        source: std::io::Error,
    },
}

/// Asks the server and this machine. Nothing is changed anywhere.
///
/// # Errors
/// [`GatherError`]: the server is unreachable or refuses us, or `/proc` cannot be read.
pub fn gather(
    connection: &Connection,
    destination: Destination,
) -> Result<Environment, GatherError> {
    let mut session = Session::open(connection)?;
    let server = server::facts(&mut session)?;
    let mut used = paths::used_by(&mut session, &server)?;
    let uptime = server::uptime(&mut session)?;
    session.close()?;
    let proof = local::Proof::of(&server, uptime);
    if proof.holds()
        && let Err(error) = paths::add_linked(&mut used)
    {
        // A snapshot engine reads the links again, and refuses what it does not know.
        tracing::warn!(%error, "the links to tables outside of the data directory are unreadable");
    }
    let table = mounts::Table::read().map_err(|source| GatherError::Mounts { source })?;
    let paths = used.into_iter().filter_map(|used| table.facts(used, &proof)).collect();
    Ok(Environment {
        connection: connection.document.clone(),
        server: Some(server),
        paths,
        destination,
        extra: Default::default(),
    })
}

/// What is known of a destination before anything is written: object storage or not, free space.
pub fn destination(location: &str) -> Destination {
    let cloud = location.contains("://");
    let free_bytes = (!cloud && location != "-").then(|| mounts::free_bytes(Path::new(location)));
    Destination { location: location.to_owned(), cloud, free_bytes: free_bytes.flatten() }
}

impl Classified for GatherError {
    fn exit(&self) -> Exit {
        match self {
            Self::Server(error) => error.exit(),
            Self::Mounts { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Mounts { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Server(error) => error.code(),
            Self::Mounts { .. } => "E-MOUNTS".to_owned(),
        }
    }
}
