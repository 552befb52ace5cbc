//! The backup job, from flags and the engine that was chosen.
use super::{BackupArgs, clone::Donor, output::Output};
use crate::{
    backup::{BackupJob, ChosenEngine},
    cli::UsageError,
    command::Context,
    connection::Connection,
    engine_options::EngineOptions,
    exit::Failure,
    selector::Choice,
    supervisor::{Secrets, job::PipelineSettings},
    target::Existing,
};
use dbbackup_plugin_api::document::{
    backup::LockBudgetDocument, connection::PASSWORD_SECRET, environment::Environment,
};
use std::time::Duration;

/// Options of engines: those of the configuration, and those of this run.
pub(super) fn options(
    args: &BackupArgs,
    context: &Context,
    donor: Option<&Donor>,
) -> Result<EngineOptions, UsageError> {
    let engine = args.engine.as_deref().unwrap_or(&context.config.backup.engine);
    if engine == "auto" && !args.engine_options.is_empty() {
        let text = "--engine-option needs --engine: the option of one is none of another";
        return Err(UsageError::Contradiction(text.to_owned()));
    }
    let given = args.engine_options.iter().cloned().map(|option| (option.key, option.value));
    let lists = [("databases", &args.databases), ("exclude", &args.exclude)];
    let required = lists.into_iter().filter(|(_, names)| !names.is_empty());
    Ok(EngineOptions {
        given: given.collect(),
        required: required
            .map(|(name, names)| (name, names.clone().into()))
            .chain(args.clone.options(donor))
            .collect(),
        ..EngineOptions::of_config(&context.config)
    })
}

/// Everything that the run needs to know.
pub(super) fn of(
    args: &BackupArgs,
    connection: &Connection,
    donor: Option<&Donor>,
    environment: Environment,
    output: Output,
    choice: Choice<'_>,
) -> Result<BackupJob, Failure> {
    let chosen = choice.ranking.chosen();
    let estimate_bytes = chosen.and_then(|chosen| chosen.assessment.as_ref()?.estimate.bytes);
    let writing = &args.writing;
    Ok(BackupJob {
        engine: ChosenEngine::new(choice.engine, choice.reason, choice.options)?,
        connection: connection.document.clone(),
        environment,
        lock_budget: LockBudgetDocument {
            wait_ms: milliseconds(args.limits.max_lock_wait),
            hold_ms: milliseconds(args.limits.max_lock),
        },
        accept_degraded: args.limits.accept_degraded.clone(),
        max_replica_lag_ms: Some(milliseconds(args.limits.max_replica_lag)),
        secrets: secrets_with(connection, args.clone.recipients_secret(donor)),
        output: output.location,
        manifest_file: writing.manifest.clone(),
        encoding: Some(output.encoding),
        pipeline: PipelineSettings {
            threads: writing.threads.map(Into::into),
            limit_rate: writing.limit_rate.map(Into::into),
            recipients: writing.encrypt_to.clone(),
        },
        existing: if writing.force { Existing::Replace } else { Existing::Refuse },
        estimate_bytes,
    })
}

/// Name by which engines ask for the password of the account on a clone's donor.
const DONOR_PASSWORD_SECRET: &str = "clone.donor_password";

/// What the engine of a backup may ask for by name.
fn secrets_with(connection: &Connection, donor_password: Option<&[u8]>) -> Secrets {
    let mut secrets = secrets(connection);
    if let Some(password) = donor_password {
        secrets.insert(DONOR_PASSWORD_SECRET, password);
    }
    secrets
}

/// What engines may ask for by name.
pub(crate) fn secrets(connection: &Connection) -> Secrets {
    let mut secrets = Secrets::new();
    if let Some(password) = connection.password() {
        secrets.insert(PASSWORD_SECRET, password);
    }
    if let Some(password) = crate::env::clone_donor_password() {
        secrets.insert(DONOR_PASSWORD_SECRET, password.to_vec());
    }
    secrets
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
