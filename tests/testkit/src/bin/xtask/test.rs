//! `cargo xtask test`: what must pass before anything lands, and what CI runs.
mod slowest;

use crate::{servers, step};
use anyhow::{Context, Result, bail};
use dbbackup_testkit::{Product, env, workspace_root};
use slowest::Times;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Check the format, lint, and run every test on real servers.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Run the long soaks too.
    #[arg(long)]
    acceptance: bool,
    /// Run only the tests whose name contains this.
    filter: Option<String>,
}

pub(crate) fn run(args: &TestArgs) -> Result<()> {
    let guests = servers::Guests::start();
    step::run("format", cargo()?.args(["fmt", "--all", "--check"]))?;
    step::run("lints", cargo()?.args(CLIPPY))?;
    let product_file = build()?;
    servers::prepare()?;
    if args.acceptance {
        servers::prepare_for_acceptance()?;
    }
    guests.wait()?;
    let outcome = run_tests(args, &product_file)?;
    outcome.report(args.filter.as_deref())
}

const CLIPPY: [&str; 8] =
    ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings", "--no-deps"];

/// Part of the names of tests that run in acceptance runs alone; `tests/nextest.toml` knows it too.
const ACCEPTANCE_MODULE: &str = "acceptance::";
/// How many of the slowest tests are shown.
const SLOWEST: usize = 20;

/// Builds tests and product in one go, so that both share every dependency, and writes down
/// where the product is.
fn build() -> Result<PathBuf> {
    println!("== build");
    let mut command = cargo()?;
    command.args(["build", "--workspace", "--all-targets"]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output().context("start cargo build")?;
    if !output.status.success() {
        bail!("cargo build ended with {}", output.status);
    }
    let product = Product::from_messages(&String::from_utf8(output.stdout)?)?;
    let directory = product.binary.parent().context("the binary lies nowhere")?;
    let path = directory.join("dbbackup-product.json");
    product.write(&path)?;
    Ok(path)
}

/// What a run of the tests has come to.
struct TestOutcome {
    passed: bool,
    times: Times,
    skip_file: PathBuf,
}

fn run_tests(args: &TestArgs, product_file: &Path) -> Result<TestOutcome> {
    let skip_file = product_file.with_file_name("dbbackup-skipped.txt");
    fs::write(&skip_file, "")?;
    let mut times = Times::default();
    let mut passed = true;
    for mut command in runners(args)? {
        command.env(env::PRODUCT_FILE, product_file).env(env::SKIP_FILE, &skip_file);
        if args.acceptance {
            command.env(env::ACCEPTANCE, "1");
        }
        passed &= run_watched(&mut command, &mut times)?;
    }
    Ok(TestOutcome { passed, times, skip_file })
}

/// nextest where it is installed, with a process for each test; the stock harness otherwise.
/// nextest does not run the examples in the documentation.
fn runners(args: &TestArgs) -> Result<Vec<Command>> {
    let has_nextest = cargo()?
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut tests = cargo()?;
    if !has_nextest {
        println!("== tests (cargo-nextest is not installed: cargo test does)");
        // The stable harness tells no times unless it takes itself for an unstable one.
        let runner = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";
        tests.env(runner, "env RUSTC_BOOTSTRAP=1");
        tests.args(["test", "--workspace", "--no-fail-fast", "--all-targets"]).args(&args.filter);
        tests.args(["--", "-Zunstable-options", "--report-time"]);
        if !args.acceptance {
            tests.args(["--skip", ACCEPTANCE_MODULE]);
        }
        return Ok(vec![tests, doc_tests()?]);
    }
    println!("== tests");
    tests.args(["nextest", "run", "--workspace", "--no-fail-fast", "--retries=0"]);
    tests.args(["--config-file", "tests/nextest.toml", "--color=never"]).args(&args.filter);
    tests.arg("--no-tests=fail");
    if args.acceptance {
        tests.args(["--profile", "acceptance"]);
    }
    Ok(vec![tests, doc_tests()?])
}

fn doc_tests() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "--quiet", "--workspace", "--doc"]);
    Ok(command)
}

/// Runs a command, shows both of its streams, and notes the times of tests in them.
fn run_watched(command: &mut Command, times: &mut Times) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().context("start the tests")?;
    // The command keeps the writing ends; without them gone the reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        times.note(&line);
        println!("{line}");
    }
    Ok(child.wait()?.success())
}

impl TestOutcome {
    /// Says what came of the run; one without any test is a mistake in the filter, and no success.
    fn report(&self, filter: Option<&str>) -> Result<()> {
        if self.times.len() == 0 {
            match filter {
                Some(filter) => bail!("no test ran: no name of one contains {filter:?}"),
                None => bail!("no test ran"),
            }
        }
        println!("== the {SLOWEST} slowest of {} tests", self.times.len());
        for (seconds, name) in self.times.slowest(SLOWEST) {
            println!("   {seconds:8.2} s  {name}");
        }
        let skipped = fs::read_to_string(&self.skip_file)?;
        println!("== {} skipped", skipped.lines().count());
        for line in skipped.lines() {
            println!("   {line}");
        }
        if !self.passed {
            bail!("tests failed");
        }
        Ok(())
    }
}

fn cargo() -> Result<Command> {
    let mut cargo = env::cargo();
    cargo.current_dir(workspace_root()?);
    Ok(cargo)
}

#[cfg(test)]
mod tests;
