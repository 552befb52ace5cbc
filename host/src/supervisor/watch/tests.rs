//! Workers that misbehave, played by shell scripts: each way to end has its own error.
use super::Limits;
use crate::{
    exit::{Classified, Exit},
    plugin::TrustPolicy,
    supervisor::{
        CancelCause, CancelFlag, Secrets, Silent, Supervisor, SupervisorError, WorkerCommand,
        event::LogLevel,
        job::{AssessTask, Job, Receipt, Task},
    },
};
use dbbackup_plugin_api::document::environment::Environment;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

const LIMITS: Limits = Limits {
    stall: Duration::from_secs(60),
    target_stall: Duration::from_secs(60),
    cancel_grace: Duration::from_millis(300),
};

/// A receipt as a worker sends it; descriptor 0 is the socket.
const RECEIPT: &str = r#"{"message":"receipt","receipt":"assess","answers":[]}"#;

fn script(directory: &Path, body: &str) -> WorkerCommand {
    let path = directory.join("worker.sh");
    fs::write(&path, format!("#!/bin/bash\nread -r job <&0\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    WorkerCommand::program(path)
}

fn job() -> Job {
    Job {
        run_id: "test".to_owned(),
        log_level: LogLevel::Info,
        scratch_parent: "/nonexistent".into(),
        trust: TrustPolicy::default(),
        allow_shadowing: false,
        secrets: Secrets::new(),
        task: Task::Assess(AssessTask { engines: Vec::new(), environment: Environment::default() }),
    }
}

fn run(body: &str, limits: Limits, cancel: &CancelFlag) -> Result<Receipt, SupervisorError> {
    let directory = tempfile::tempdir().unwrap();
    let command = script(directory.path(), body);
    Supervisor::new(&command, limits, &Silent, cancel).run(job())
}

#[test]
fn a_receipt_with_a_clean_exit_is_believed() {
    let receipt = run(&format!("echo '{RECEIPT}' >&0"), LIMITS, &CancelFlag::new()).unwrap();
    assert_eq!(receipt, Receipt::Assess { answers: Vec::new() });
}

#[test]
fn a_receipt_with_any_other_end_is_not_believed() {
    for end in ["exit 3", "kill -SEGV $$"] {
        let error =
            run(&format!("echo '{RECEIPT}' >&0\n{end}"), LIMITS, &CancelFlag::new()).unwrap_err();
        assert_eq!(error.exit(), Exit::Plugin, "{end}: {error}");
    }
}

#[test]
fn a_crash_names_the_signal_and_the_last_words() {
    let error =
        run("echo 'free(): invalid pointer' >&2\nkill -ABRT $$", LIMITS, &CancelFlag::new())
            .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("SIGABRT") && text.contains("invalid pointer"), "{text}");
    assert_eq!(error.code(), "E-PLUGIN-CRASHED");
}

#[test]
fn an_end_without_a_word_and_garbage_are_told_apart() {
    let silent = run("exit 0", LIMITS, &CancelFlag::new()).unwrap_err();
    assert!(silent.to_string().contains("ended without a receipt"), "{silent}");
    let garbage = run("echo 'hello' >&0", LIMITS, &CancelFlag::new()).unwrap_err();
    assert!(matches!(garbage, SupervisorError::Protocol { .. }), "{garbage}");
}

#[test]
fn a_reported_error_keeps_code_exit_causes_and_hint() {
    let line = r#"{"message":"error","report":{"code":"E-ENGINE-10","exit":5,"message":"connect to db","causes":["refused"],"hint":"start it"}}"#;
    let error = run(&format!("echo '{line}' >&0\nexit 1"), LIMITS, &CancelFlag::new()).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Server, "E-ENGINE-10".to_owned()));
    assert_eq!(error.hint().as_deref(), Some("start it"));
    assert_eq!(crate::exit::Failure::from(error).chain(), "connect to db: refused");
}

#[test]
fn silence_beyond_the_limit_is_ended() {
    let limits = Limits { stall: Duration::from_millis(300), ..LIMITS };
    let started = Instant::now();
    let error = run("sleep 600", limits, &CancelFlag::new()).unwrap_err();
    assert_eq!(error.exit(), Exit::Timeout, "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn cancellation_is_heard_or_enforced() {
    for body in ["read -r cancel <&0\nexit 1", "sleep 600"] {
        let cancel = CancelFlag::new();
        cancel.cancel(CancelCause::Terminated);
        let error = run(body, LIMITS, &cancel).unwrap_err();
        assert_eq!(error.exit(), Exit::Terminated, "{body}: {error}");
    }
}

#[test]
fn what_a_worker_started_dies_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    let body = format!("sleep 600 & echo $! > {}\nkill -KILL $$", pid_file.display());
    run(&body, LIMITS, &CancelFlag::new()).unwrap_err();
    let pid = fs::read_to_string(pid_file).unwrap();
    let gone = || !Path::new("/proc").join(pid.trim()).join("fd/0").exists();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !gone() {
        assert!(Instant::now() < deadline, "the child {pid} survives");
        std::thread::yield_now();
    }
}
