//! `cargo xtask demo`: a real server under writes, backed up by an engine out of a plugins
//! directory, verified, restored into a second server, and compared.
use crate::servers;
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    Contents, Flavor, Invocation, Outcome, Rig, SampleTables, Server, ServerOptions, WriteLoad,
    kitchen_sink,
};
use std::fs;
use std::time::{Duration, Instant};

/// Show a backup that comes back: fetches what it needs, installs nothing, cleans up.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Rows of each of the four sample tables; 1100000 make about 1 GB.
    #[arg(long, default_value_t = 50_000)]
    rows: u64,
    /// Use MariaDB 10.11 instead of MySQL 9.7.
    #[arg(long)]
    mariadb: bool,
}

pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    let started = Instant::now();
    servers::prepare()?;
    println!("== build");
    let rig = Rig::new()?;
    let source = source_with_data(args)?;
    println!("== a write load starts, and runs during everything that follows");
    let load = WriteLoad::start(&source)?;
    load.wait_for_commits(100, Duration::from_secs(60))?;

    show(rig.dbbackup(["engine", "list"]))?;
    show(rig.dbbackup_on(&source, ["engine", "select"]))?;
    let under_load = backup_and_restore(&rig, &source, "under-load.sql.gz")?;
    let report = load.stop();
    ensure!(report.failures == 0, "the load failed: {:?}", report.last_failure);

    println!("== the same once more without writes, for an exact comparison");
    let quiet = backup_and_restore(&rig, &source, "quiet.sql.gz")?;
    let contents = source.checksum_all()?;
    contents.expect_same(&quiet.checksum_all()?)?;

    let summary = Summary {
        restored_transactions: WriteLoad::check(&under_load)? / 2,
        all_transactions: report.commits,
        longest: report.longest,
        objects: same_but_for_the_load(&contents, &under_load)?,
        elapsed: started.elapsed(),
    };
    summary.print();
    Ok(())
}

fn source_with_data(args: &DemoArgs) -> Result<Server> {
    let source = start(args.mariadb)?;
    println!("== {} on port {} with sample data", source.flavor().name(), source.port());
    kitchen_sink(&source)?;
    SampleTables { rows: args.rows, ..SampleTables::small() }.load(&source)?;
    let bytes: u64 = source.row(
        "SELECT CAST(SUM(data_length + index_length) AS UNSIGNED) FROM information_schema.tables",
    )?;
    println!("   {:.0} MB", megabytes(bytes));
    Ok(source)
}

/// Backs the source up, verifies the result, and restores it into a new server.
fn backup_and_restore(rig: &Rig, source: &Server, name: &str) -> Result<Server> {
    let words = ["physical-backup", "--engine", "mysqldump", "--output", name];
    show(rig.dbbackup_on(source, words))?;
    let bytes = fs::metadata(rig.path(name)).with_context(|| format!("find {name}"))?.len();
    println!("   {name}: {:.1} MB", megabytes(bytes));
    show(rig.dbbackup(["verify", name]))?;
    let target = start(source.flavor().is_mariadb())?;
    show(rig.dbbackup_on(&target, ["restore", name, "--into-server"]))?;
    Ok(target)
}

fn start(mariadb: bool) -> Result<Server> {
    let flavor = if mariadb { Flavor::Mariadb1011 } else { Flavor::Mysql97 };
    Server::start(flavor, ServerOptions::default())
}

/// Runs a command as the user would, and shows what it says.
fn show(invocation: Invocation) -> Result<Outcome> {
    let outcome = invocation.deadline(Duration::from_secs(3600)).run()?;
    println!("$ {}", outcome.command_line());
    for line in outcome.stdout_text().lines() {
        println!("   {line}");
    }
    outcome.expect_success()?;
    Ok(outcome)
}

/// Compares everything that the load did not write; returns the number of objects.
fn same_but_for_the_load(source: &Contents, target: &Server) -> Result<usize> {
    let without_load =
        |contents: Contents| contents.without("data `write_load`").without("table `write_load`");
    let expected = without_load(source.clone());
    expected.expect_same(&without_load(target.checksum_all()?))?;
    Ok(expected.len())
}

struct Summary {
    restored_transactions: u64,
    all_transactions: u64,
    longest: Duration,
    objects: usize,
    elapsed: Duration,
}

impl Summary {
    fn print(&self) {
        println!("== it came back");
        println!("   {} objects are the same in source and restored server", self.objects);
        println!(
            "   backed up after {} of {} transactions, ledger and counters agree",
            self.restored_transactions, self.all_transactions
        );
        println!("   the longest transaction while all of this ran took {:?}", self.longest);
        println!("   {:.0} s; servers stopped, files removed", self.elapsed.as_secs_f64());
    }
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people, with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
