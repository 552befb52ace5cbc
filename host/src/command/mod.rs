//! What the commands do: one file a verb. Each returns its result; `output` shows it.
pub(crate) mod backup;
pub(crate) mod cleanup;
pub(crate) mod completion;
mod context;
mod deadline;
pub(crate) mod engine;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod restore;
pub(crate) mod status;
pub(crate) mod verify;
mod version;

pub(crate) use context::{Context, Places};

use crate::{
    cli::{Cli, Command, UsageError, password_in},
    exit::Exit,
    output::{CommandResult, Voice},
    supervisor::WORKER_ARGUMENT,
    worker,
};
use clap::{CommandFactory, Parser, error::ErrorKind};
use std::{ffi::OsString, process::ExitCode};

/// Parses a command line, runs it, shows what came of it, and answers the exit code.
pub fn main(arguments: Vec<OsString>) -> Exit {
    if let Some(refused) = password_in(&arguments) {
        return usage_voice(&arguments).deliver(Err(refused.into()));
    }
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => run(cli),
        Err(error) => not_parsed(&arguments, &error),
    }
}

/// Runs as a worker, for `main` alone: started by hand, it says so and fails.
pub fn run_worker() -> ExitCode {
    worker::run().unwrap_or_else(|error| {
        let voice = Voice {
            command: WORKER_ARGUMENT.to_owned(),
            doing: WORKER_ARGUMENT.to_owned(),
            json: false,
            warnings: Vec::new(),
        };
        ExitCode::from(voice.deliver(Err(error.into())).code())
    })
}

fn run(cli: Cli) -> Exit {
    let name = cli.command.name();
    let context = match Context::new(cli.global.clone()) {
        Ok(context) => context,
        Err(failure) => {
            let voice = Voice {
                command: name.to_owned(),
                doing: name.to_owned(),
                json: cli.global.json,
                warnings: Vec::new(),
            };
            return voice.deliver(Err(failure));
        }
    };
    context.doing(name);
    let outcome = dispatch(&cli.command, &context);
    let outcome = outcome.map_err(|failure| deadline::with_cause(&context.cancel, failure));
    context.voice(name).deliver(outcome)
}

fn dispatch(command: &Command, context: &Context) -> CommandResult {
    match command {
        Command::PhysicalBackup(args) => backup::run(args, context),
        Command::StreamBackup(args) => backup::stream(args, context),
        Command::Restore(args) => restore::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::Info(args) => info::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Cleanup(args) => cleanup::run(args, context),
        Command::Engine(command) => engine::run(command, context),
        Command::Doctor(args) => engine::doctor::run(args, context),
        Command::Completion(args) => completion::run(args),
        Command::Version => version::run(),
    }
}

/// Help and version are results; everything else that stops the parser is a wrong command line.
fn not_parsed(arguments: &[OsString], error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    let is_result = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let voice = usage_voice(arguments);
    if is_result {
        let voice = Voice { json: false, ..voice };
        return voice.deliver(Ok(crate::output::Report::new(&(), text)));
    }
    if !voice.json {
        // The parser's own text has the usage line and its tips; ours would lose them.
        return match error.print() {
            Ok(()) | Err(_) => Exit::Usage,
        };
    }
    let first = text.trim().lines().next().unwrap_or("the command line is wrong");
    let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    voice.deliver(Err(UsageError::Parse(message).into()))
}

/// Who speaks where nothing could be parsed: the command is the word that names one.
fn usage_voice(arguments: &[OsString]) -> Voice {
    let words: Vec<String> =
        arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let mut command = Cli::command();
    let mut name: Vec<String> = Vec::new();
    for word in &words {
        if let Some(found) = command.find_subcommand(word) {
            name.push(found.get_name().to_owned());
            command = found.clone();
        }
    }
    let command = if name.is_empty() { "usage".to_owned() } else { name.join("-") };
    let json = words.iter().any(|word| word == "--json");
    Voice { command, doing: String::new(), json, warnings: Vec::new() }
}
