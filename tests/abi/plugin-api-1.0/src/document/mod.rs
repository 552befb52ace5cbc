//! Documents: what crosses the boundary as JSON, each with a schema id.
//!
//! Documents are the growth valve of the contract: fields are added, never removed or given another
//! meaning, and a side keeps the fields that it does not know (`extra`). Sizes are bytes, times are
//! UTC in RFC 3339, durations are milliseconds.
use abi_stable::{StableAbi, std_types::RString};
use serde::{Serialize, de::DeserializeOwned};

pub mod assessment;
pub mod backup;
pub mod connection;
pub mod doctor;
pub mod entry;
pub mod environment;
pub mod manifest;
pub mod path;
pub mod plugin;
pub mod restore;
pub mod stream;
pub mod target;
pub mod undo;
pub mod verify;

/// Fields that this version does not know; kept when the document is written again.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A type that crosses the boundary as JSON.
pub trait Document: Serialize + DeserializeOwned {
    /// Schema id, such as `dbbackup.manifest/1`. The number after the slash changes only when old
    /// readers would misunderstand the document.
    const SCHEMA: &'static str;
}

/// A document on its way: schema id and JSON text.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    /// Schema id of `json`; empty for an empty document.
    pub schema: RString,
    /// The JSON text.
    pub json: RString,
}

/// Why a document cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Another kind of document, or a newer incompatible one.
    #[error("expected a document {wanted}, got {got}")]
    OtherSchema {
        /// Schema expected.
        wanted: &'static str,
        /// Schema found.
        got: String,
    },
    /// The JSON does not fit the schema.
    #[error("document {schema} does not fit its schema")]
    Malformed {
        /// Schema expected.
        schema: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl Doc {
    /// A document without content.
    pub fn empty() -> Self {
        Self { schema: RString::new(), json: RString::new() }
    }

    /// Writes a document.
    ///
    /// # Errors
    /// [`DocumentError::Malformed`] if a value cannot be written as JSON (a map with keys that are
    /// no strings).
    pub fn encode<D: Document>(document: &D) -> Result<Self, DocumentError> {
        let json = serde_json::to_string(document)
            .map_err(|source| DocumentError::Malformed { schema: D::SCHEMA, source })?;
        Ok(Self { schema: RString::from(D::SCHEMA), json: RString::from(json) })
    }

    /// Reads a document after checking its schema id.
    ///
    /// # Errors
    /// [`DocumentError`] if it is another document or does not fit its schema.
    pub fn decode<D: Document>(&self) -> Result<D, DocumentError> {
        if self.schema.as_str() != D::SCHEMA {
            return Err(DocumentError::OtherSchema {
                wanted: D::SCHEMA,
                got: self.schema.to_string(),
            });
        }
        serde_json::from_str(self.json.as_str())
            .map_err(|source| DocumentError::Malformed { schema: D::SCHEMA, source })
    }
}

/// Gives a type its schema id.
macro_rules! document {
    ($type:ty, $schema:literal) => {
        impl $crate::document::Document for $type {
            const SCHEMA: &'static str = $schema;
        }
    };
}
pub(crate) use document;
