//! What a command says in the end: its result on standard output, as text or as one JSON document,
//! and its error on standard error. Nothing else of the program writes there.
//!
//! The document is `{"schema":"dbbackup.<command>/1","ok":…,"data":…,"warnings":[…],"error":{code,
//! message,hint}}`. With `--json` it is there on every outcome, errors of usage included.
mod table;

pub(crate) use table::Table;

use crate::exit::{Exit, Failure};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Report {
    /// The result as data.
    data: Value,
    /// The result as text, each line ended.
    text: String,
    /// How it ended, if not well although there is a result.
    verdict: Option<Failure>,
    /// Exit code where it ended well.
    exit: Exit,
    stream: Stream,
}

/// Where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    /// Standard output carries the backup itself.
    Stderr,
}

/// What every command returns.
pub(crate) type CommandResult = Result<Report, Failure>;

impl Report {
    /// A good result.
    pub(crate) fn new(data: &impl Serialize, text: String) -> Self {
        // A result is made of our own documents, whose keys are text.
        let data = serde_json::to_value(data).unwrap_or(Value::Null);
        Self { data, text, verdict: None, exit: Exit::Done, stream: Stream::Stdout }
    }

    /// The same with another exit code, such as [`Exit::Degraded`].
    #[must_use]
    pub(crate) fn ending_with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same, but it is a failure: the result is shown, and then the error.
    #[must_use]
    pub(crate) fn failing(mut self, failure: impl Into<Failure>) -> Self {
        self.verdict = Some(failure.into());
        self
    }

    /// The same, shown on standard error because standard output carries a backup.
    #[must_use]
    pub(crate) fn beside_the_backup(mut self) -> Self {
        self.stream = Stream::Stderr;
        self
    }
}

/// Who speaks, and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    /// Name of the command in the schema id.
    pub(crate) command: String,
    /// What was being done, to what: the beginning of an error.
    pub(crate) doing: String,
    /// The form.
    pub(crate) json: bool,
    /// Promises that are weaker than usual, a clause each.
    pub(crate) warnings: Vec<String>,
}

impl Voice {
    /// Shows the outcome of a command and answers its exit code.
    pub(crate) fn deliver(&self, outcome: CommandResult) -> Exit {
        let (report, failure) = match outcome {
            Ok(mut report) => {
                let verdict = report.verdict.take();
                (Some(report), verdict)
            }
            Err(failure) => (None, Some(failure)),
        };
        let exit = match (&failure, &report) {
            (Some(failure), _) => failure.exit(),
            (None, Some(report)) => report.exit,
            (None, None) => Exit::Failed,
        };
        let written = if self.json {
            self.write_document(report.as_ref(), failure.as_ref())
        } else {
            self.write_text(report.as_ref(), failure.as_ref())
        };
        match written {
            Ok(()) => exit,
            // Whoever read the result has seen enough: not our failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
            Err(_) if exit == Exit::Done => Exit::Failed,
            Err(_) => exit,
        }
    }

    fn write_document(&self, report: Option<&Report>, failure: Option<&Failure>) -> io::Result<()> {
        let error = failure.map(|failure| {
            let message = self.message(failure);
            json!({"code": failure.code(), "exit": failure.exit().code(), "message": message,
                "hint": failure.hint()})
        });
        let document = json!({
            "schema": format!("dbbackup.{}/1", self.command),
            "ok": failure.is_none(),
            "data": report.map_or(&Value::Null, |report| &report.data),
            "warnings": self.warnings,
            "error": error,
        });
        let stream = report.map_or(Stream::Stdout, |report| report.stream);
        write_to(stream, &format!("{document:#}\n"))
    }

    fn write_text(&self, report: Option<&Report>, failure: Option<&Failure>) -> io::Result<()> {
        if let Some(report) = report {
            write_to(report.stream, &report.text)?;
        }
        let Some(failure) = failure else { return Ok(()) };
        // Plugins are refused by codes that their vendors and the documentation speak of.
        let code = failure.code();
        let code = if code.starts_with("E-PLUGIN-") { format!("[{code}]") } else { String::new() };
        let mut text = format!("error{code}: {}\n", self.message(failure));
        if let Some(hint) = failure.hint() {
            text.push_str(&format!("hint: {hint}\n"));
        }
        write_to(Stream::Stderr, &text)
    }

    /// `<doing>: <message>: <cause>`, each said once.
    fn message(&self, failure: &Failure) -> String {
        match self.doing.as_str() {
            "" => failure.chain(),
            doing => format!("{doing}: {}", failure.chain()),
        }
    }
}

fn write_to(stream: Stream, text: &str) -> io::Result<()> {
    match stream {
        Stream::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        }
        Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    }
}
