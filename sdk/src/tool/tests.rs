use super::{MAX_OUTPUT_BYTES, STDERR_TAIL_BYTES, Tool, ToolError, ToolLock, ToolLockError};
use std::{cell::Cell, thread, time::Duration};

const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Tool {
    // A program that does as it is told; tools themselves are never run by a shell.
    Tool::query("sh", LIMIT).args(["-c", script])
}

fn never(limit: Duration) -> bool {
    thread::park_timeout(limit);
    false
}

#[test]
fn the_answer_is_stdout_and_words_stay_words() {
    let tool = Tool::query("printf", LIMIT).args(["%s|", "a b", "$HOME", "*"]);
    assert_eq!(tool.run_watched(never).unwrap(), "a b|$HOME|*|");
    assert_eq!(tool.words(), ["printf", "%s|", "a b", "$HOME", "*"]);
}

#[test]
fn a_status_other_than_0_is_an_error_with_the_end_of_stderr() {
    let error = shell("echo '  one' >&2; echo '' >&2; echo two >&2; exit 5");
    let error = error.run_watched(never).unwrap_err();
    assert_eq!(error.to_string(), "sh ended with exit status: 5: one; two");
    assert_eq!(error.stderr(), Some("one; two"));
    let error = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; printf end >&2; exit 1");
    let error = error.run_watched(never).unwrap_err();
    assert_eq!(error.stderr().unwrap().len(), STDERR_TAIL_BYTES);
    assert!(error.stderr().unwrap().ends_with("xend"));
}

#[test]
fn a_killed_tool_is_not_a_success() {
    let error = shell("kill -9 $$").run_watched(never).unwrap_err();
    assert_eq!(error.to_string(), "sh ended with signal: 9 (SIGKILL): it said nothing");
}

#[test]
fn a_missing_tool_says_so() {
    let error = Tool::query("dbbackup-no-such-tool", LIMIT).run_watched(never).unwrap_err();
    assert!(error.is_missing(), "{error}");
}

#[test]
fn tools_speak_english_and_the_callers_path_has_no_say() {
    let said = shell("echo $LC_ALL $PATH").run_watched(never).unwrap();
    assert_eq!(said.trim(), format!("C {}", super::SEARCH_PATH));
}

#[test]
fn a_tool_past_its_limit_is_killed() {
    let tool = Tool::query("sleep", Duration::from_millis(50)).args(["60"]);
    let error = tool.run_watched(never).unwrap_err();
    assert!(matches!(error, ToolError::TimedOut { .. }), "{error}");
    assert!(!error.runs_on(), "{error}");
}

/// A volume manager that is killed half-way leaves the server suspended. Whoever undoes the run waits
/// for its end by the lock.
#[test]
fn a_tool_that_changes_something_runs_on_past_its_limit() {
    let directory = std::env::temp_dir().join(format!("dbbackup-sdk-left-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (proceed, end) = (directory.join("proceed"), directory.join("end"));
    let script = format!(
        "until test -e {}; do sleep 0.02; done; echo said; echo said >&2; echo $$ > {}",
        proceed.display(),
        end.display()
    );
    let lock = ToolLock::take(&directory).unwrap();
    let path = lock.path().to_owned();
    let tool = Tool::change("sh", Duration::from_millis(50)).args(["-c", &script]).under(&lock);
    drop(lock);
    let error = tool.run_watched(never).unwrap_err();
    drop(tool);
    assert!(error.runs_on(), "{error}");
    assert_eq!(error.to_string(), "sh did not end within 50ms, and runs on");
    let refused = ToolLock::wait(&path, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(refused, ToolLockError::StillRuns { .. }), "{refused}");
    std::fs::write(&proceed, "").unwrap();
    ToolLock::wait(&path, LIMIT).unwrap();
    let process = std::fs::read_to_string(&end).unwrap();
    assert_is_reaped(process.trim());
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A zombie would still be in the table of processes.
fn assert_is_reaped(process: &str) {
    let entry = std::path::Path::new("/proc").join(process);
    let started = std::time::Instant::now();
    while entry.exists() {
        assert!(started.elapsed() < LIMIT, "{process} is a zombie");
        never(super::POLL);
    }
}

#[test]
fn a_cancellation_kills_what_reads_and_waits_for_what_changes() {
    let asked = Cell::new(0);
    let cancelled = |limit| {
        asked.set(asked.get() + 1);
        never(limit) || asked.get() > 3
    };
    let error = Tool::query("sleep", LIMIT).args(["60"]).run_watched(cancelled).unwrap_err();
    assert!(matches!(error, ToolError::Cancelled { .. }), "{error}");
    let change = Tool::change("sh", LIMIT).args(["-c", "sleep 0.3; echo done"]);
    assert_eq!(change.run_watched(|_| true).unwrap(), "done\n");
}

#[test]
fn an_answer_without_end_is_refused() {
    let script = format!("head -c {} /dev/zero", MAX_OUTPUT_BYTES + 1);
    let error = shell(&script).run_watched(never).unwrap_err();
    assert!(matches!(error, ToolError::Output { .. }), "{error}");
    let script = format!("head -c {MAX_OUTPUT_BYTES} /dev/zero");
    assert_eq!(shell(&script).run_watched(never).unwrap().len() as u64, MAX_OUTPUT_BYTES);
}

/// Who started the tool lets go of the lock, as a killed process does; the tool still has it.
#[test]
fn a_lock_is_held_until_the_last_tool_under_it_has_ended() {
    let directory = std::env::temp_dir().join(format!("dbbackup-sdk-lock-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let lock = ToolLock::take(&directory).unwrap();
    let (path, end) = (lock.path().to_owned(), directory.join("end"));
    // An answer at once, and then the wait for the file that ends it; it reads nothing from us.
    let script = format!("cat; echo runs; until test -e {}; do sleep 0.02; done", end.display());
    let mut child = shell(&script).under(&lock).spawn().unwrap();
    drop(lock);
    let refused = ToolLock::wait(&path, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(refused, ToolLockError::StillRuns { .. }), "{refused}");
    std::fs::write(&end, "").unwrap();
    ToolLock::wait(&path, LIMIT).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(&directory).unwrap();
    ToolLock::wait(&path, Duration::ZERO).unwrap();
}

/// The host kills the process group of a worker, which must not end a tool half-way.
#[test]
fn a_tool_that_changes_something_is_in_no_group_of_ours() {
    let show = ["-c", "read -r stat < /proc/$$/stat; set -- $stat; echo $1 $5"];
    let own = Tool::change("sh", LIMIT).args(show).run_watched(never).unwrap();
    let (process, group) = own.trim().split_once(' ').unwrap();
    assert_eq!(process, group);
    let query = Tool::query("sh", LIMIT).args(show).run_watched(never).unwrap();
    let (process, group) = query.trim().split_once(' ').unwrap();
    assert_ne!(process, group);
}
