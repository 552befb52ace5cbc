//! What the connections of a clone report to the one thread that decides.

use crate::{
    artefact::{Donor, DonorPlugin},
    error::CloneError,
    protocol::buffers::Piece,
    rpc::{DataPart, FileMeta, Locator, Response, StateChange},
};

/// Most settings, plugins and collations that a donor may list.
const MAX_LISTED: usize = 10_000;

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// The one that begins the clone and learns of every stage.
    Master,
    /// A further one that brings data.
    Worker(u32),
    /// The one that acknowledges.
    Acknowledger,
}

/// Something that a connection has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// The donor has accepted the clone.
    Begun(Box<Begun>),
    /// The donor has accepted a worker.
    Attached,
    /// A stage begins, ends, or the donor says that it lives.
    State(StateChange),
    /// A file.
    File(Box<FileMeta>),
    /// Bytes of a file.
    Data {
        /// Where they belong; of a long block only the piece that came along.
        part: DataPart,
        /// The bytes.
        bytes: Piece,
        /// The block is whole now.
        is_last: bool,
    },
    /// The acknowledgement has arrived.
    Acknowledged,
    /// The connection has nothing more to say.
    Ended(Result<(), CloneError>),
}

/// What the donor answers to the beginning of a clone.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Version of the protocol.
    pub(crate) version: u32,
    /// What names the clone.
    pub(crate) locator: Locator,
    /// What it says of itself; empty where a clone goes on.
    pub(crate) donor: Donor,
}

/// Gathers the answer to `Init`, `Reinit` or `Attach`.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    agreed: Option<(u32, Locator)>,
    donor: Donor,
}

impl Beginning {
    /// Takes a response over.
    ///
    /// # Errors
    /// It does not belong here, or the donor lists without end.
    pub(crate) fn take(&mut self, response: Response<'_>) -> Result<(), CloneError> {
        let donor = &mut self.donor;
        match response {
            Response::Locators { version, innodb: Some(locator) } => {
                self.agreed = Some((version, Locator::parse(locator)?));
            }
            Response::Plugin { name, library } => donor.plugins.push(DonorPlugin { name, library }),
            Response::Collation(name) => donor.collations.push(name),
            Response::Config { name, value } => {
                donor.configs.insert(name, value);
            }
            other => return Err(CloneError::order(&other.name(), "the locator of a clone")),
        }
        let listed = donor.plugins.len() + donor.collations.len() + donor.configs.len();
        if listed > MAX_LISTED {
            return Err(CloneError::order("a list without end", "the locator of a clone"));
        }
        Ok(())
    }

    /// What was agreed on.
    ///
    /// # Errors
    /// The donor named no clone.
    pub(crate) fn finish(self) -> Result<Begun, CloneError> {
        let (version, locator) =
            self.agreed.ok_or_else(|| CloneError::order("the end", "the locator of a clone"))?;
        Ok(Begun { version, locator, donor: self.donor })
    }
}
