//! Method `recipient`: the connected server clones another one, the donor, into a directory of its
//! host, which is archived and removed. Its own data stay as they are: without a directory, `CLONE
//! INSTANCE` would replace them.

use dbbackup_sdk::{
    BackupRun, Sink,
    document::backup::BackupSummary,
    server::{ReplicaError, Session, SessionError, SslMode, quote},
    wire::{ConnectOptions, Secret},
};

use crate::{
    beside::Beside,
    options::{DONOR_PASSWORD_SECRET, Options},
    server_clone::{self, CloningServer, MethodError, Moment, privilege},
    source::{Source, told},
    unseen, unstartable,
};

/// Room beside the data.
const EXTRA_BYTES: u64 = 128 << 20;

/// Clones, archives and removes.
pub(crate) fn backup(
    run: &BackupRun,
    options: &Options,
    sink: &Sink,
) -> Result<BackupSummary, MethodError> {
    let mut server = CloningServer::connect(run, options)?;
    let donor = Donor::of(run, options)?;
    donor.check_listed(&mut server.session)?;
    privilege::check_recipient(&mut server.session)?;
    let mut donor_session = donor.connect(run)?;
    privilege::check_source(&mut donor_session)?;
    let mut source = Source::ask(&mut donor_session)?;
    unstartable::check(&mut donor_session)?;
    let sees_all_tables = unseen::sees_all(&donor_session.grants()?);
    let beside = match options.include_non_innodb {
        true => Some(Beside::prepare(&mut donor_session, run)?),
        false => None,
    };
    let mut degraded = match beside {
        // What is dumped beside does not come back empty.
        Some(_) => Vec::new(),
        None => server.check_left_out(&source)?,
    };
    degraded.extend(check_replica(&mut donor_session, run)?);
    let needed_bytes = needed_bytes(&mut donor_session, &source)?;
    let before = Moment::of(&mut donor_session)?;
    let (escaping, ssl) = (server.session.escaping(), run.request.connection.ssl.mode);
    server.clone_and_archive(sink, needed_bytes, "CLONE INSTANCE FROM …", |directory| {
        donor.statement(directory, escaping, ssl)
    })?;
    let after = Moment::of(&mut donor_session)?;
    let dumped = beside.map(|beside| beside.dump(run, sink)).transpose()?;
    let empty =
        server_clone::left_out_in_the_end(&mut donor_session, &mut source, dumped.as_ref())?;
    degraded.extend(empty);
    let replica_sources = after.sources.clone();
    let coordinates = server_clone::bracket(before, after);
    let mut summary = server_clone::summary(&source, options, degraded, coordinates);
    summary.replica_sources = replica_sources.unwrap_or_default();
    if !sees_all_tables {
        unseen::note(&mut summary);
    }
    if let Some(dumped) = dumped {
        dumped.describe(&mut summary);
    }
    let uuid = told(&mut donor_session, "server_uuid")?;
    summary.source.insert(
        "donor".to_owned(),
        dbbackup_sdk::serde_json::json!({"address": donor.address(), "uuid": uuid}),
    );
    Ok(summary)
}

/// The server that is cloned.
struct Donor {
    host: String,
    port: u16,
    user: String,
    password: Secret,
}

impl Donor {
    fn of(run: &BackupRun, options: &Options) -> Result<Self, MethodError> {
        let user = options.donor_user.clone();
        let password = run.host.secret(DONOR_PASSWORD_SECRET)?;
        let password =
            password.ok_or_else(|| MethodError::NoDonorPassword { user: user.clone() })?;
        Ok(Self {
            host: options.donor_host.clone().ok_or(MethodError::NoDonorHost)?,
            port: options.donor_port,
            user,
            password: Secret::new(password.to_vec()),
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The recipient takes only donors that its administrator has named.
    fn check_listed(&self, recipient: &mut Session) -> Result<(), MethodError> {
        // Without the plugin there is no such variable, and no donor is valid.
        let list = recipient.variable("clone_valid_donor_list")?.unwrap_or_default();
        let donor = self.address();
        if list.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(&donor)) {
            return Ok(());
        }
        Err(MethodError::DonorNotListed { donor, list })
    }

    fn connect(&self, run: &BackupRun) -> Result<Session, SessionError> {
        let options = ConnectOptions {
            host: Some(self.host.clone()),
            port: Some(self.port),
            socket: None,
            user: self.user.clone(),
            password: Some(self.password.clone()),
            init_statements: vec!["SET NAMES utf8mb4".to_owned()],
            ..ConnectOptions::from_document(&run.request.connection, None)
        };
        let mut session = Session::connect(&options)?;
        // It has nothing to say while the recipient clones, and is asked afterwards.
        session.stay_while_idle(server_clone::LONGEST_CLONE)?;
        Ok(session)
    }

    /// Every name and the password quoted; the directory comes quoted.
    fn statement(&self, directory: &str, escaping: quote::Escaping, ssl: SslMode) -> Secret {
        let quoted = |text: &str| quote::string(text, escaping);
        let require = match ssl {
            SslMode::Disabled => " REQUIRE NO SSL",
            SslMode::Preferred => "",
            _ => " REQUIRE SSL",
        };
        let (user, host, port) = (quoted(&self.user), quoted(&self.host), self.port);
        let mut sql =
            format!("CLONE INSTANCE FROM {user}@{host}:{port} IDENTIFIED BY ").into_bytes();
        quote::append_string(&mut sql, self.password.expose(), escaping);
        sql.extend_from_slice(format!(" DATA DIRECTORY = {directory}{require}").as_bytes());
        Secret::new(sql)
    }
}

/// Refuses a donor that is a replica out of date. What the request knows of a server is of the
/// recipient.
fn check_replica(donor: &mut Session, run: &BackupRun) -> Result<Vec<String>, ReplicaError> {
    let mut request = run.request.clone();
    request.environment.server = None;
    donor.check_replica(&request)
}

/// Bytes of the clone, and a refusal of tablespaces that a recipient puts elsewhere: onto their own
/// paths, beside the directory that is archived.
fn needed_bytes(donor: &mut Session, source: &Source) -> Result<u64, MethodError> {
    crate::local::cloned_bytes(donor, &source.data_directory)
        .map(|bytes| bytes.saturating_add(EXTRA_BYTES))
}
