//! Secret keys that open encrypted artefacts.
use super::ReadError;
use age::{Decryptor, IdentityFile, stream::StreamReader};
use std::{
    io::{BufRead, Read},
    sync::Arc,
};

/// Secret keys; `Debug` says how many and no more.
#[derive(Clone, Default)]
pub struct Identities(Arc<Vec<Box<dyn age::Identity + Send + Sync>>>);

/// A text that is no identity file.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read, or holds something else than keys.
    #[error("read identities")]
    Read(#[from] std::io::Error),
    /// A key in it cannot be used.
    #[error("use identities")]
    Unusable(#[from] age::DecryptError),
    /// The file holds no key.
    #[error("no identity in the file: a line that starts with AGE-SECRET-KEY- is needed")]
    Empty,
}

impl Identities {
    /// Reads the lines of an identity file as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`IdentityError`]; keys are never repeated in it.
    pub fn parse(file: impl BufRead) -> Result<Self, IdentityError> {
        let keys = IdentityFile::from_buffer(file)?.into_identities()?;
        if keys.is_empty() {
            return Err(IdentityError::Empty);
        }
        Ok(Self(Arc::new(keys)))
    }

    /// The plain bytes of an age file.
    pub(super) fn decrypt<R: Read>(
        &self,
        name: &str,
        input: R,
    ) -> Result<StreamReader<R>, ReadError> {
        let name = || name.to_owned();
        if self.0.is_empty() {
            return Err(ReadError::IdentityMissing { name: name() });
        }
        let keys = self.0.iter().map(|key| key.as_ref() as &dyn age::Identity);
        Decryptor::new(input)
            .and_then(|decryptor| decryptor.decrypt(keys))
            .map_err(|source| ReadError::Decrypt { name: name(), source })
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}
