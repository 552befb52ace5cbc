//! Options of the engine, typed. None of them is a secret: they go into undo records.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{error::S3Error, schedule::SMALLEST_PART_BYTES};

/// Part size if none is given, bytes.
const PART_SIZE_BYTES: u64 = 10 * 1024 * 1024;
/// Largest part that S3 takes, bytes.
const LARGEST_PART_BYTES: u64 = 5 * 1024 * 1024 * 1024;
const WORKERS: u16 = 4;
const MOST_WORKERS: u16 = 256;
/// A thousand below the limit of S3, so that an estimate may be wrong.
const MAX_PARTS: u32 = 9_000;
const MOST_PARTS: u32 = 10_000;
const RETRY_DEADLINE: Duration = Duration::from_secs(900);
const LONGEST_RETRY_DEADLINE_S: u64 = 86_400;

/// What an operator may say of a store. Absent means the default, which `plugin.json` documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Smallest size of a part, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_size: Option<u64>,
    /// Parts that are uploaded at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u16>,
    /// CRC64NVME with every part and over the whole object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<bool>,
    /// Parts of one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parts: Option<u32>,
    /// Parts of one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equal_parts: Option<bool>,
    /// URL of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Bucket in the path and not in the host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Certificate authorities that are trusted besides those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Server-side encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Storage class of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Object lock of data and manifests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
    /// Profile of the AWS configuration files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How long one request is tried again, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_deadline_s: Option<u64>,
    /// Leave the body out of the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned_payload: Option<bool>,
}

impl Options {
    /// Smallest size of a part, bytes.
    #[must_use]
    pub fn part_size_bytes(&self) -> u64 {
        self.part_size.unwrap_or(PART_SIZE_BYTES)
    }

    /// Parts that are uploaded at the same time.
    #[must_use]
    pub fn workers(&self) -> u16 {
        self.workers.unwrap_or(WORKERS)
    }

    /// Parts of one object.
    #[must_use]
    pub fn max_parts(&self) -> u32 {
        self.max_parts.unwrap_or(MAX_PARTS)
    }

    /// True if checksums are wanted.
    #[must_use]
    pub fn wants_checksum(&self) -> bool {
        self.checksum.unwrap_or(true)
    }

    /// How long one request is tried again.
    #[must_use]
    pub fn retry_deadline(&self) -> Duration {
        self.retry_deadline_s.map_or(RETRY_DEADLINE, Duration::from_secs)
    }

    /// Refuses what the schema in `plugin.json` would refuse, for programs that come past it.
    ///
    /// # Errors
    /// [`S3Error::Option`].
    pub fn check(&self) -> Result<(), S3Error> {
        let refuse = |option, why: String| Err(S3Error::Option { option, why });
        let part = self.part_size_bytes();
        if !(SMALLEST_PART_BYTES..=LARGEST_PART_BYTES).contains(&part) {
            return refuse("part_size", format!("{part} is not between 5 MiB and 5 GiB"));
        }
        if !(1..=MOST_WORKERS).contains(&self.workers()) {
            let given = self.workers();
            return refuse("workers", format!("{given} is not between 1 and {MOST_WORKERS}"));
        }
        if !(1..=MOST_PARTS).contains(&self.max_parts()) {
            let given = self.max_parts();
            return refuse("max_parts", format!("{given} is not between 1 and {MOST_PARTS}"));
        }
        if self
            .retry_deadline_s
            .is_some_and(|given| !(1..=LONGEST_RETRY_DEADLINE_S).contains(&given))
        {
            return refuse("retry_deadline_s", "it is not between 1 and 86400".to_owned());
        }
        self.check_endpoint()
    }

    /// These options for whoever goes on in another environment and directory: with the endpoint, unless
    /// a secret may hide in it, the region and the profile that were in force.
    pub(crate) fn lasting(&self, in_force: &InForce) -> Self {
        let InForce { endpoint, region, profile } = in_force.clone();
        let mut lasting = Self {
            endpoint: endpoint.or_else(|| self.endpoint.clone()),
            region: region.or_else(|| self.region.clone()),
            profile: self.profile.clone().or(profile),
            ..self.clone()
        };
        if lasting.check_endpoint().is_err() {
            lasting.endpoint.clone_from(&self.endpoint);
        }
        // A path that cannot be made absolute is as good as it was.
        let absolute = lasting.ca_file.as_ref().and_then(|path| std::path::absolute(path).ok());
        lasting.ca_file = absolute.or(lasting.ca_file);
        lasting
    }

    /// An endpoint is shown in logs and kept in records, so that no password may hide in it.
    fn check_endpoint(&self) -> Result<(), S3Error> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let refuse = |why: &str| Err(S3Error::Option { option: "endpoint", why: why.to_owned() });
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        match host {
            None => refuse("it begins with neither https:// nor http://"),
            Some(host) if host.contains('@') => {
                refuse("it names a user; credentials come from the environment or a profile")
            }
            Some(host) if host.is_empty() || host.contains(char::is_whitespace) => {
                refuse("it names no host")
            }
            Some(_) => Ok(()),
        }
    }
}

/// What the client goes by, whether options, environment or profile have said so. None of it is secret,
/// unless somebody has put a password into the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InForce {
    /// URL of the store, if it is not that of the region.
    pub(crate) endpoint: Option<String>,
    /// Region of the bucket.
    pub(crate) region: Option<String>,
    /// Profile that the environment names.
    pub(crate) profile: Option<String>,
}

/// Server-side encryption, written as `AES256`, `aws:kms` or `aws:kms:KEY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Encryption {
    /// By a key of the store.
    Aes256,
    /// By a key of the key service: the account's own, or the one that is named.
    Kms {
        /// Id or ARN of the key.
        key: Option<String>,
    },
}

impl TryFrom<String> for Encryption {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "AES256" => Ok(Self::Aes256),
            "aws:kms" => Ok(Self::Kms { key: None }),
            other => match other.strip_prefix("aws:kms:").filter(|key| !key.is_empty()) {
                Some(key) => Ok(Self::Kms { key: Some(key.to_owned()) }),
                None => Err(format!("{text:?} is none of AES256, aws:kms and aws:kms:KEY")),
            },
        }
    }
}

impl From<Encryption> for String {
    fn from(encryption: Encryption) -> Self {
        match encryption {
            Encryption::Aes256 => "AES256".to_owned(),
            Encryption::Kms { key: None } => "aws:kms".to_owned(),
            Encryption::Kms { key: Some(key) } => format!("aws:kms:{key}"),
        }
    }
}

/// Object lock, written as `GOVERNANCE:30d` or `COMPLIANCE:12h`: kept that long from the upload on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectLock {
    /// Who may shorten it.
    pub mode: LockMode,
    /// How long it lasts, hours.
    pub hours: u32,
}

/// Who may shorten an object lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Accounts with a special permission.
    Governance,
    /// Nobody.
    Compliance,
}

impl LockMode {
    /// As S3 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl ObjectLock {
    /// How long it lasts.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs(u64::from(self.hours) * 3600)
    }
}

impl TryFrom<String> for ObjectLock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form GOVERNANCE:30d or COMPLIANCE:30d");
        let (mode, length) = text.split_once(':').ok_or_else(wrong)?;
        let mode = match mode {
            "GOVERNANCE" => LockMode::Governance,
            "COMPLIANCE" => LockMode::Compliance,
            _ => return Err(wrong()),
        };
        let (count, unit) = match (length.strip_suffix('d'), length.strip_suffix('h')) {
            (Some(days), _) => (days, 24),
            (_, Some(hours)) => (hours, 1),
            _ => return Err(wrong()),
        };
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let hours = count.checked_mul(unit).filter(|hours| *hours > 0).ok_or_else(wrong)?;
        Ok(Self { mode, hours })
    }
}

impl From<ObjectLock> for String {
    fn from(lock: ObjectLock) -> Self {
        match lock.hours % 24 {
            0 => format!("{}:{}d", lock.mode.name(), lock.hours / 24),
            _ => format!("{}:{}h", lock.mode.name(), lock.hours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_come_back_as_they_were_written() {
        let written = json!({
            "part_size": 5_242_880, "encryption": "aws:kms:alias/backup",
            "object_lock": "COMPLIANCE:30d", "endpoint": "https://store.example:9000",
        });
        let options: Options = serde_json::from_value(written.clone()).unwrap();
        options.check().unwrap();
        assert_eq!(
            options.object_lock.as_ref().unwrap().length(),
            Duration::from_secs(30 * 86_400)
        );
        assert_eq!(serde_json::to_value(&options).unwrap(), written);
    }

    #[test]
    fn what_is_no_encryption_or_lock_is_refused() {
        for text in ["AES128", "aws:kms:", "kms"] {
            assert!(Encryption::try_from(text.to_owned()).is_err(), "{text}");
        }
        for text in
            ["COMPLIANCE", "COMPLIANCE:0d", "LEGAL:3d", "GOVERNANCE:3w", "GOVERNANCE:99999999999d"]
        {
            assert!(ObjectLock::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_with_a_user_is_refused_and_not_repeated() {
        let options =
            Options { endpoint: Some("https://me:word@host".to_owned()), ..Options::default() };
        let refused = options.check().unwrap_err().to_string();
        assert!(refused.contains("endpoint") && !refused.contains("word@"), "{refused}");
    }

    #[test]
    fn what_was_in_force_lasts() {
        let text = |text: &str| Some(text.to_owned());
        let in_force = InForce {
            endpoint: text("https://me:word@host"),
            region: text("eu-west-1"),
            profile: text("backup"),
        };
        let lasting = Options::default().lasting(&in_force);
        assert_eq!((lasting.region, lasting.profile), (text("eu-west-1"), text("backup")));
        assert_eq!(lasting.endpoint, None, "a secret may hide in it");
        let given = Options { profile: text("own"), ..Options::default() };
        assert_eq!(given.lasting(&in_force).profile, text("own"), "options count more");
        let nothing = InForce::default();
        assert_eq!(given.lasting(&nothing), given);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let refused = |options: Options| options.check().is_err();
        assert!(refused(Options { part_size: Some(1), ..Options::default() }));
        assert!(refused(Options { workers: Some(0), ..Options::default() }));
        assert!(refused(Options { max_parts: Some(10_001), ..Options::default() }));
        assert!(refused(Options { retry_deadline_s: Some(0), ..Options::default() }));
        assert!(!refused(Options::default()));
    }
}
