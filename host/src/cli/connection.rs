//! Options that say where the server is and how to log in.
use super::values::ssl_mode;
use crate::{
    config::{Config, ConfigError},
    connection::{Connection, ConnectionFlags, PasswordSource},
    env,
    option_file::{OptionFileChoice, OptionFiles},
};
use clap::Args;
use dbbackup_plugin_api::document::connection::SslMode;
use std::path::PathBuf;

/// Where the server is and how to log in. The password comes from MYSQL_PWD, a file, standard input
/// or an option file, never from an argument.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Host name or address of the server.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// TCP port [default: 3306].
    #[arg(short = 'P', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The server's socket.
    #[arg(short = 'S', long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// Account name [default: the login name].
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// File whose first line is the password.
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read this option file alone.
    #[arg(long, value_name = "FILE", conflicts_with = "defaults_extra_file")]
    defaults_file: Option<PathBuf>,
    /// Read this option file after the global ones.
    #[arg(long, value_name = "FILE")]
    defaults_extra_file: Option<PathBuf>,
    /// Read option groups with this suffix too.
    #[arg(long, value_name = "TEXT")]
    defaults_group_suffix: Option<String>,
    /// Read no option files.
    #[arg(long, conflicts_with_all = ["defaults_file", "defaults_extra_file"])]
    no_defaults: bool,
    /// DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY.
    #[arg(long, value_name = "MODE", value_parser = ssl_mode)]
    ssl_mode: Option<SslMode>,
    /// File with the authorities to trust.
    #[arg(long, value_name = "FILE")]
    ssl_ca: Option<PathBuf>,
    /// Directory with such files.
    #[arg(long, value_name = "DIR")]
    ssl_capath: Option<PathBuf>,
    /// The client's certificate.
    #[arg(long, value_name = "FILE")]
    ssl_cert: Option<PathBuf>,
    /// The client's private key.
    #[arg(long, value_name = "FILE")]
    ssl_key: Option<PathBuf>,
}

impl ConnectionArgs {
    /// True if the command line itself says where a server is.
    pub(crate) fn names_a_server(&self) -> bool {
        self.host.is_some()
            || self.port.is_some()
            || self.socket.is_some()
            || self.defaults_file.is_some()
    }

    /// Resolves the connection from flags, option files, environment and configuration; says what
    /// was ignored.
    ///
    /// # Errors
    /// [`ConfigError`] as for [`Connection::resolve`].
    pub(crate) fn resolve(
        &self,
        config: &Config,
    ) -> Result<(Connection, Vec<String>), ConfigError> {
        let files = OptionFiles::read(&OptionFileChoice {
            none: self.no_defaults,
            only: self.defaults_file.clone(),
            extra: self.defaults_extra_file.clone(),
            group_suffix: self.defaults_group_suffix.clone().or_else(env::mysql_group_suffix),
            home: env::home(),
        })?;
        let connection = Connection::resolve(&self.flags(), &files, &config.connection)?;
        Ok((connection, files.warnings))
    }

    fn flags(&self) -> ConnectionFlags {
        let password = match (&self.password_file, self.password_stdin) {
            (Some(file), _) => PasswordSource::File(file.clone()),
            (None, true) => PasswordSource::Stdin,
            (None, false) => PasswordSource::Unsaid,
        };
        ConnectionFlags {
            host: self.host.clone(),
            port: self.port,
            socket: self.socket.clone(),
            user: self.user.clone(),
            ssl_mode: self.ssl_mode,
            ssl_ca: self.ssl_ca.clone(),
            ssl_capath: self.ssl_capath.clone(),
            ssl_cert: self.ssl_cert.clone(),
            ssl_key: self.ssl_key.clone(),
            password,
        }
    }
}
