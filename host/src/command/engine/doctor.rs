//! `dbbackup doctor` and `dbbackup engine doctor`: looks for what stands in the way of a backup and
//! says what would mend it. Changes nothing.
mod server;

use crate::{
    cli::ConnectionArgs,
    command::Context,
    connection::Connection,
    engine_options::EngineOptions,
    exit::{Classified, Exit, Failure},
    output::{CommandResult, Report},
    plugin::{EngineRef, Registry},
    selector::{Asking, environment, rank::shown},
    supervisor::{Limits, job::ErrorReport},
};
use clap::Args;
use dbbackup_plugin_api::{
    document::{
        assessment::{Assessment, Remedy},
        doctor::{Finding, Severity},
        environment::Environment,
    },
    role::{BACKUP_ROLE, DOCTOR_ROLE},
};
use serde::Serialize;
use std::path::Path;

/// Look for what stands in the way of a backup.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Engine to look at; all if none is named.
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// A finding and where it was found.
#[derive(Debug, Serialize)]
struct Found {
    area: String,
    #[serde(flatten)]
    finding: Finding,
}

/// Something stands in the way of a backup.
#[derive(Debug, thiserror::Error)]
#[error("{problems} problem(s) stand in the way of a backup")]
struct Sick {
    problems: usize,
    exit: Exit,
}

/// Looks at the installation, the plugins, the server and each engine.
pub(crate) fn run(args: &DoctorArgs, context: &Context) -> CommandResult {
    let connection = context.connection(&args.connection)?;
    context.doing(format!("doctor for {}", connection.address()));
    let registry = context.registry();
    let engines = engines(args, &registry)?;
    let mut findings = installation(context, &registry);
    let mut exit = Exit::Precondition;
    match environment::gather(&connection, environment::destination(&output_dir(context))) {
        Ok(gathered) => {
            findings.extend(server::findings(&connection, &gathered)?);
            findings.extend(ask(&engines, &registry, context, &connection, &gathered)?);
        }
        Err(error) => {
            exit = error.exit();
            let failure = Failure::from(error);
            let remedy = failure.hint().map(Remedy::Advice);
            findings.push(found("server", Severity::Problem, failure.chain(), remedy));
        }
    }
    findings.sort_by_key(|found| found.finding.severity);
    let is_problem = |found: &&Found| found.finding.severity == Severity::Problem;
    let problems = findings.iter().filter(is_problem).count();
    let text = findings.iter().map(describe).collect();
    let report = Report::new(&serde_json::json!({"findings": findings}), text);
    Ok(if problems == 0 { report } else { report.failing(Sick { problems, exit }) })
}

fn engines<'r>(args: &DoctorArgs, registry: &'r Registry) -> Result<Vec<EngineRef<'r>>, Failure> {
    if args.engines.is_empty() {
        return Ok(registry.engines().collect());
    }
    let mut named = Vec::new();
    for name in &args.engines {
        named.extend(registry.engine_or_family(name, None)?);
    }
    Ok(named)
}

fn output_dir(context: &Context) -> String {
    context.config.backup.output_dir.display().to_string()
}

fn installation(context: &Context, registry: &Registry) -> Vec<Found> {
    let mut findings = Vec::new();
    let file = context.config.file.as_ref().map(|file| file.display().to_string());
    let file = file.unwrap_or_else(|| "no file, the defaults hold".to_owned());
    findings.push(found("configuration", Severity::Good, file, None));
    findings.push(match context.state() {
        Ok(state) => writable("state", state.path()),
        Err(error) => found("state", Severity::Problem, error.to_string(), None),
    });
    findings.push(writable("output directory", &context.config.backup.output_dir));
    let usable = registry.plugins().iter().filter(|plugin| plugin.is_usable()).count();
    findings.push(match usable {
        0 => {
            let remedy = Remedy::Command("dbbackup engine add FILE".to_owned());
            found("plugins", Severity::Problem, "no plugin is usable".to_owned(), Some(remedy))
        }
        count => found("plugins", Severity::Good, format!("{count} usable"), None),
    });
    for refusal in registry.refusals() {
        let what = format!("{}: {}", refusal.path.display(), refusal.cause_chain());
        let mend = Some(Remedy::Advice(refusal.view().mend));
        findings.push(found("plugins", Severity::Warning, what, mend));
    }
    findings
}

/// Whether files can be made in a directory, or in the nearest parent that exists.
fn writable(area: &str, path: &Path) -> Found {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let access = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK);
    let shown = path.display();
    match access {
        Ok(()) => found(area, Severity::Good, format!("{shown} can be written"), None),
        Err(error) => {
            let error = std::io::Error::from(error);
            found(area, Severity::Problem, format!("{shown} cannot be written: {error}"), None)
        }
    }
}

/// Findings of engines with a doctor; of the others, what stands in the way by their assessment.
fn ask(
    engines: &[EngineRef<'_>],
    registry: &Registry,
    context: &Context,
    connection: &Connection,
    environment: &Environment,
) -> Result<Vec<Found>, Failure> {
    let options = EngineOptions::of_config(&context.config);
    let runtime = context.runtime(registry, Limits::default())?;
    let progress = context.progress();
    let asking = Asking { runtime: &runtime, observer: &progress, cancel: &context.cancel };
    let plays =
        |engine: &EngineRef<'_>, wanted: &str| engine.engine.roles.iter().any(|r| r == wanted);
    let mut findings = Vec::new();
    for engine in engines {
        let area = format!("engine {}", engine.engine.id);
        let asked = [(*engine, options.of(engine.engine)?)];
        if plays(engine, DOCTOR_ROLE) {
            for answer in asking.doctor(connection, environment, &asked)? {
                match answer {
                    Ok(answer) => findings.extend(
                        answer
                            .findings
                            .into_iter()
                            .map(|finding| Found { area: area.clone(), finding }),
                    ),
                    Err(report) => findings.push(unanswered(&area, report)),
                }
            }
        } else if plays(engine, BACKUP_ROLE) {
            for answer in asking.assess(connection, environment, &asked)? {
                match answer {
                    Ok(assessment) => findings.extend(of_assessment(&area, assessment)),
                    Err(report) => findings.push(unanswered(&area, report)),
                }
            }
        }
    }
    Ok(findings)
}

fn of_assessment(area: &str, assessment: Assessment) -> Vec<Found> {
    let mut findings = Vec::new();
    if assessment.applicable {
        let reason = assessment.reason.trim();
        let what = if reason.is_empty() { "a backup could start now" } else { reason };
        findings.push(found(area, Severity::Good, what.to_owned(), None));
    }
    // An engine that does not fit here stands in nobody's way as long as another does.
    for blocker in assessment.blockers {
        findings.push(found(area, Severity::Warning, blocker.what, blocker.remedy));
    }
    for warning in assessment.warnings {
        findings.push(found(area, Severity::Warning, warning, None));
    }
    findings
}

fn unanswered(area: &str, report: ErrorReport) -> Found {
    let causes: String = report.causes.iter().map(|cause| format!(": {cause}")).collect();
    let what = format!("{}{causes}", report.message);
    found(area, Severity::Problem, what, report.hint.map(Remedy::Advice))
}

fn found(area: &str, severity: Severity, what: String, remedy: Option<Remedy>) -> Found {
    Found { area: area.to_owned(), finding: Finding { severity, what, remedy } }
}

fn describe(found: &Found) -> String {
    let word = match found.finding.severity {
        Severity::Problem => "PROBLEM",
        Severity::Warning => "warning",
        Severity::Good => "good",
    };
    let remedy = found.finding.remedy.as_ref().map(|remedy| format!("  mend: {}\n", shown(remedy)));
    format!("{word}: {}: {}\n{}", found.area, found.finding.what, remedy.unwrap_or_default())
}

impl Classified for Sick {
    fn exit(&self) -> Exit {
        self.exit
    }

    fn code(&self) -> String {
        "E-DOCTOR".to_owned()
    }
}
