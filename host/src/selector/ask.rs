//! Asks engines in a worker process, so that none of them can end or change this one.
use crate::{
    connection::Connection,
    exit::{Exit, Failure},
    plugin::{EngineRef, PluginError},
    supervisor::{
        CancelFlag, Limits, Observer, Runtime, Secrets, Supervisor, SupervisorError,
        job::{AssessTask, AssessedEngine, EngineAnswer, EnginePin, ErrorReport, Receipt, Task},
        runtime::new_run_id,
    },
};
use dbbackup_plugin_api::document::{
    assessment::Assessment, connection::PASSWORD_SECRET, doctor::DoctorFindings,
    environment::Environment,
};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// Longest silence of an engine that is asked; the worker waits less for each answer.
const ASK_STALL: Duration = Duration::from_secs(30);

/// An engine and its options.
pub(crate) type Asked<'r> = (EngineRef<'r>, Value);

/// Everything that asking an engine takes.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// Plugins, worker and state.
    pub(crate) runtime: &'a Runtime<'a>,
    /// Hears the engines' log events.
    pub(crate) observer: &'a dyn Observer,
    /// Ends the asking early.
    pub(crate) cancel: &'a CancelFlag,
}

impl Asking<'_> {
    /// One assessment for each engine, in their order.
    ///
    /// # Errors
    /// The supervisor's: the worker cannot be started, or the run was cancelled.
    pub(crate) fn assess(
        &self,
        connection: &Connection,
        environment: &Environment,
        engines: &[Asked<'_>],
    ) -> Result<Vec<Result<Assessment, ErrorReport>>, Failure> {
        self.each(connection, environment, engines, Task::Assess, |receipt| match receipt {
            Receipt::Assess { answers } => Some(answers),
            _ => None,
        })
    }

    /// The findings of each engine, in their order.
    ///
    /// # Errors
    /// As for [`Asking::assess`].
    pub(crate) fn doctor(
        &self,
        connection: &Connection,
        environment: &Environment,
        engines: &[Asked<'_>],
    ) -> Result<Vec<Result<DoctorFindings, ErrorReport>>, Failure> {
        self.each(connection, environment, engines, Task::Doctor, |receipt| match receipt {
            Receipt::Doctor { answers } => Some(answers),
            _ => None,
        })
    }

    /// Asks all in one worker; if that crashes, each in its own, so that the crash is blamed on the
    /// engine that crashed and the others still answer.
    fn each<T>(
        &self,
        connection: &Connection,
        environment: &Environment,
        engines: &[Asked<'_>],
        task: fn(AssessTask) -> Task,
        answers: fn(Receipt) -> Option<Vec<EngineAnswer<T>>>,
    ) -> Result<Vec<Result<T, ErrorReport>>, Failure> {
        if engines.is_empty() {
            return Ok(Vec::new());
        }
        let ask = |engines: &[Asked<'_>]| -> Result<Vec<Result<T, ErrorReport>>, Failure> {
            let pinned = engines.iter().map(assessed).collect::<Result<_, _>>()?;
            let task = task(AssessTask { engines: pinned, environment: environment.clone() });
            let receipt = self.run(connection, task)?;
            let given = answers(receipt).unwrap_or_default();
            Ok(given.into_iter().map(|answer| answer.answer).collect())
        };
        match ask(engines) {
            Ok(given) if given.len() == engines.len() => return Ok(given),
            Ok(_) => {}
            Err(failure) if !is_the_engines_fault(&failure) => return Err(failure),
            Err(_) => {}
        }
        let one = |engine| match ask(std::slice::from_ref(engine)) {
            Ok(given) => Ok(given.into_iter().next().unwrap_or_else(|| Err(no_answer()))),
            Err(failure) if is_the_engines_fault(&failure) => Ok(Err(report(&failure))),
            Err(failure) => Err(failure),
        };
        engines.iter().map(one).collect()
    }

    fn run(&self, connection: &Connection, task: Task) -> Result<Receipt, Failure> {
        let mut secrets = Secrets::new();
        if let Some(password) = connection.password() {
            secrets.insert(PASSWORD_SECRET, password);
        }
        let job = self.runtime.job(&new_run_id(Timestamp::now()), &secrets, task);
        let limits = Limits { stall: ASK_STALL, ..self.runtime.limits };
        let worker = &self.runtime.worker;
        let supervisor = Supervisor::new(worker, limits, self.observer, self.cancel);
        Ok(supervisor.run(job)?)
    }
}

fn assessed((found, options): &Asked<'_>) -> Result<AssessedEngine, PluginError> {
    Ok(AssessedEngine { engine: EnginePin::of(*found)?, options: options.clone() })
}

fn is_the_engines_fault(failure: &Failure) -> bool {
    failure.exit() == Exit::Plugin || failure.code() == "E-PLUGIN-STALLED"
}

fn report(failure: &Failure) -> ErrorReport {
    ErrorReport {
        code: failure.code(),
        exit: failure.exit().code(),
        message: failure.chain(),
        causes: Vec::new(),
        hint: failure.hint(),
        retryable: false,
    }
}

fn no_answer() -> ErrorReport {
    let other = SupervisorError::OtherReceipt { task: "assess" };
    report(&Failure::from(other))
}
