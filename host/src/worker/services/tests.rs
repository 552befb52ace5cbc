//! What the host refuses to a plugin keeps its class, its hint and, in the end, its code.
use super::*;
use crate::{
    exit::Exit,
    plugin::{PluginError, TrustPolicy},
    supervisor::{
        job::{AssessTask, Task},
        message::{ToWorker, send},
    },
    worker::error::WorkerError,
};
use dbbackup_plugin_api::document::environment::Environment;
use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, net::UnixStream},
};

/// Services of a worker whose supervisor says nothing more after the job.
fn services(scratch_parent: &Path) -> Services {
    let (mut supervisor, worker) = UnixStream::pair().unwrap();
    let task =
        Task::Assess(AssessTask { engines: Vec::new(), environment: Environment::default() });
    let job = Job {
        run_id: "test".to_owned(),
        log_level: LogLevel::Info,
        scratch_parent: "/nonexistent".into(),
        trust: TrustPolicy::default(),
        allow_shadowing: false,
        secrets: Secrets::new(),
        task,
    };
    send(&mut supervisor, &ToWorker::Job(Box::new(job))).unwrap();
    let (link, mut job) = Link::open(worker).unwrap();
    // A worker whose supervisor goes ends its whole process.
    std::mem::forget(supervisor);
    job.scratch_parent = scratch_parent.to_owned();
    let pin = EnginePin {
        environment: Vec::new(),
        plugin: "acme".to_owned(),
        engine: "acme".to_owned(),
        path: "/nonexistent".into(),
        sha256: String::new(),
    };
    Services::new(link, Arc::default(), &job, &pin)
}

#[test]
fn a_scratch_directory_that_no_journal_can_name_is_refused_with_the_journals_own_words() {
    let services = services(Path::new(OsStr::from_bytes(b"/srv/\xff")));
    let refused = services.scratch_directory().into_result().unwrap_err();
    assert_eq!(refused.code, ErrorCode::PRECONDITION);
    assert_eq!(refused.hint.as_str(), "choose a path that is UTF-8");
    assert_eq!(refused.causes.len(), 1, "{refused}");

    let error = Box::new(refused);
    let from_engine = PluginError::Engine { engine: "acme".to_owned(), step: "backup", error };
    let report = services.0.refusals.report(&WorkerError::from(from_engine));
    assert_eq!(report.exit, Exit::Precondition.code());
    assert_eq!(report.code, "E-JOURNAL-PATH");
}
