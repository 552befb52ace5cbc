//! `dbbackup list`: the backups at locations, by what their manifests say.
use super::{Context, Places, backup::coordinates};
use crate::{
    catalog::{CatalogEntry, EntryState},
    cli::TargetArgs,
    config::units::format_size,
    exit::Failure,
    output::{CommandResult, Report, Table},
};
use clap::Args;
use serde_json::json;
use std::ffi::OsString;

/// List the backups at a location, incomplete ones too.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Directories or places (s3://bucket/path/) with backups, or backups [default:
    /// `backup.output_dir`].
    locations: Vec<OsString>,
    #[command(flatten)]
    target: TargetArgs,
}

/// A table, newest first.
pub(super) fn run(args: &ListArgs, context: &Context) -> CommandResult {
    let mut table = Table::new(&[
        "STATE",
        "CONSISTENT AT",
        "ENGINE",
        "SOURCE",
        "SIZE",
        "COORDINATES",
        "ARTEFACT",
    ]);
    let mut data = Vec::new();
    let Places { places, registry } = locations(&args.locations, &args.target, context)?;
    for location in places {
        context.doing(format!("list {location}"));
        let catalog = context.catalog(&location, &registry)?;
        catalog.entries.iter().for_each(|entry| table.row(row(entry)));
        data.push(json!({"location": location.to_string(), "backups": catalog.entries}));
    }
    Ok(Report::new(&json!({"locations": data}), table.render()))
}

/// Those given, else the configured one.
pub(super) fn locations(
    given: &[OsString],
    target: &TargetArgs,
    context: &Context,
) -> Result<Places, Failure> {
    let configured = [context.config.backup.output_dir.clone().into_os_string()];
    context.places(if given.is_empty() { &configured } else { given }, target)
}

fn row(entry: &CatalogEntry) -> [String; 7] {
    let artefact = entry.artefact.to_string();
    let state = match &entry.state {
        EntryState::Complete => "complete".to_owned(),
        EntryState::Degraded => "degraded".to_owned(),
        EntryState::Incomplete { why } => {
            let nothing = String::new;
            let why = format!("{artefact} ({why})");
            let state = "incomplete".to_owned();
            return [state, nothing(), nothing(), nothing(), nothing(), nothing(), why];
        }
    };
    let Some(head) = &entry.backup else {
        return [
            state,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            artefact,
        ];
    };
    let size: u64 = head.objects.iter().map(|object| object.size_bytes).sum();
    [
        state,
        head.times.consistent.clone().unwrap_or_else(|| head.times.started.clone()),
        head.engine.id.clone(),
        head.source.address.clone(),
        format_size(size),
        coordinates(&head.coordinates),
        artefact,
    ]
}
