//! `dbbackup verify`: proves that a backup, or every backup of a location, is what its manifest says.
use super::{Context, Places, deadline::Deadline, list::locations, restore::options_of_engine};
use crate::{
    artefact::OpenArtefact,
    catalog::CatalogEntry,
    cli::{TargetArgs, duration},
    config::units::format_size,
    engine_options::EngineOptions,
    exit::{Classified, Exit, Failure},
    output::{CommandResult, Report},
    plugin::Registry,
    supervisor::{Limits, Runtime, Secrets},
    verify::{self, VerifyJob, VerifyLevel, VerifyReport},
};
use clap::Args;
use serde_json::json;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Re-read a backup and prove that what was written is there.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A backup, or a directory or place (s3://bucket/path/) with backups [default:
    /// `backup.output_dir`].
    location: Option<OsString>,
    /// hash: every byte; pages: every InnoDB page too; boot: a scratch server on the content too.
    #[arg(long, value_name = "LEVEL", default_value = "hash")]
    level: VerifyLevel,
    /// Server program for --level boot [default: searched for in PATH].
    #[arg(long, value_name = "FILE")]
    mysqld: Option<PathBuf>,
    /// File with the age identity that opens an encrypted backup; may be given several times.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Longest time for everything.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    target: TargetArgs,
}

/// A backup is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{}", text(.bad, .first))]
struct Bad {
    bad: usize,
    first: String,
}

/// What is said of one backup.
struct Verified {
    report: VerifyReport,
    /// False if the verification could not be done: the report has the reason as its problem.
    is_done: bool,
}

/// Verifies each backup; one bad one makes the command fail.
pub(super) fn run(args: &VerifyArgs, context: &Context) -> CommandResult {
    let given = args.location.as_slice();
    let Places { places, .. } = locations(given, &args.target, context)?;
    let Some(location) = places.first() else { return Err(nothing_in("no location")) };
    context.doing(format!("verify of {location}"));
    let deadline = Deadline::start(args.timeout, &context.cancel)?;
    let registry = context.registry();
    let runtime = context.runtime(&registry, Limits::default())?;
    let catalog = deadline.judge(context.catalog(location, &registry))?;
    let (running, entries): (Vec<_>, Vec<_>) =
        catalog.entries.into_iter().partition(|entry| entry.unfinished);
    for entry in running {
        context.warn(format!("{} is not finished and not verified", entry.artefact));
    }
    if entries.is_empty() {
        return Err(nothing_in(&location.to_string()));
    }
    let mut reports = Vec::new();
    let mut failed = None;
    for entry in &entries {
        let outcome = deadline.judge(one(entry, args, context, &registry, &runtime));
        match outcome {
            Ok(report) => reports.push(Verified { report, is_done: true }),
            Err(failure) if context.cancel.is_cancelled() => return Err(failure),
            // It says nothing about the others.
            Err(failure) => {
                reports.push(Verified { report: undone(entry, args, &failure), is_done: false });
                failed.get_or_insert(failure);
            }
        }
    }
    Ok(report(&reports, failed))
}

fn nothing_in(location: &str) -> Failure {
    Bad { bad: 0, first: format!("no backup in {location}") }.into()
}

fn one(
    entry: &CatalogEntry,
    args: &VerifyArgs,
    context: &Context,
    registry: &Registry,
    runtime: &Runtime<'_>,
) -> Result<VerifyReport, Failure> {
    let options = EngineOptions::of_config(&context.config);
    let opened = OpenArtefact::open(&entry.artefact, runtime, &context.cancel)?;
    let job = VerifyJob {
        artefact: entry.artefact.clone(),
        identities: args.identity.clone(),
        level: args.level,
        mysqld: args.mysqld.clone(),
        options: options_of_engine(&opened, &options, registry)?,
        secrets: Secrets::new(),
    };
    verify::run_on(opened, &job, runtime, &context.progress(), &context.cancel)
}

/// The report of a verification that could not be done.
fn undone(entry: &CatalogEntry, args: &VerifyArgs, failure: &Failure) -> VerifyReport {
    VerifyReport {
        artefact: entry.artefact.clone(),
        level: args.level,
        problems: vec![failure.chain()],
        ..VerifyReport::default()
    }
}

/// A bad backup weighs more than one that could not be looked at; `failed` is the first of those.
fn report(verified: &[Verified], failed: Option<Failure>) -> Report {
    let text = verified.iter().map(describe).collect();
    let reports: Vec<&VerifyReport> = verified.iter().map(|one| &one.report).collect();
    let shown = Report::new(&json!({"verified": reports}), text);
    let is_bad = |one: &&Verified| one.is_done && one.report.exit() != Exit::Done;
    let bad: Vec<&Verified> = verified.iter().filter(is_bad).collect();
    let Some(Verified { report: first, .. }) = bad.first() else {
        return match failed {
            Some(failure) => shown.failing(failure),
            None => shown,
        };
    };
    let problem = first.problems.first().map(String::as_str).unwrap_or_default();
    let first = format!("{}: {problem}", first.artefact);
    shown.failing(Bad { bad: bad.len(), first })
}

fn describe(verified: &Verified) -> String {
    let report = &verified.report;
    let word = match (verified.is_done, report.problems.is_empty()) {
        (false, _) => "not verified",
        (true, true) => "good",
        (true, false) => "BAD",
    };
    let mut text = format!(
        "{word}: {} ({} members, {}",
        report.artefact,
        report.members,
        format_size(report.bytes)
    );
    let pages = &report.pages;
    if pages.checked + pages.unchecked > 0 {
        let (checked, bad) = (pages.checked, pages.bad);
        text.push_str(&format!(", {checked} pages checked, {bad} bad"));
    }
    text.push_str(")\n");
    report.problems.iter().for_each(|problem| text.push_str(&format!("  problem: {problem}\n")));
    report.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    text
}

fn text(bad: &usize, first: &str) -> String {
    match bad {
        0 | 1 => first.to_owned(),
        _ => format!("{bad} backups are bad, first {first}"),
    }
}

impl Classified for Bad {
    fn exit(&self) -> Exit {
        Exit::VerificationFailed
    }

    fn code(&self) -> String {
        "E-VERIFY".to_owned()
    }
}
