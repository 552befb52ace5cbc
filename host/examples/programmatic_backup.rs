//! The host as a library: a registry, a plugin registered by its file, the best engine for a server,
//! a backup with options, and its result.
//!
//! `programmatic_backup DBBACKUP PLUGIN HOST PORT USER OUTPUT`, password in `MYSQL_PWD`. The library
//! blocks; DBBACKUP is the `dbbackup` binary, which becomes the worker process that plugins run in.
use dbbackup::{
    BackupJob, ChosenEngine, Connection, Registry, Runtime, Selector, SelectorConfig, StateDir,
    WorkerCommand,
    backup::{self, BackupOutcome},
    env,
    exit::Failure,
    plugin::PluginSettings,
    supervisor::{CancelFlag, Secrets, Silent},
    target::{Existing, OutputLocation},
};
use dbbackup_plugin_api::document::{
    backup::LockBudgetDocument,
    connection::{ConnectionDocument, PASSWORD_SECRET},
};
use std::{io::Write, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, plugin, host, port, user, output] = arguments.as_slice() else {
        return say("usage: programmatic_backup DBBACKUP PLUGIN HOST PORT USER OUTPUT", 2);
    };
    let connection = ConnectionDocument {
        host: Some(host.clone()),
        port: port.parse().ok(),
        user: user.clone(),
        connect_timeout_ms: 10_000,
        stall_budget_ms: 3_600_000,
        ..ConnectionDocument::default()
    };
    let password = env::password().map(|password| password.to_vec());
    let connection = Connection::new(connection, password);
    match back_up(Path::new(program), Path::new(plugin), &connection, output) {
        Ok(outcome) => {
            let artefact = outcome.artefact.unwrap_or_default();
            let bytes = outcome.bytes_out;
            let engine = &outcome.manifest.engine;
            let (id, reason) = (&engine.id, &engine.reason);
            say(&format!("{id} ({reason}): {artefact} with {bytes} bytes"), 0)
        }
        Err(failure) => say(&format!("error: {}", failure.chain()), failure.exit().code()),
    }
}

/// Registry, selector, backup: the whole use of the library.
fn back_up(
    program: &Path,
    plugin: &Path,
    connection: &Connection,
    output: &str,
) -> Result<BackupOutcome, Failure> {
    // No directory is searched; what is registered is all there is.
    let mut registry = Registry::discover(&PluginSettings::only([]));
    registry.register(plugin)?;

    let state = StateDir::new(env::state_dir().unwrap_or_else(env::temp_dir));
    let worker = WorkerCommand::program(program);
    let runtime = Runtime { worker, ..Runtime::new(&registry, state) };
    let cancel = CancelFlag::new();

    let config = SelectorConfig {
        prefer_physical: true,
        auto_select_third_party: true,
        ..SelectorConfig::default()
    };
    let selector = Selector::new(&runtime, &Silent, &cancel, config);
    let environment = selector.gather_info(connection, output)?;
    let choice = selector.select_best(connection, &environment)?;

    let mut secrets = Secrets::new();
    if let Some(password) = connection.password() {
        secrets.insert(PASSWORD_SECRET, password);
    }
    let job = BackupJob {
        engine: ChosenEngine::new(choice.engine, choice.reason, choice.options)?,
        connection: connection.document.clone(),
        environment,
        lock_budget: LockBudgetDocument { wait_ms: 5_000, hold_ms: 1_000 },
        accept_degraded: Vec::new(),
        max_replica_lag_ms: Some(60_000),
        secrets,
        output: OutputLocation::from(std::ffi::OsStr::new(output)),
        manifest_file: None,
        encoding: None,
        pipeline: Default::default(),
        existing: Existing::Refuse,
        estimate_bytes: None,
    };
    backup::run(job, &runtime, &Silent, &cancel)
}

/// The result on standard output, and the exit code.
fn say(text: &str, code: u8) -> ExitCode {
    // A reader that is gone needs no answer.
    drop(writeln!(std::io::stdout(), "{text}"));
    ExitCode::from(code)
}
