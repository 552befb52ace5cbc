//! Responses of the donor.

use crate::rpc::{CodecError, Fields, INNODB, NEWEST_PROTOCOL, OLDEST_PROTOCOL};

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response<'p> {
    /// The version agreed on, and what names the clone from now on.
    Locators {
        /// Version of the protocol.
        version: u32,
        /// InnoDB's locator, if it is there.
        innodb: Option<&'p [u8]>,
    },
    /// A descriptor of InnoDB.
    Descriptor {
        /// Which locator it belongs to.
        locator_index: u8,
        /// Its bytes.
        descriptor: &'p [u8],
    },
    /// The bytes that the descriptor before announced.
    Data(&'p [u8]),
    /// A plugin of the donor; its library is empty if it is built in or not told.
    Plugin {
        /// Its name.
        name: String,
        /// Its library.
        library: String,
    },
    /// A setting of the donor.
    Config {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A collation that the donor knows.
    Collation(String),
    /// The command is done.
    Complete,
    /// The command failed.
    Error {
        /// Number of the server's error.
        code: i32,
        /// The server's text.
        message: String,
    },
}

impl<'p> Response<'p> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`CodecError`]: it is no response, or one of another version or storage engine.
    pub(crate) fn parse(packet: &'p [u8]) -> Result<Self, CodecError> {
        let mut fields = Fields::new(packet, "response");
        let response = match fields.u8()? {
            1 => return Self::locators(fields),
            2 => {
                let engine = fields.u8()?;
                if engine != INNODB {
                    return Err(CodecError::Engine { engine });
                }
                return Ok(Self::Descriptor {
                    locator_index: fields.u8()?,
                    descriptor: fields.rest(),
                });
            }
            3 => return Ok(Self::Data(fields.rest())),
            4 => Self::Plugin { name: fields.text()?, library: String::new() },
            5 | 8 | 9 => Self::Config { name: fields.text()?, value: fields.text()? },
            6 => Self::Collation(fields.text()?),
            7 => Self::Plugin { name: fields.text()?, library: fields.text()? },
            99 => Self::Complete,
            100 => {
                let code = fields.i32_le()?;
                let message = String::from_utf8_lossy(fields.rest()).into_owned();
                return Ok(Self::Error { code, message });
            }
            other => return Err(CodecError::Value { what: "a response", value: other.into() }),
        };
        fields.end()?;
        Ok(response)
    }

    fn locators(mut fields: Fields<'p>) -> Result<Self, CodecError> {
        let version = fields.u32_le()?;
        if !(OLDEST_PROTOCOL..=NEWEST_PROTOCOL).contains(&version) {
            return Err(CodecError::ProtocolVersion { version });
        }
        let mut innodb = None;
        while !fields.is_empty() {
            let engine = fields.u8()?;
            let locator = fields.counted()?;
            if engine != INNODB {
                return Err(CodecError::Engine { engine });
            }
            if innodb.replace(locator).is_some() {
                return Err(CodecError::Value { what: "the number of locators", value: 2 });
            }
        }
        Ok(Self::Locators { version, innodb })
    }

    /// What it is, for errors.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Locators { .. } => "locators",
            Self::Descriptor { .. } => "a descriptor",
            Self::Data(_) => "data",
            Self::Plugin { .. } => "a plugin",
            Self::Config { .. } => "a setting",
            Self::Collation(_) => "a collation",
            Self::Complete => "the end",
            Self::Error { .. } => "an error",
        }
        .to_owned()
    }
}
