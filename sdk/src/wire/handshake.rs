//! The greeting of the server and our answer to it.

use crate::wire::{
    Compression, ConnectOptions, Cursor, WireError,
    compress::ZSTD_LEVEL,
    cursor::{put_lenenc_bytes, put_lenenc_int},
};

/// Capability bits of the protocol, as far as this client uses them.
pub(crate) mod capability {
    pub(crate) const LONG_PASSWORD: u32 = 1;
    pub(crate) const LONG_FLAG: u32 = 1 << 2;
    pub(crate) const COMPRESS: u32 = 1 << 5;
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    pub(crate) const SSL: u32 = 1 << 11;
    pub(crate) const TRANSACTIONS: u32 = 1 << 13;
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(crate) const MULTI_RESULTS: u32 = 1 << 17;
    pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(crate) const CONNECT_ATTRS: u32 = 1 << 20;
    pub(crate) const PLUGIN_AUTH_LENENC_DATA: u32 = 1 << 21;
    pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
    pub(crate) const ZSTD_COMPRESSION: u32 = 1 << 26;

    /// What we ask for where the server has it. Not in it on purpose: multiple statements in one
    /// command, local files, and session tracking, whose texts nobody reads.
    pub(crate) const WANTED: u32 = LONG_PASSWORD
        | LONG_FLAG
        | PROTOCOL_41
        | TRANSACTIONS
        | SECURE_CONNECTION
        | MULTI_RESULTS
        | PLUGIN_AUTH
        | CONNECT_ATTRS
        | PLUGIN_AUTH_LENENC_DATA
        | DEPRECATE_EOF;
    /// Without these there is no login: they exist since MySQL 5.5 and MariaDB 5.2.
    pub(crate) const NEEDED: u32 = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
}

/// `utf8mb4_general_ci`, which every server since MySQL 5.5.3 knows.
const COLLATION: u8 = 45;
/// Largest packet that we announce to accept: the protocol's own maximum.
const MAX_ALLOWED_PACKET: u32 = 1 << 30;
/// Bytes of the challenge that the login plugins use.
const CHALLENGE_BYTES: usize = 20;

/// The first packet of the server.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    pub(crate) server_version: String,
    pub(crate) connection_id: u32,
    pub(crate) capabilities: u32,
    pub(crate) challenge: Vec<u8>,
    pub(crate) plugin: String,
}

impl Greeting {
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet, "greeting");
        if cursor.u8()? != 10 {
            return Err(WireError::malformed("greeting"));
        }
        let server_version = String::from_utf8_lossy(cursor.until_nul()).into_owned();
        let connection_id = cursor.u32()?;
        let mut challenge = cursor.take(8)?.to_vec();
        cursor.take(1)?;
        let low = cursor.u16()?;
        cursor.u8()?;
        cursor.u16()?;
        let high = cursor.u16()?;
        let capabilities = u32::from(low) | u32::from(high) << 16;
        let challenge_bytes = usize::from(cursor.u8()?);
        cursor.take(10)?;
        if capabilities & capability::NEEDED != capability::NEEDED {
            return Err(WireError::malformed("greeting (server older than MySQL 5.5)"));
        }
        challenge.extend(cursor.take(challenge_bytes.saturating_sub(8).max(13))?);
        challenge.truncate(CHALLENGE_BYTES);
        let plugin = String::from_utf8_lossy(cursor.until_nul()).into_owned();
        Ok(Self { server_version, connection_id, capabilities, challenge, plugin })
    }

    /// The capability that stands for a compression, if the server offers it.
    pub(crate) fn compression(&self, wanted: Compression) -> Result<u32, WireError> {
        let bit = match wanted {
            Compression::Zlib => capability::COMPRESS,
            Compression::Zstd => capability::ZSTD_COMPRESSION,
        };
        match self.capabilities & bit {
            0 => Err(WireError::CompressionNotOffered { name: wanted.name() }),
            offered => Ok(offered),
        }
    }

    /// What both sides can do, TLS and compression apart.
    pub(crate) fn negotiated(&self) -> u32 {
        self.capabilities & capability::WANTED
    }
}

/// The packet that asks for TLS: the beginning of the full answer.
pub(crate) fn tls_request(capabilities: u32) -> Vec<u8> {
    let mut packet = Vec::with_capacity(32);
    packet.extend((capabilities | capability::SSL).to_le_bytes());
    packet.extend(MAX_ALLOWED_PACKET.to_le_bytes());
    packet.push(COLLATION);
    packet.extend([0; 23]);
    packet
}

/// The answer to the greeting; `capabilities` includes TLS where it is on.
pub(crate) fn login_request(
    capabilities: u32,
    options: &ConnectOptions,
    plugin: &str,
    auth_response: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(256 + auth_response.len());
    packet.extend(capabilities.to_le_bytes());
    packet.extend(MAX_ALLOWED_PACKET.to_le_bytes());
    packet.push(COLLATION);
    packet.extend([0; 23]);
    packet.extend(options.user.as_bytes());
    packet.push(0);
    if capabilities & capability::PLUGIN_AUTH_LENENC_DATA != 0 {
        put_lenenc_bytes(&mut packet, auth_response);
    } else {
        // Servers without that capability know the plugins with answers up to 32 bytes alone.
        packet.push(u8::try_from(auth_response.len()).unwrap_or(0));
        packet.extend(auth_response.iter().take(usize::from(u8::MAX)));
    }
    packet.extend(plugin.as_bytes());
    packet.push(0);
    if capabilities & capability::CONNECT_ATTRS != 0 {
        put_connect_attributes(&mut packet, &options.attributes);
    }
    if capabilities & capability::ZSTD_COMPRESSION != 0 {
        packet.push(ZSTD_LEVEL);
    }
    packet
}

/// What an operator sees of us in `performance_schema.session_connect_attrs`.
fn put_connect_attributes(packet: &mut Vec<u8>, more: &[(String, String)]) {
    let pid = std::process::id().to_string();
    let attributes = [
        ("_client_name", "dbbackup"),
        ("_client_version", env!("CARGO_PKG_VERSION")),
        ("_os", std::env::consts::OS),
        ("_platform", std::env::consts::ARCH),
        ("_pid", pid.as_str()),
        ("program_name", "dbbackup"),
    ];
    let mut bytes = Vec::with_capacity(128);
    let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in attributes.into_iter().chain(more) {
        put_lenenc_bytes(&mut bytes, name.as_bytes());
        put_lenenc_bytes(&mut bytes, value.as_bytes());
    }
    put_lenenc_int(packet, bytes.len() as u64);
    packet.extend(bytes);
}
