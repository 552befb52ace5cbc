//! `dbbackup status`: is the newest backup at each location good and new enough, and what is running.
use super::{Context, Places, list::locations};
use crate::{
    catalog::{Catalog, EntryState, Freshness},
    cli::{TargetArgs, duration},
    config::units::{format_duration, format_size},
    exit::{Classified, Exit},
    output::{CommandResult, Report},
    remote::Place,
};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{ffi::OsString, time::Duration};

/// Say whether the newest backup at each location is good and new enough.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Directories or places (s3://bucket/path/) with backups [default: `backup.output_dir`].
    locations: Vec<OsString>,
    /// Oldest age of the newest backup, such as 26h; older ends with exit code 22.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_age: Option<Duration>,
    #[command(flatten)]
    target: TargetArgs,
}

/// The newest backup of a location is too old, or there is none.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Stale {
    what: String,
}

/// One paragraph a location; the first stale one is the error.
pub(super) fn run(args: &StatusArgs, context: &Context) -> CommandResult {
    let (mut text, mut data, mut stale) = (String::new(), Vec::new(), None);
    let Places { places, registry } = locations(&args.locations, &args.target, context)?;
    for location in places {
        context.doing(format!("status of {location}"));
        let catalog = context.catalog(&location, &registry)?;
        let found = look(&location, &catalog, args.max_age);
        text.push_str(&found.text);
        data.push(found.data);
        stale = stale.or(found.stale);
    }
    context.doing("status");
    let report = Report::new(&json!({"locations": data}), text);
    Ok(match stale {
        None => report,
        Some(what) => report.failing(Stale { what }),
    })
}

struct Found {
    text: String,
    data: Value,
    stale: Option<String>,
}

fn look(location: &Place, catalog: &Catalog, max_age: Option<Duration>) -> Found {
    // Without a threshold, any backup is new enough; none at all never is.
    let freshness = catalog.freshness(Timestamp::now(), max_age.unwrap_or(Duration::MAX));
    let newest = catalog.newest();
    let (state, age, stale) = match freshness {
        Freshness::Fresh { age } => ("fresh", Some(age), None),
        Freshness::TooOld { age } => {
            let limit = format_duration(max_age.unwrap_or_default());
            let what = format!("{location}: the newest backup is {} old", format_duration(age));
            ("too old", Some(age), Some(format!("{what}, the limit is {limit}")))
        }
        Freshness::NoBackup => ("no backup", None, Some(format!("{location}: there is no backup"))),
    };
    let mut text = format!("Location: {location}\nStatus: {state}\n");
    if let Some(entry) = newest {
        text.push_str(&format!("Newest: {}\n", entry.artefact));
    }
    text.push_str(&age.map(|age| format!("Age: {}\n", format_duration(age))).unwrap_or_default());
    let mut running = Vec::new();
    for entry in &catalog.entries {
        match &entry.state {
            EntryState::Incomplete { .. } if entry.unfinished => {
                let bytes = bytes_so_far(&entry.artefact);
                let path = entry.artefact.to_string();
                let so_far = bytes.map(|bytes| format!(" ({} so far)", format_size(bytes)));
                text.push_str(&format!("Unfinished: {path}{}\n", so_far.unwrap_or_default()));
                running.push(json!({"artefact": path, "bytes": bytes}));
            }
            EntryState::Incomplete { why } => {
                text.push_str(&format!("Incomplete: {} ({why})\n", entry.artefact));
            }
            EntryState::Complete | EntryState::Degraded => {}
        }
    }
    let data = json!({
        "location": location.to_string(),
        "status": state,
        "age_seconds": age.map(|age| age.as_secs()),
        "newest": newest,
        "unfinished": running,
        "backups": catalog.entries.len(),
    });
    Found { text, data, stale }
}

/// Bytes of a file that is being written; a store does not say.
fn bytes_so_far(artefact: &Place) -> Option<u64> {
    std::fs::metadata(artefact.local()?).map(|facts| facts.len()).ok()
}

impl Classified for Stale {
    fn exit(&self) -> Exit {
        Exit::TooOld
    }

    fn code(&self) -> String {
        "E-STALE".to_owned()
    }
}
