//! The login: greeting, TLS, and the dialogue of the account's plugin.

use std::sync::Arc;

use rustls::{ClientConfig, pki_types::ServerName};

use crate::wire::{
    ConnectOptions, Cursor, Secret, ServerError, SslMode, WireError,
    auth::Login,
    channel::Channel,
    handshake::{self, Greeting, capability},
    options::Address,
    result::Completion,
    tls,
};

/// Nothing before the login is longer; a stranger must not make us reserve more.
const LOGIN_PACKET_BYTES: usize = 1 << 20;
/// A login dialogue has two or three rounds; a server that asks on and on is cut off.
const LOGIN_ROUNDS: usize = 10;

/// A channel whose server knows who we are.
#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) channel: Channel,
    pub(crate) greeting: Greeting,
    pub(crate) capabilities: u32,
    pub(crate) status: u16,
}

/// What a login needs besides the channel. Made before the server is called: it gives its clients
/// few seconds, and certificates may take a while to read.
#[derive(Debug)]
pub(crate) struct Preparation {
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Preparation {
    /// Reads the certificates that the options name.
    pub(crate) fn of(options: &ConnectOptions) -> Result<Self, WireError> {
        if options.ssl.mode == SslMode::Disabled {
            return Ok(Self { tls: None });
        }
        let config = tls::client_config(&options.ssl)?;
        Ok(Self { tls: Some((config, tls::server_name(options)?)) })
    }
}

/// Logs in over a fresh channel.
pub(crate) fn log_in(
    mut channel: Channel,
    preparation: Preparation,
    options: &ConnectOptions,
) -> Result<LoggedIn, WireError> {
    channel.set_payload_limit(LOGIN_PACKET_BYTES);
    let greeting = read_greeting(&mut channel)?;
    let mut capabilities = greeting.negotiated();
    if let Some(compression) = options.compression {
        capabilities |= greeting.compression(compression)?;
    }
    if let Some((config, name)) = preparation.tls
        && wants_tls(&greeting, options)?
    {
        channel.write("asking for TLS", &[&handshake::tls_request(capabilities)])?;
        channel = channel.start_tls(options, config, name)?;
        capabilities |= capability::SSL;
    }
    let nothing = Secret::default();
    let password = options.password.as_ref().unwrap_or(&nothing);
    let way = channel.way();
    let mut login = Login::new(&greeting.plugin, &greeting.challenge, password, way);
    let answer = login.first_answer()?;
    let plugin = login.plugin().name();
    let request = handshake::login_request(capabilities, options, plugin, &answer);
    channel.write("logging in", &[&request])?;
    let status = converse(&mut channel, &mut login)?;
    if let Some(compression) = options.compression {
        channel.start_compression(compression)?;
    }
    Ok(LoggedIn { channel, greeting, capabilities, status })
}

fn read_greeting(channel: &mut Channel) -> Result<Greeting, WireError> {
    let packet = channel.read("reading the greeting")?;
    if packet.first() == Some(&0xff) {
        return Err(ServerError::parse(packet)?.into());
    }
    Greeting::parse(packet)
}

/// Whether to go on under TLS. As the stock client, `PREFERRED` does without on a Unix socket.
fn wants_tls(greeting: &Greeting, options: &ConnectOptions) -> Result<bool, WireError> {
    let offered = greeting.capabilities & capability::SSL != 0;
    let local = matches!(options.address(), Address::Unix(_));
    match options.ssl.mode {
        SslMode::Disabled => Ok(false),
        SslMode::Preferred => Ok(offered && !local),
        _ if offered => Ok(true),
        mode => Err(WireError::TlsNotOffered { mode: mode_name(mode) }),
    }
}

/// The mode as the stock client spells it.
fn mode_name(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disabled => "DISABLED",
        SslMode::Preferred => "PREFERRED",
        SslMode::Required => "REQUIRED",
        SslMode::VerifyCa => "VERIFY_CA",
        SslMode::VerifyIdentity => "VERIFY_IDENTITY",
    }
}

/// Follows the dialogue of the plugin to its end, and returns the status of the session.
fn converse(channel: &mut Channel, login: &mut Login<'_>) -> Result<u16, WireError> {
    for _ in 0..LOGIN_ROUNDS {
        let packet = channel.read("logging in")?;
        let answer = match packet.split_first() {
            Some((0x00, _)) => return Ok(Completion::parse_ok(packet)?.status),
            Some((0xff, _)) => return Err(ServerError::parse(packet)?.into()),
            Some((0xfe, [])) => {
                return Err(WireError::AuthPlugin { plugin: String::from("mysql_old_password") });
            }
            Some((0xfe, switch)) => {
                let mut cursor = Cursor::new(switch, "login switch");
                let name = String::from_utf8_lossy(cursor.until_nul()).into_owned();
                Some(login.switch(&name, cursor.rest())?)
            }
            Some((0x01, more)) => login.next_answer(more)?,
            _ => return Err(WireError::malformed("login dialogue")),
        };
        if let Some(answer) = answer {
            channel.write("logging in", &[&answer])?;
        }
    }
    Err(WireError::malformed("login dialogue"))
}
