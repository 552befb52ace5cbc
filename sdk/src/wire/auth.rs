//! The login plugins: what to answer to a challenge, and how the rest of the dialogue goes.

use ed25519_dalek::{
    VerifyingKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use rsa::{Oaep, RsaPublicKey, pkcs1::DecodeRsaPublicKey, pkcs8::DecodePublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::wire::{Secret, WireError};

/// A login plugin that this client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plugin {
    Native,
    CachingSha2,
    Sha256,
    Ed25519,
    Clear,
}

impl Plugin {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "mysql_native_password" => Some(Self::Native),
            "caching_sha2_password" => Some(Self::CachingSha2),
            "sha256_password" => Some(Self::Sha256),
            "client_ed25519" => Some(Self::Ed25519),
            "mysql_clear_password" => Some(Self::Clear),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
            Self::Ed25519 => "client_ed25519",
            Self::Clear => "mysql_clear_password",
        }
    }

    /// The byte that asks the server for its RSA key.
    fn key_request(self) -> u8 {
        if self == Self::Sha256 { 1 } else { 2 }
    }
}

/// The state of one login: what the plugin in force needs to answer.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    plugin: Plugin,
    challenge: Vec<u8>,
    password: &'a Secret,
    way: Way,
}

/// Who can read what is sent on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nobody, thanks to TLS.
    Encrypted,
    /// Nobody, since it does not leave the machine.
    Local,
    /// Everybody in between.
    Open,
}

type Answer = Zeroizing<Vec<u8>>;

impl<'a> Login<'a> {
    /// Begins with the plugin that the greeting names. An unknown one is answered as the oldest
    /// plugin would: the server then switches to what the account really uses.
    pub(crate) fn new(name: &str, challenge: &[u8], password: &'a Secret, way: Way) -> Self {
        // A server that wants clear passwords by default has to ask for them in a switch.
        let known = Plugin::from_name(name).filter(|plugin| *plugin != Plugin::Clear);
        let plugin = known.unwrap_or(Plugin::Native);
        Self { plugin, challenge: challenge.to_vec(), password, way }
    }

    pub(crate) fn plugin(&self) -> Plugin {
        self.plugin
    }

    /// Follows the server to another plugin and returns the answer to its challenge.
    pub(crate) fn switch(&mut self, name: &str, challenge: &[u8]) -> Result<Answer, WireError> {
        self.plugin = Plugin::from_name(name)
            .ok_or_else(|| WireError::AuthPlugin { plugin: name.to_owned() })?;
        // Plugins send their challenge with a zero byte behind it.
        self.challenge = challenge.strip_suffix(&[0]).unwrap_or(challenge).to_vec();
        self.first_answer()
    }

    /// The answer to the challenge.
    pub(crate) fn first_answer(&self) -> Result<Answer, WireError> {
        let password = self.password.expose();
        match self.plugin {
            Plugin::Native | Plugin::CachingSha2 if password.is_empty() => {
                Ok(Zeroizing::new(Vec::new()))
            }
            Plugin::Native => Ok(native_answer(password, &self.challenge)),
            Plugin::CachingSha2 => Ok(sha2_answer(password, &self.challenge)),
            Plugin::Ed25519 => Ok(ed25519_answer(password, &self.challenge)),
            Plugin::Sha256 if password.is_empty() => Ok(Zeroizing::new(vec![0])),
            // This plugin, the older one, counts a local socket as open.
            Plugin::Sha256 if self.way == Way::Encrypted => Ok(self.clear_password()),
            Plugin::Sha256 => Ok(Zeroizing::new(vec![self.plugin.key_request()])),
            Plugin::Clear if self.way != Way::Open => Ok(self.clear_password()),
            Plugin::Clear => {
                Err(WireError::ClearPassword { plugin: self.plugin.name().to_owned() })
            }
        }
    }

    /// The answer to a packet that goes on with the plugin's own dialogue; nothing when the server
    /// only says that it is content.
    pub(crate) fn next_answer(&self, more: &[u8]) -> Result<Option<Answer>, WireError> {
        match (self.plugin, more) {
            (Plugin::CachingSha2, [3]) => Ok(None),
            (Plugin::CachingSha2, [4]) if self.way != Way::Open => Ok(Some(self.clear_password())),
            (Plugin::CachingSha2, [4]) => Ok(Some(Zeroizing::new(vec![self.plugin.key_request()]))),
            (Plugin::CachingSha2 | Plugin::Sha256, key) if key.starts_with(b"-----BEGIN") => {
                self.encrypted_password(key).map(Some)
            }
            _ => Err(WireError::malformed("login dialogue")),
        }
    }

    fn clear_password(&self) -> Answer {
        let password = self.password.expose();
        let mut answer = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        answer.extend_from_slice(password);
        answer.push(0);
        answer
    }

    /// The password and its zero byte, masked with the challenge, under the server's RSA key.
    fn encrypted_password(&self, pem: &[u8]) -> Result<Answer, WireError> {
        let pem = std::str::from_utf8(pem).map_err(|_| WireError::malformed("RSA key"))?;
        let pem = pem.trim_end_matches('\0');
        let key = RsaPublicKey::from_public_key_pem(pem)
            .ok()
            .or_else(|| RsaPublicKey::from_pkcs1_pem(pem).ok())
            .ok_or(WireError::Malformed { what: "RSA key" })?;
        let mut masked = self.clear_password();
        for (byte, mask) in masked.iter_mut().zip(self.challenge.iter().cycle()) {
            *byte ^= mask;
        }
        let mut random = rsa::rand_core::OsRng;
        let encrypted = key
            .encrypt(&mut random, Oaep::new::<Sha1>(), &masked)
            .map_err(|source| WireError::PasswordKey { source })?;
        Ok(Zeroizing::new(encrypted))
    }
}

/// `SHA1(password) XOR SHA1(challenge, SHA1(SHA1(password)))`
fn native_answer(password: &[u8], challenge: &[u8]) -> Answer {
    let once = Sha1::digest(password);
    let proof = Sha1::new().chain_update(challenge).chain_update(Sha1::digest(once)).finalize();
    xor(&once, &proof)
}

/// `SHA256(password) XOR SHA256(SHA256(SHA256(password)), challenge)`
fn sha2_answer(password: &[u8], challenge: &[u8]) -> Answer {
    let once = Sha256::digest(password);
    let proof = Sha256::new().chain_update(Sha256::digest(once)).chain_update(challenge).finalize();
    xor(&once, &proof)
}

/// An Ed25519 signature of the challenge, by a key expanded from a password of any length where the
/// standard expands a seed of 32 bytes.
fn ed25519_answer(password: &[u8], challenge: &[u8]) -> Answer {
    let expanded = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(password)));
    let key = ExpandedSecretKey::from_bytes(&expanded);
    let signature = raw_sign::<Sha512>(&key, challenge, &VerifyingKey::from(&key));
    Zeroizing::new(signature.to_bytes().to_vec())
}

fn xor(left: &[u8], right: &[u8]) -> Answer {
    Zeroizing::new(left.iter().zip(right).map(|(left, right)| left ^ right).collect())
}

#[cfg(test)]
mod tests;
