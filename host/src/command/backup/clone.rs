//! Flags of the engine `clone`: the method, and a donor in place of the server on the connection.
use crate::{
    cli::UsageError,
    command::Context,
    config::CloneRemoteConfig,
    connection::{Connection, password_from_file},
    env,
    exit::Failure,
};
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::{num::NonZeroU32, path::PathBuf};
use zeroize::Zeroizing;

/// How a clone is taken, and of which server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engine clone")]
pub(super) struct CloneArgs {
    /// Who clones: dbbackup itself over the clone protocol, the server on its own host, or the
    /// connected server from a donor [default: protocol].
    #[arg(long, value_name = "METHOD")]
    clone_method: Option<CloneMethod>,
    /// Connections that bring the files at once [default: 1].
    #[arg(long, value_name = "N")]
    parallel: Option<NonZeroU32>,
    /// Whether DDL goes on meanwhile, or waits [default: allow].
    #[arg(long, value_name = "CHOICE")]
    clone_ddl: Option<CloneDdl>,
    /// Dump tables of other storage engines than InnoDB, which come empty out of a clone, beside it
    /// as SQL text in the same artefact; they are locked meanwhile, at most as long as --max-lock.
    #[arg(long)]
    include_non_innodb: bool,
    /// Back up the donor that the next flags or `backup.clone.remote` name.
    #[arg(long)]
    clone_remote: bool,
    /// Host of the donor.
    #[arg(long, value_name = "HOST")]
    clone_donor_host: Option<String>,
    /// TCP port of the donor [default: 3306].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    clone_donor_port: Option<u16>,
    /// Account on the donor [default: clone_user]; its password comes from
    /// DBBACKUP_CLONE_DONOR_PASSWORD or a file.
    #[arg(long, value_name = "NAME")]
    clone_donor_user: Option<String>,
    /// File whose first line is the password of the account on the donor.
    #[arg(long, value_name = "FILE")]
    clone_donor_password_file: Option<PathBuf>,
    /// Directory on the server's host that methods local and recipient clone into [default:
    /// `backup.clone.data_dir` of the configuration].
    #[arg(long, value_name = "DIR")]
    clone_data_dir: Option<PathBuf>,
}

/// Who clones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CloneMethod {
    /// We do: our own client of the clone protocol.
    Protocol,
    /// The server, into a directory of its own host.
    Local,
    /// The connected server clones a donor.
    Recipient,
}

/// What becomes of DDL meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CloneDdl {
    /// It goes on.
    Allow,
    /// It waits.
    Block,
}

/// Why a donor's account cannot log in with what is there.
const NO_DONOR_PASSWORD: &str = "the donor's account needs a password of its own, that of the \
     connection is not sent to another server: set DBBACKUP_CLONE_DONOR_PASSWORD (empty for none), \
     or give --clone-donor-password-file";

/// A server to clone, beside the one on the connection.
pub(super) struct Donor {
    host: String,
    port: u16,
    user: String,
    password: Option<Zeroizing<Vec<u8>>>,
}

impl Donor {
    /// Whether the connection leads to this server and this account anyway.
    fn is_at_end_of(&self, connection: &Connection) -> bool {
        let document = &connection.document;
        document.socket.is_none()
            && document.host.as_deref() == Some(self.host.as_str())
            && document.port == Some(self.port)
            && document.user == self.user
    }
}

impl CloneArgs {
    /// The donor, if this run has one.
    ///
    /// # Errors
    /// Flags of a donor without a donor, or a password file that cannot be read.
    pub(super) fn donor(&self, engine: &str, context: &Context) -> Result<Option<Donor>, Failure> {
        let config = &context.config.backup.clone.remote;
        // What the file says of clones concerns no other engine.
        let is_configured = config.enabled && matches!(engine, "clone" | "auto");
        let is_wanted = self.clone_remote || self.is_recipient() || is_configured;
        if !is_wanted {
            let text = "the flags of a donor need --clone-remote or --clone-method recipient";
            return if self.names_donor() { Err(contradiction(text)) } else { Ok(None) };
        }
        if self.clone_method == Some(CloneMethod::Local) {
            return Err(contradiction("method local clones the server on the connection"));
        }
        let host = self.clone_donor_host.clone().unwrap_or_else(|| config.donor_host.clone());
        if host.is_empty() {
            return Err(contradiction("a donor needs a host: give --clone-donor-host"));
        }
        Ok(Some(Donor { password: self.password()?, ..self.named(host, config) }))
    }

    fn named(&self, host: String, config: &CloneRemoteConfig) -> Donor {
        let user = self.clone_donor_user.clone().unwrap_or_else(|| config.donor_user.clone());
        let port = self.clone_donor_port.unwrap_or(config.donor_port);
        Donor { host, port, user, password: None }
    }

    fn password(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match &self.clone_donor_password_file {
            Some(file) => Ok(Some(password_from_file(file)?)),
            None => Ok(env::clone_donor_password()),
        }
    }

    /// The connection of the run: where we clone a donor ourselves, it leads there.
    ///
    /// # Errors
    /// The donor's account has no password of its own, and the one that is there is for another
    /// server or another account: it is never sent to the donor.
    pub(super) fn connection(
        &self,
        connection: Connection,
        donor: Option<&Donor>,
    ) -> Result<Connection, Failure> {
        let Some(donor) = donor.filter(|_| !self.is_recipient()) else {
            return Ok(connection);
        };
        let password = match (&donor.password, connection.password()) {
            (Some(password), _) => Some(password.to_vec()),
            (None, Some(_)) if !donor.is_at_end_of(&connection) => {
                return Err(contradiction(NO_DONOR_PASSWORD));
            }
            (None, password) => password.map(<[u8]>::to_vec),
        };
        let mut document = connection.document;
        document.host = Some(donor.host.clone());
        document.port = Some(donor.port);
        document.socket = None;
        document.user = donor.user.clone();
        Ok(Connection::new(document, password))
    }

    /// The password of the donor's account, which a recipient needs.
    pub(super) fn recipients_secret<'d>(&self, donor: Option<&'d Donor>) -> Option<&'d [u8]> {
        donor.filter(|_| self.is_recipient())?.password.as_ref().map(|password| password.as_slice())
    }

    /// The options of the engine that follow from the flags.
    pub(super) fn options(&self, donor: Option<&Donor>) -> Vec<(&'static str, Value)> {
        let mut options: Vec<(&'static str, Value)> = Vec::new();
        options.extend(self.clone_method.map(|method| ("method", name(method).into())));
        options.extend(self.parallel.map(|number| ("connections", number.get().into())));
        options.extend(self.clone_ddl.map(|choice| ("ddl", name(choice).into())));
        let directory = self.clone_data_dir.as_ref();
        options.extend(directory.map(|path| ("data_dir", path.display().to_string().into())));
        if self.include_non_innodb {
            options.push(("include_non_innodb", true.into()));
        }
        if let Some(donor) = donor.filter(|_| self.is_recipient()) {
            options.push(("donor_host", donor.host.clone().into()));
            options.push(("donor_port", donor.port.into()));
            options.push(("donor_user", donor.user.clone().into()));
        }
        options
    }

    fn is_recipient(&self) -> bool {
        self.clone_method == Some(CloneMethod::Recipient)
    }

    fn names_donor(&self) -> bool {
        self.clone_donor_host.is_some()
            || self.clone_donor_port.is_some()
            || self.clone_donor_user.is_some()
            || self.clone_donor_password_file.is_some()
    }
}

/// The name of a choice, as it is typed.
fn name(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn contradiction(text: &str) -> Failure {
    UsageError::Contradiction(text.to_owned()).into()
}

#[cfg(test)]
mod tests;
