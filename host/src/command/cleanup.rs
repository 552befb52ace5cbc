//! `dbbackup cleanup`: removes what crashed runs left behind.
use super::{Context, backup::secrets};
use crate::{
    cleanup::{self, CleanupReport, CleanupRequest},
    cli::{ConnectionArgs, TargetArgs, duration},
    exit::{Classified, Exit},
    output::{CommandResult, Report},
    remote::Place,
    supervisor::{Limits, undo::UndoState},
};
use clap::Args;
use std::{ffi::OsString, time::Duration};

/// Remove what crashed runs left behind, and nothing else.
#[derive(Debug, Args)]
pub(crate) struct CleanupArgs {
    /// Directory or place (s3://bucket/path/) with backups to look through too [default:
    /// `backup.output_dir` of a configuration].
    location: Option<OsString>,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// At a place: every unfinished upload, whoever began it; needs --older-than.
    #[arg(long, requires = "older_than")]
    all_uploads: bool,
    /// Age from which --all-uploads removes an upload, such as 2d.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "all_uploads")]
    older_than: Option<Duration>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// Something stays that should be gone.
#[derive(Debug, thiserror::Error)]
#[error("{left} leftover(s) could not be removed")]
struct Left {
    left: usize,
}

/// Journals first, then the location.
pub(super) fn run(args: &CleanupArgs, context: &Context) -> CommandResult {
    context.doing("cleanup");
    let registry = context.registry();
    let runtime = context.runtime(&registry, Limits::default())?;
    let connection = context.connection(&args.connection)?;
    let secrets = secrets(&connection).with_connection(&connection.document);
    let configured = context.config.file.as_ref().map(|_| &context.config.backup.output_dir);
    let configured = configured.map(|directory| directory.clone().into_os_string());
    let location =
        args.location.clone().or(configured).map(|location| {
            Place::find(&location, &registry, &args.target.options(&context.config))
        });
    let request = CleanupRequest {
        location: location.transpose()?,
        dry_run: args.dry_run,
        all_uploads_older_than: args.older_than,
    };
    let progress = context.progress();
    let report = cleanup::run(&request, &runtime, &secrets, &progress, &context.cancel)?;
    drop(progress);
    Ok(shown(&report))
}

fn shown(report: &CleanupReport) -> Report {
    let mut text = String::new();
    let mut left = 0;
    let undone = report.undone.iter().map(|undone| (undone.what.clone(), &undone.state));
    let files = report.leftovers.iter().map(|file| (file.what.clone(), &file.state));
    for (what, state) in undone.chain(files) {
        let word = match state {
            UndoState::Undone => "removed".to_owned(),
            UndoState::WouldUndo => "would remove".to_owned(),
            UndoState::Left { why } => {
                left += 1;
                format!("left ({why})")
            }
        };
        text.push_str(&format!("{word}: {what}\n"));
    }
    if text.is_empty() {
        text.push_str("nothing to clean up\n");
    }
    let shown = Report::new(report, text);
    if left == 0 { shown } else { shown.failing(Left { left }) }
}

impl Classified for Left {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn hint(&self) -> Option<String> {
        let text = "install the plugin that made them, run as the user who did, or give the \
                    connection of the server";
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        "E-CLEANUP".to_owned()
    }
}
