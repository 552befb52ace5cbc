//! Asking engines, each on its own thread and within its time.
use super::Context;
use crate::{
    supervisor::job::{AssessTask, AssessedEngine, EngineAnswer},
    worker::error::WorkerError,
};
use crossbeam_channel::{RecvTimeoutError, bounded};
use dbbackup_plugin_api::document::{
    assessment::{ASSESS_PATIENCE, Assessment},
    doctor::DoctorFindings,
    environment::Environment,
};
use std::{sync::Arc, thread, time::Duration};

/// Time that a doctor has.
const DOCTOR_LIMIT: Duration = Duration::from_secs(30);

/// What the engines say of the environment, in the order in which they were named.
pub(super) fn assess(context: &Context, task: AssessTask) -> Vec<EngineAnswer<Assessment>> {
    ask_all(context, task, ASSESS_PATIENCE, |context, asked, environment| {
        Ok(context.load(&asked.engine, &asked.options)?.assess(environment)?)
    })
}

/// What the engines' doctors find, in the order in which they were named.
pub(super) fn doctor(context: &Context, task: AssessTask) -> Vec<EngineAnswer<DoctorFindings>> {
    ask_all(context, task, DOCTOR_LIMIT, |context, asked, environment| {
        Ok(context.load(&asked.engine, &asked.options)?.doctor(environment)?)
    })
}

fn ask_all<T: Send + 'static>(
    context: &Context,
    task: AssessTask,
    limit: Duration,
    ask: fn(&Context, &AssessedEngine, &Environment) -> Result<T, WorkerError>,
) -> Vec<EngineAnswer<T>> {
    let environment = Arc::new(task.environment);
    let answers = task.engines.into_iter().map(|asked| {
        let engine = asked.engine.engine.clone();
        let answer = ask_one(context, asked, &environment, limit, ask);
        EngineAnswer { engine, answer: answer.map_err(|error| context.report(&error)) }
    });
    answers.collect()
}

/// Asks one engine. A thread that does not come back is left alone: the worker ends soon.
fn ask_one<T: Send + 'static>(
    context: &Context,
    asked: AssessedEngine,
    environment: &Arc<Environment>,
    limit: Duration,
    ask: fn(&Context, &AssessedEngine, &Environment) -> Result<T, WorkerError>,
) -> Result<T, WorkerError> {
    let engine = asked.engine.engine.clone();
    let (sender, answer) = bounded(1);
    let environment = Arc::clone(environment);
    let context = context.clone();
    thread::Builder::new()
        .name(format!("ask {engine}"))
        .spawn(move || {
            // Nobody listens any more once the time is over.
            if sender.send(ask(&context, &asked, &environment)).is_err() {
                tracing::debug!("an answer came too late");
            }
        })
        .map_err(|source| WorkerError::Thread { source })?;
    match answer.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(WorkerError::Silent { engine, limit }),
        Err(RecvTimeoutError::Disconnected) => Err(WorkerError::Panicked { engine }),
    }
}
