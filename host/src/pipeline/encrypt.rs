//! Encryption of the whole output by age: the writing host knows public keys alone.
use super::{block::PooledBytes, error::PipelineError, output::HashedOutput};
use age::{Encryptor, stream::StreamWriter, x25519};
use dbbackup_plugin_api::chunk::Chunk;
use std::{
    io::{self, Write},
    str::FromStr,
    sync::Arc,
};

/// A public key, `age1…`.
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

/// A text that is no public key of age.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no age public key: {reason}")]
pub struct RecipientError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        // A secret key in the wrong place must not be repeated in an error or a log.
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(RecipientError {
                text: "AGE-SECRET-KEY-…".to_owned(),
                reason: "this is a secret key; its public key starts with age1",
            });
        }
        x25519::Recipient::from_str(text)
            .map(Self)
            .map_err(|reason| RecipientError { text: text.to_owned(), reason })
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Public keys that can read an output; none for a plain one.
pub type Recipients = Vec<Recipient>;

/// The output behind its encryption, if there is one.
pub(super) enum Encryption {
    /// Bytes go out as they are.
    Plain(Box<HashedOutput>),
    /// Bytes go out through age.
    Age(Box<StreamWriter<HashedOutput>>),
}

impl Encryption {
    /// Writes age's header, unless there are no recipients.
    pub(super) fn start(
        recipients: &[Recipient],
        output: HashedOutput,
    ) -> Result<Self, PipelineError> {
        if recipients.is_empty() {
            return Ok(Self::Plain(Box::new(output)));
        }
        let keys = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(keys)
            .map_err(|source| PipelineError::Encrypt { source: Arc::new(source) })?;
        let writer = encryptor.wrap_output(output).map_err(unwrap_failure)?;
        Ok(Self::Age(Box::new(writer)))
    }

    /// Sends bytes on their way.
    pub(super) fn write(&mut self, bytes: PooledBytes) -> Result<(), PipelineError> {
        match self {
            Self::Plain(output) => output.send(Chunk::from_owner(bytes)),
            Self::Age(age) => age.write_all(bytes.as_ref()).map_err(unwrap_failure),
        }
    }

    /// Writes the final mark, without which the file does not decrypt.
    pub(super) fn finish(self) -> Result<HashedOutput, PipelineError> {
        match self {
            Self::Plain(output) => Ok(*output),
            Self::Age(age) => {
                let mut output = age.finish().map_err(unwrap_failure)?;
                output.send_gathered()?;
                Ok(output)
            }
        }
    }
}

/// age's writer hands on the errors of the output below it, which wraps its own.
fn unwrap_failure(error: io::Error) -> PipelineError {
    match error.downcast::<PipelineError>() {
        Ok(failure) => failure,
        Err(error) => PipelineError::Output { offset: 0, source: Arc::new(error) },
    }
}
