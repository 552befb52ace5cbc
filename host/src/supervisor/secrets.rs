//! Secrets on their way to the worker: wiped after use, never printed, never in argv or environment.
use dbbackup_plugin_api::document::connection::{CONNECTION_SECRET, ConnectionDocument};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// Secrets of a run by name, such as `connection.password`. `Debug` prints the names alone.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl Secrets {
    /// No secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a secret.
    pub fn insert(&mut self, name: impl Into<String>, secret: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), Zeroizing::new(secret.into()));
    }

    /// The same, with the connection that the password belongs to: for undo roles, whose records
    /// name neither server nor account.
    pub fn with_connection(mut self, connection: &ConnectionDocument) -> Self {
        match serde_json::to_vec(connection) {
            Ok(document) => self.insert(CONNECTION_SECRET, document),
            // Without it an engine leaves what it cannot undo safely, and says so.
            Err(error) => tracing::warn!(%error, "undo roles do not learn the connection"),
        }
        self
    }

    /// A secret by its name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|secret| secret.as_slice())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for Secrets {
    /// As hexadecimal text, because passwords need not be UTF-8.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, secret)| {
            let digits = secret.iter().fold(
                Zeroizing::new(String::with_capacity(2 * secret.len())),
                |mut text, byte| {
                    text.extend(
                        [byte >> 4, byte & 15]
                            .map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')),
                    );
                    text
                },
            );
            (name, Digits(digits))
        }))
    }
}

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, Digits>::deserialize(deserializer)?;
        let secrets = map.into_iter().map(|(name, digits)| Some((name, digits.bytes()?)));
        secrets
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| D::Error::custom("a secret is written as two digits a byte"))
    }
}

/// Hexadecimal text that is wiped when dropped.
struct Digits(Zeroizing<String>);

impl Digits {
    fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (pairs, rest) = self.0.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        rest.is_empty().then(|| bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)).flatten()
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests;
