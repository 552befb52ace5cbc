//! A content that no server takes is a finding; what happened to the run is none.
use super::*;
use crate::{
    plugin::{PluginError, exit_of},
    supervisor::{CancelCause, job::ErrorReport},
};

/// The failure of a worker that reports this, with the cause below it.
fn reported(code: &str, exit: Exit, cause: &str) -> Failure {
    let report = ErrorReport {
        code: code.to_owned(),
        exit: exit.code(),
        message: "db.sql line 3 (byte 40): INSERT INTO t VALUES (?)".to_owned(),
        causes: vec![cause.to_owned()],
        hint: None,
        retryable: false,
    };
    SupervisorError::Reported(report.into()).into()
}

fn of_engine(code: ErrorCode, cause: &str) -> Failure {
    reported(&format!("E-ENGINE-{}", code.0), exit_of(code), cause)
}

#[test]
fn what_the_engine_or_the_server_refuses_is_a_finding() {
    let refused = "server error 1064 (42000): You have an error in your SQL syntax";
    let codes = [
        ErrorCode::SOURCE_IO,
        ErrorCode::INTEGRITY,
        ErrorCode::PRIVILEGE,
        ErrorCode::PRECONDITION,
        ErrorCode::SAFETY,
        ErrorCode::CONNECT,
    ];
    for code in codes {
        let failure = of_engine(code, refused);
        assert!(is_refused_content(&failure), "{failure:?}");
        let error = Failure::from(BootError::Content { failure });
        assert!(is_finding(&error), "{error:?}");
        assert!(error.chain().contains("line 3"), "{error:?}");
        assert!(error.chain().ends_with(refused), "{error:?}");
    }
}

#[test]
fn what_happens_to_the_run_is_none() {
    let codes = [
        ErrorCode::CANCELLED,
        ErrorCode::TIMEOUT,
        ErrorCode::NO_SPACE,
        ErrorCode::PANIC,
        ErrorCode::INTERNAL,
        ErrorCode::CONFIG,
        ErrorCode::SINK_IO,
        ErrorCode::TARGET,
    ];
    let of_codes = codes.map(|code| of_engine(code, "it went wrong"));
    let full = [
        "server error 1021 (HY000): Disk full (/tmp/#sql1); waiting for someone to free some space",
        "server error 1114 (HY000): The table 't' is full",
        "server error 1030 (HY000): Got error 28 - 'No space left on device' from storage engine",
    ];
    let of_disks = full.map(|cause| of_engine(ErrorCode::SOURCE_IO, cause));
    let others = [
        reported("E-WORKER-THREAD", Exit::Failed, "Resource temporarily unavailable"),
        reported("E-ENGINE-UNKNOWN", Exit::Precondition, ""),
        reported("E-ENGINE-10", Exit::Target, "the store is not reachable"),
        SupervisorError::Cancelled { cause: CancelCause::Interrupted }.into(),
        SupervisorError::OtherReceipt { task: "restore" }.into(),
        PluginError::UnknownEngine { name: "acme".to_owned(), nearest: None, known: Vec::new() }
            .into(),
    ];
    for failure in of_codes.into_iter().chain(of_disks).chain(others) {
        assert!(!is_refused_content(&failure), "{failure:?}");
        assert!(!is_finding(&failure), "{failure:?}");
    }
}
