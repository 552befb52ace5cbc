//! `dbbackup status`: is the newest backup at each location good and new enough, and what is running.
use super::{Context, list::locations};
use crate::{
    catalog::{Catalog, CatalogEntry, EntryState, Freshness},
    cli::duration,
    config::units::{format_duration, format_size},
    exit::{Classified, Exit},
    output::{CommandResult, Report},
};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Say whether the newest backup at each location is good and new enough.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Directories with backups [default: `backup.output_dir`].
    locations: Vec<PathBuf>,
    /// Oldest age of the newest backup, such as 26h; older ends with exit code 22.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_age: Option<Duration>,
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
    for location in locations(&args.locations, context) {
        context.doing(format!("status of {}", location.display()));
        let catalog = Catalog::scan(&location)?;
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

fn look(location: &Path, catalog: &Catalog, max_age: Option<Duration>) -> Found {
    // Without a threshold, any backup is new enough; none at all never is.
    let freshness = catalog.freshness(Timestamp::now(), max_age.unwrap_or(Duration::MAX));
    let newest = catalog.newest();
    let (state, age, stale) = match freshness {
        Freshness::Fresh { age } => ("fresh", Some(age), None),
        Freshness::TooOld { age } => {
            let limit = format_duration(max_age.unwrap_or_default());
            let what = format!(
                "{}: the newest backup is {} old",
                location.display(),
                format_duration(age)
            );
            ("too old", Some(age), Some(format!("{what}, the limit is {limit}")))
        }
        Freshness::NoBackup => {
            ("no backup", None, Some(format!("{}: there is no backup", location.display())))
        }
    };
    let mut text = format!("Location: {}\nStatus: {state}\n", location.display());
    if let Some(entry) = newest {
        text.push_str(&format!("Newest: {}\n", entry.artefact.display()));
    }
    text.push_str(&age.map(|age| format!("Age: {}\n", format_duration(age))).unwrap_or_default());
    let mut running = Vec::new();
    for entry in &catalog.entries {
        match &entry.state {
            EntryState::Incomplete { .. } if is_running(entry) => {
                let bytes = bytes_so_far(&entry.artefact);
                let path = entry.artefact.display().to_string();
                text.push_str(&format!("Unfinished: {path} ({} so far)\n", format_size(bytes)));
                running.push(json!({"artefact": path, "bytes": bytes}));
            }
            EntryState::Incomplete { why } => {
                text.push_str(&format!("Incomplete: {} ({why})\n", entry.artefact.display()));
            }
            EntryState::Complete | EntryState::Degraded => {}
        }
    }
    let data = json!({
        "location": location.display().to_string(),
        "status": state,
        "age_seconds": age.map(|age| age.as_secs()),
        "newest": newest,
        "unfinished": running,
        "backups": catalog.entries.len(),
    });
    Found { text, data, stale }
}

/// Its name says that a run is writing it, or was.
pub(super) fn is_running(entry: &CatalogEntry) -> bool {
    entry.artefact.extension().is_some_and(|ending| ending == "partial")
}

fn bytes_so_far(path: &Path) -> u64 {
    std::fs::metadata(path).map(|facts| facts.len()).unwrap_or_default()
}

impl Classified for Stale {
    fn exit(&self) -> Exit {
        Exit::TooOld
    }

    fn code(&self) -> String {
        "E-STALE".to_owned()
    }
}
