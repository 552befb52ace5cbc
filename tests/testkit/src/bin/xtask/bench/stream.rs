//! Into S3: the uploader beside tools that do nothing else, backups beside those to a local file,
//! restores beside a download and a restore.
use super::comparison;
use super::contest::{Contest, Round, chain};
use super::dump::{backup, options};
use super::figure::{Bound, Figure};
use super::setting::{Setting, manifest_of, remove};
use anyhow::{Context, Result};
use dbbackup_testkit::{
    DataSet, Invocation, Rig, S3Access, S3Options, S3Peers, S3Server, S3Sink, S3Store, Server,
};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Parts in flight and their size, the same for everybody.
const WORKERS: &str = "4";
const PART_MIB: &str = "16";
const PART_BYTES: &str = "16777216";
/// Bytes of a random stream at scale 1.
const INPUT_BYTES: f64 = (1 << 30) as f64;
/// Who only uploads.
const PEERS: [&str; 3] = ["s5cmd", "rclone", "aws"];
/// Folder of the bucket.
const FOLDER: &str = "bench";

/// Into a sink, which takes no time of its own; out of a store that takes little; then the
/// handbook's table.
pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let peers = S3Peers::fetch()?;
    let sink = S3Sink::start()?;
    let tls = S3Sink::start_with_tls()?;
    let both = [Bodies::AsByDefault, Bodies::Unsigned];
    let mut figures = uploads(setting, &peers, "sink", sink.access(), &both)?;
    let https = [Bodies::AsByDefault];
    figures.extend(uploads(setting, &peers, "sink over https", tls.access(), &https)?);
    let store = S3Server::start(S3Options::default())?;
    figures.extend(with_server(setting, &peers, |backups| {
        Ok(vec![
            backups.processors(&tls.access(), "s5cmd")?,
            backups.processors(&tls.access(), "aws")?,
            backups.beside_a_file("sink", &sink.access())?,
            backups.restore("SeaweedFS", &store.access())?,
        ])
    })?);
    comparison::print(setting, &peers, &store.access())?;
    Ok(figures)
}

/// Into a real store, and out of it.
pub(crate) fn measure_store(setting: &Setting) -> Result<Vec<Figure>> {
    let peers = S3Peers::fetch()?;
    let garage = S3Server::start(S3Options::default().store(S3Store::Garage))?;
    let both = [Bodies::AsByDefault, Bodies::Unsigned];
    let mut figures = uploads(setting, &peers, "Garage", garage.access(), &both)?;
    figures.extend(with_server(setting, &peers, |backups| {
        Ok(vec![
            backups.beside_a_file("Garage", &garage.access())?,
            backups.restore("Garage", &garage.access())?,
        ])
    })?);
    Ok(figures)
}

/// Measures on a server that is gone afterwards, and whose data is free for others.
fn with_server(
    setting: &Setting,
    peers: &S3Peers,
    measure: impl FnOnce(&Backups<'_>) -> Result<Vec<Figure>>,
) -> Result<Vec<Figure>> {
    let data = setting.data(DataSet::Sysbench)?;
    let mut server = data.start(options())?;
    let figures = measure(&Backups { setting, peers, server: &server })?;
    server.stop()?;
    Ok(figures)
}

fn uploads(
    setting: &Setting,
    peers: &S3Peers,
    store: &str,
    access: S3Access,
    bodies: &[Bodies],
) -> Result<Vec<Figure>> {
    let input = setting.path("random");
    random_file(&input, input_bytes(setting))?;
    let uploads = Uploads { setting, peers, input: &input, store, access };
    let mut figures = Vec::new();
    for peer in PEERS {
        for bodies in bodies {
            figures.extend(uploads.beside(peer, *bodies)?);
        }
    }
    remove(&input)?;
    Ok(figures)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive size far below the largest"
)]
fn input_bytes(setting: &Setting) -> u64 {
    (INPUT_BYTES * setting.scale) as u64
}

/// A file that nothing can compress.
fn random_file(path: &Path, bytes: u64) -> Result<()> {
    let random = File::open("/dev/urandom").context("open /dev/urandom")?;
    let mut file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    std::io::copy(&mut random.take(bytes), &mut file)
        .with_context(|| format!("write {}", path.display()))?;
    Ok(())
}

/// Whether a request's signature covers its body, which costs a sha256 of every byte.
#[derive(Clone, Copy)]
enum Bodies {
    /// Over http it does, as it does with every peer; over https TLS guards the body.
    AsByDefault,
    /// It does not over http either: the CRC64NVME alone guards the body.
    Unsigned,
}

impl Bodies {
    fn named(self, what: &str) -> String {
        match self {
            Self::AsByDefault => what.to_owned(),
            Self::Unsigned => format!("{what}, bodies unsigned"),
        }
    }

    /// The engine's option for it.
    fn option(self) -> Option<&'static str> {
        match self {
            Self::AsByDefault => None,
            Self::Unsigned => Some("unsigned_payload=true"),
        }
    }
}

/// A stream of random bytes into a store.
struct Uploads<'a> {
    setting: &'a Setting,
    peers: &'a S3Peers,
    input: &'a Path,
    store: &'a str,
    access: S3Access,
}

impl Uploads<'_> {
    /// At least 1.3 times as fast as a peer, with at most 0.35 of its processor time.
    fn beside(&self, peer: &str, bodies: Bodies) -> Result<[Figure; 2]> {
        let begun = Figure::begin(bodies.named("s3: upload"), self.store)?;
        let cpu = begun.another(bodies.named("s3: upload, CPU"));
        let rounds = contest(self.setting).run(
            |_| self.run_on_input(self.ours(bodies)),
            |output| self.run_on_input(pipe(self.peers, peer, &self.access, output)?),
        )?;
        let ratio = |round: &Round| round.ours.usage.cpu / round.peer.usage.cpu;
        let ratios = rounds.iter().map(ratio).collect();
        let cpu = cpu.value(peer, Bound::AtMost(0.35), "of it", ratios)?;
        Ok([begun.ratio(peer, Bound::AtMost(1.0 / 1.3), rounds)?, cpu])
    }

    fn ours(&self, bodies: Bodies) -> Command {
        let mut streamer = Command::new(self.setting.example("stream_to_s3"));
        streamer.args([&self.access.endpoint, &self.access.bucket, "ours"]);
        streamer.args([format!("workers={WORKERS}"), format!("part_size={PART_BYTES}")]);
        streamer.args(bodies.option());
        streamer.args(self.access.ca.as_ref().map(|ca| format!("ca_file={}", ca.display())));
        streamer.envs(self.access.env());
        streamer
    }

    fn run_on_input(&self, command: Command) -> Result<()> {
        run_on(command, self.input)
    }
}

/// A peer that uploads its standard input; `scratch` is for its configuration.
fn pipe(peers: &S3Peers, peer: &str, access: &S3Access, scratch: &Path) -> Result<Command> {
    let mut command = Command::new(peers.program(peer));
    command.envs(access.env()).env("HOME", scratch.parent().unwrap_or(scratch));
    if let Some(ca) = &access.ca {
        // Where programs written in Go look, that is s5cmd and rclone.
        command.env("SSL_CERT_FILE", ca);
    }
    let url = format!("s3://{}/{peer}", access.bucket);
    match peer {
        "s5cmd" => {
            command.args(["--endpoint-url", &access.endpoint, "pipe", "-p", PART_MIB]);
            command.args(["-c", WORKERS, &url]);
        }
        "rclone" => {
            let remote = [
                ("TYPE", "s3"),
                ("PROVIDER", "Other"),
                ("ENV_AUTH", "true"),
                ("ENDPOINT", &access.endpoint),
                ("REGION", "us-east-1"),
                ("FORCE_PATH_STYLE", "true"),
            ];
            for (name, value) in remote {
                command.env(format!("RCLONE_CONFIG_STORE_{name}"), value);
            }
            command.args(["rcat", "--s3-no-check-bucket", "--s3-upload-concurrency", WORKERS]);
            command.args(["--s3-chunk-size", &format!("{PART_MIB}Mi")]);
            command.arg(format!("store:{}/rclone", access.bucket));
        }
        _ => {
            let config = scratch.with_file_name("aws.config");
            let text = format!(
                "[default]\nregion = us-east-1\ns3 =\n  max_concurrent_requests = {WORKERS}\n  \
                 multipart_chunksize = {PART_MIB}MB\n  multipart_threshold = {PART_MIB}MB\n  \
                 addressing_style = path\n"
            );
            fs::write(&config, text).context("write the configuration of aws")?;
            command.env("AWS_CONFIG_FILE", config);
            command.args(["s3", "cp", "--only-show-errors", "-", &url]);
        }
    }
    Ok(command)
}

/// Backups of a server.
struct Backups<'a> {
    setting: &'a Setting,
    peers: &'a S3Peers,
    server: &'a Server,
}

impl Backups<'_> {
    /// What every backup does (sha256 of each member and of the artefact, CRC64NVME, the manifest) beside
    /// a peer that only uploads as many bytes: at most 0.6 of its processor time. The engine costs
    /// nothing, so that this is the host.
    fn processors(&self, access: &S3Access, peer: &str) -> Result<Figure> {
        let input = self.setting.path("random");
        random_file(&input, input_bytes(self.setting))?;
        let rig = Rig::of(&self.setting.product)?;
        rig.add_plugin(&self.setting.example("flood"))?;
        let begun = Figure::begin("s3: stream-backup .tar, CPU", "sink over https")?;
        let rounds = contest(self.setting).run(
            |_| self.flood(&rig, access),
            |output| run_on(pipe(self.peers, peer, access, output)?, &input),
        )?;
        remove(&input)?;
        let ratio = |round: &Round| round.ours.usage.cpu / round.peer.usage.cpu;
        begun.value(peer, Bound::AtMost(0.6), "of it", rounds.iter().map(ratio).collect())
    }

    /// A vendor's engine that has nothing to do, straight into a store.
    fn flood(&self, rig: &Rig, access: &S3Access) -> Result<()> {
        let bytes = format!("bytes={}", input_bytes(self.setting));
        let words = ["stream-backup", "--quiet", "--engine", "flood", "--engine-option", &bytes];
        let run = rig.dbbackup_on(self.server, words);
        let run = run.args(["--engine-option", "chunk_bytes=1048576"]);
        into(run, access, "flood.tar")
    }

    /// A clone into a store beside one into a local file.
    fn beside_a_file(&self, store: &str, access: &S3Access) -> Result<Figure> {
        let begun = Figure::begin("s3: clone .tar.zst", format!("sysbench, {store}"))?;
        let rounds = contest(self.setting).run(
            |_| self.stream(access, "clone.tar.zst"),
            |output| {
                let output = output.with_file_name("clone.tar.zst");
                chain(vec![backup(self.setting, self.server, "clone", &output)], None)
            },
        )?;
        begun.ratio("the same into a file", Bound::AtMost(1.15), rounds)
    }

    /// A restore from a store beside a download and a restore.
    fn restore(&self, store: &str, access: &S3Access) -> Result<Figure> {
        self.stream(access, "restored.tar.zst")?;
        let begun = Figure::begin("s3: restore", format!("sysbench, {store}"))?;
        let url = url(access, "restored.tar.zst");
        let rounds = contest(self.setting).run(
            |output| {
                let words = ["restore".into(), url.clone().into(), "--target-dir".into()];
                let run = self.setting.rig.dbbackup::<_, std::ffi::OsString>(words).arg(output);
                chain(vec![with(run.to_command(), access)], None)
            },
            |output| {
                let local = output.with_file_name("restored.tar.zst");
                for (from, to) in [
                    (url.clone(), local.clone()),
                    (format!("{url}.manifest.json"), manifest_of(&local)),
                ] {
                    let mut copy = Command::new(self.peers.program("s5cmd"));
                    copy.args(["--endpoint-url", &access.endpoint, "cp", "-p", PART_MIB]);
                    copy.args(["-c", WORKERS, &from]).arg(&to);
                    chain(vec![with(copy, access)], None)?;
                }
                let words = ["restore".into(), local.into_os_string(), "--target-dir".into()];
                chain(vec![self.setting.rig.dbbackup(words).arg(output).to_command()], None)
            },
        )?;
        begun.ratio("s5cmd cp, restore", Bound::AtMost(1.0), rounds)
    }

    fn stream(&self, access: &S3Access, name: &str) -> Result<()> {
        stream(self.setting, self.server, access, name)
    }
}

/// A clone straight into a store, over one that is there.
pub(crate) fn stream(
    setting: &Setting,
    server: &Server,
    access: &S3Access,
    name: &str,
) -> Result<()> {
    let words = ["stream-backup", "--quiet", "--engine", "clone"];
    into(setting.rig.dbbackup_on(server, words), access, name)
}

/// Runs a backup into a store.
fn into(run: Invocation, access: &S3Access, name: &str) -> Result<()> {
    let run = run.args(["--force", "--workers", WORKERS, "--part-size", PART_BYTES]);
    let run = run.args(["--target", &url(access, name)]);
    let run = match &access.ca {
        Some(ca) => run.arg("--target-ca").arg(ca),
        None => run,
    };
    let mut command = with(run.to_command(), access);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.context("start dbbackup")?;
    // These stores keep no condition of a request, which makes a backup degraded.
    anyhow::ensure!(matches!(status.code(), Some(0 | 10)), "stream-backup ended with {status}");
    Ok(())
}

/// A name in the bucket.
pub(crate) fn url(access: &S3Access, name: &str) -> String {
    format!("s3://{}/{FOLDER}/{name}", access.bucket)
}

fn with(mut command: Command, access: &S3Access) -> Command {
    command.envs(access.env());
    command
}

/// Runs a command on a file as its standard input.
fn run_on(mut command: Command, input: &Path) -> Result<()> {
    let name = PathBuf::from(command.get_program());
    let file = File::open(input).with_context(|| format!("open {}", input.display()))?;
    let status = command.stdin(file).stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("start {}", name.display()))?;
    anyhow::ensure!(status.success(), "{} ended with {status}", name.display());
    Ok(())
}

fn contest(setting: &Setting) -> Contest<'_> {
    let directory = setting.path("turn");
    Contest { rounds: setting.rounds, servers: &[], directory, output: "data" }
}
