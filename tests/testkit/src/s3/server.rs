//! A real store on this machine, with one bucket and three keys.
use super::access::S3Access;
use super::client::S3Client;
use super::options::{S3Options, S3Store};
use super::{garage, weed};
use crate::certificates::CertificateFiles;
use crate::port::Port;
use crate::process::OwnedProcess;
use crate::scratch::Scratch;
use crate::wait::{pause, wait_until};
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The bucket that every store starts with.
pub const S3_BUCKET: &str = "backups";

/// How long a store may take until it keeps what it is given.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How long a killed store may take to be gone.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How often ports are chosen anew if another program takes one in the meantime.
const PORT_ATTEMPTS: u32 = 4;

/// An id and a secret in the form that Garage demands; SeaweedFS takes any.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    pub(super) secret: &'static str,
}

/// May do everything.
pub(super) const ADMIN: Key = Key {
    name: "admin",
    id: "GK0000000000000000000000aa",
    secret: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
};

/// May put, upload in parts, abort and delete, but neither read nor list.
pub(super) const WRITER: Key = Key {
    name: "writer",
    id: "GK0000000000000000000000bb",
    secret: "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
};

/// May put, upload in parts and abort; may not read, list or delete.
pub(super) const APPENDER: Key = Key {
    name: "appender",
    id: "GK0000000000000000000000cc",
    secret: "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01",
};

/// The ports of a store; what each is for depends on the software.
#[derive(Debug)]
pub(super) struct Ports {
    /// S3 over plain HTTP.
    pub(super) http: Port,
    /// S3 over TLS.
    pub(super) https: Port,
    /// Those between its own parts.
    pub(super) inner: Vec<Port>,
    /// Those of further volume servers.
    pub(super) nodes: Vec<weed::Node>,
}

impl Ports {
    fn lease(options: &S3Options) -> Result<Self> {
        let inner = match options.store {
            S3Store::SeaweedFs => weed::INNER_PORTS,
            S3Store::Garage => garage::INNER_PORTS,
        };
        Ok(Self {
            http: Port::lease()?,
            https: Port::lease()?,
            inner: (0..inner).map(|_| Port::lease()).collect::<Result<_>>()?,
            nodes: (0..options.further_nodes)
                .map(|_| weed::Node::lease())
                .collect::<Result<_>>()?,
        })
    }

    /// An inner port.
    pub(super) fn inner(&self, index: usize) -> Result<u16> {
        Ok(self.inner.get(index).context("the store has fewer ports")?.number())
    }
}

/// A running store that listens on 127.0.0.1. Dropping it kills it and removes what it stored.
#[derive(Debug)]
pub struct S3Server {
    process: Option<OwnedProcess>,
    nodes: Vec<OwnedProcess>,
    options: S3Options,
    ports: Ports,
    certificates: Option<CertificateFiles>,
    scratch: Scratch,
}

impl S3Server {
    /// Fetches the store if need be, starts it, and makes [`S3_BUCKET`].
    ///
    /// # Errors
    /// The store cannot be fetched, or does not start: the error holds the tail of its log.
    pub fn start(options: S3Options) -> Result<Self> {
        if options.store != S3Store::SeaweedFs && (options.has_tls || options.further_nodes > 0) {
            bail!("{:?} has neither TLS of its own nor further nodes here", options.store);
        }
        let scratch = options.scratch()?;
        let tls = scratch.join("tls");
        let certificates = options.has_tls.then(|| CertificateFiles::issue(&tls)).transpose()?;
        let ports = Ports::lease(&options)?;
        let nodes = Vec::new();
        let mut server = Self { process: None, nodes, options, ports, certificates, scratch };
        for _ in 1..PORT_ATTEMPTS {
            match server.begin() {
                Err(error) if format!("{error:#}").contains("in use") => {
                    server.ports = Ports::lease(&server.options)?;
                }
                outcome => return outcome.map(|()| server),
            }
        }
        server.begin()?;
        Ok(server)
    }

    /// Starts the process and waits until it keeps what it is given.
    fn begin(&mut self) -> Result<()> {
        let place = Place {
            ports: &self.ports,
            certificates: self.certificates.as_ref(),
            directory: self.scratch.path(),
        };
        let mut command = match self.options.store {
            S3Store::SeaweedFs => weed::command(&place)?,
            S3Store::Garage => garage::command(&place)?,
        };
        command.args(&self.options.arguments);
        let log_before = self.log()?.len();
        self.process = Some(self.spawn(&command)?);
        let nodes = self.ports.nodes.iter().map(|node| weed::node_command(&place, node));
        let nodes: Vec<Command> = nodes.collect::<Result<_>>()?;
        self.nodes = nodes.iter().map(|command| self.spawn(command)).collect::<Result<_>>()?;
        self.make_ready().with_context(|| {
            let log = self.log().unwrap_or_default();
            tail(log.get(log_before..).unwrap_or(&log))
        })
    }

    /// A process of the store, which writes into its log.
    fn spawn(&self, command: &Command) -> Result<OwnedProcess> {
        let output = File::options().create(true).append(true).open(self.log_path())?;
        OwnedProcess::spawn(command.get_program(), |wrapped| {
            wrapped.args(command.get_args());
            adopt_environment(wrapped, command);
            wrapped.current_dir(self.scratch.path()).stdin(Stdio::null());
            if let Ok(errors) = output.try_clone() {
                wrapped.stderr(errors);
            }
            wrapped.stdout(output);
        })
    }

    fn make_ready(&mut self) -> Result<()> {
        let name = format!("{:?}", self.options.store);
        let (store, port) = (self.options.store, self.port());
        let started = Instant::now();
        wait_until(&format!("{name} is healthy"), START_DEADLINE, || {
            if let Some(status) = self.process()?.exited()? {
                bail!("{name} ended with {status} while it was starting");
            }
            Ok(match store {
                S3Store::SeaweedFs => weed::is_healthy(port),
                S3Store::Garage => garage::is_healthy(port),
            })
        })?;
        if self.options.store == S3Store::Garage {
            garage::provide_keys(self.scratch.path())?;
        }
        let client = self.client()?;
        let left = START_DEADLINE.saturating_sub(started.elapsed());
        keep_asking(left, || {
            match client.create_bucket() {
                Err(failure)
                    if !failure.is("BucketAlreadyExists")
                        && !failure.is("BucketAlreadyOwnedByYou") =>
                {
                    return Err(failure);
                }
                _ => {}
            }
            // The part that stores may come up after the part that answers.
            client.put(PROBE, "ready")?;
            client.get(PROBE)?;
            client.delete(PROBE)
        })
        .with_context(|| format!("{name} does not keep what it is given"))
    }

    /// Kills the store as a power cut of its process would, and waits until it is gone.
    ///
    /// # Errors
    /// The store is not running.
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.signal(Signal::KILL)?;
        self.process()?.wait(STOP_DEADLINE)?;
        self.process = None;
        self.nodes.clear();
        Ok(())
    }

    /// Kills one of the further volume servers, with what it stores.
    ///
    /// # Errors
    /// None of them is running.
    pub fn kill_node(&mut self) -> Result<()> {
        let mut node = self.nodes.pop().context("no further volume server is running")?;
        node.signal(Signal::KILL)?;
        node.wait(STOP_DEADLINE)?;
        Ok(())
    }

    /// Starts the store again on the same ports with what it has stored, killing it first if it is
    /// running: its orderly shutdown takes half a minute.
    ///
    /// # Errors
    /// As for [`S3Server::start`].
    pub fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.kill()?;
        }
        self.begin()
    }

    /// Whether the store's process is alive.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.exited(), Ok(None)))
    }

    /// The port for plain HTTP on 127.0.0.1, which is there with TLS too.
    pub fn port(&self) -> u16 {
        self.ports.http.number()
    }

    /// The URL of the store, `https` if it has TLS.
    pub fn endpoint(&self) -> String {
        match self.certificates {
            Some(_) => format!("https://127.0.0.1:{}", self.ports.https.number()),
            None => format!("http://127.0.0.1:{}", self.port()),
        }
    }

    /// The bucket with the key that may do everything.
    pub fn access(&self) -> S3Access {
        self.access_as(&ADMIN)
    }

    /// The bucket with a key that may put, upload in parts, abort and delete, but neither read
    /// (`HeadObject` included) nor list.
    pub fn write_only(&self) -> S3Access {
        self.access_as(&WRITER)
    }

    /// The bucket with a key that may put, upload in parts and abort, but not even delete.
    /// SeaweedFS alone can tell the two apart: Garage's may delete.
    pub fn append_only(&self) -> S3Access {
        self.access_as(&APPENDER)
    }

    fn access_as(&self, key: &Key) -> S3Access {
        S3Access {
            endpoint: self.endpoint(),
            bucket: S3_BUCKET.to_owned(),
            access_key: key.id.to_owned(),
            secret_key: key.secret.to_owned(),
            ca: self.ca_path().map(Path::to_owned),
        }
    }

    /// A client of the bucket that may do everything.
    ///
    /// # Errors
    /// As for [`S3Access::client`].
    pub fn client(&self) -> Result<S3Client> {
        self.access().client()
    }

    /// The certificate of the authority that signed the store's, if it has TLS.
    pub fn ca_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|files| files.ca.as_path())
    }

    /// The process id of the store.
    ///
    /// # Errors
    /// The store is not running.
    pub fn pid(&mut self) -> Result<u32> {
        Ok(self.process()?.id())
    }

    /// What the store has logged so far.
    ///
    /// # Errors
    /// The log is not readable.
    pub fn log(&self) -> Result<String> {
        match fs::read(self.log_path()) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).context("read the store's log"),
        }
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.join("store.log")
    }

    fn process(&mut self) -> Result<&mut OwnedProcess> {
        self.process.as_mut().context("the store is not running")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // First the processes, which would miss them.
        self.process = None;
        self.nodes.clear();
        if self.options.store == S3Store::SeaweedFs {
            // What is not there needs no removal, and a left socket is in nobody's way.
            weed::sockets(&self.ports).for_each(|path| drop(fs::remove_file(path)));
        }
    }
}

/// An object that is put, read and deleted to see whether a store is up.
const PROBE: &str = ".testkit-probe";

/// Where a store listens and what it may write to.
pub(super) struct Place<'a> {
    pub(super) ports: &'a Ports,
    pub(super) certificates: Option<&'a CertificateFiles>,
    pub(super) directory: &'a Path,
}

/// Tries until it works, at most for `deadline`; then the last failure counts.
fn keep_asking<E>(deadline: Duration, mut attempt: impl FnMut() -> Result<(), E>) -> Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    const INTERVAL: Duration = Duration::from_millis(50);
    let started = Instant::now();
    loop {
        match attempt() {
            Err(_) if started.elapsed() < deadline => pause(INTERVAL),
            outcome => return Ok(outcome?),
        }
    }
}

fn adopt_environment(wrapped: &mut Command, command: &Command) {
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
}

fn tail(log: &str) -> String {
    const LINES: usize = 15;
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
