//! Uploads at a place that no run will bring to its end. They are invisible in a list and cost money.
use super::{CleanupRequest, Leftover};
use crate::{
    exit::Failure,
    remote::{RemoteTarget, TargetPlace},
    supervisor::undo::UndoState,
};
use dbbackup_plugin_api::document::target::UnfinishedUpload;
use std::time::Duration;

/// Silence after which a run counts as gone: it says that it lives every few minutes.
const GONE_AFTER: Duration = Duration::from_secs(3600);

/// Removes what runs have left that are gone, and on request what anybody has left.
pub(super) fn clean(
    target: &RemoteTarget,
    request: &CleanupRequest,
) -> Result<Vec<Leftover>, Failure> {
    let place = target.place();
    let mut uploads = target.unfinished(&place.name)?;
    // What else begins like an artefact is none of its business.
    uploads.retain(|upload| place.name.is_empty() || belongs(&upload.key, &place.name));
    let gone: Vec<_> = uploads
        .into_iter()
        .filter(|upload| is_gone(upload, request.all_uploads_older_than))
        .collect();
    if request.all_uploads_older_than.is_some() {
        // Listed before anything is done, because others may have begun them.
        for upload in &gone {
            tracing::info!("unfinished: {}", described(place, upload));
        }
    }
    let leftovers = gone.iter().map(|upload| {
        let state = match request.dry_run {
            true => UndoState::WouldUndo,
            false => match target.abandon(upload) {
                Ok(()) => UndoState::Undone,
                Err(error) => UndoState::Left { why: Failure::from(error).chain() },
            },
        };
        Leftover { what: described(place, upload), state }
    });
    Ok(leftovers.collect())
}

/// True for the artefact's own object, its marker and its continuations.
fn belongs(key: &str, artefact: &str) -> bool {
    key.strip_prefix(artefact).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether nobody works on it any more: its run was silent for an hour, or it is older than the operator
/// allows any upload to be.
fn is_gone(upload: &UnfinishedUpload, older_than: Option<Duration>) -> bool {
    let silent = upload.run.as_ref().map(|run| Duration::from_secs(run.silent_s));
    let age = upload.age_s.map(Duration::from_secs);
    match silent {
        // Whoever speaks is at work, however old the upload is.
        Some(silent) => silent >= GONE_AFTER,
        None => older_than.zip(age).is_some_and(|(limit, age)| age >= limit),
    }
}

fn described(place: &TargetPlace, upload: &UnfinishedUpload) -> String {
    let name = place.named(&upload.key);
    let what = if upload.upload_id.is_some() { "upload of" } else { "marker" };
    let run = upload.run.as_ref().map(|run| format!(", run {} on {}", run.run_id, run.host));
    let started = upload.started.as_ref().map(|at| format!(", begun {at}"));
    format!("{what} {name}{}{}", started.unwrap_or_default(), run.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbbackup_plugin_api::document::target::RunMarker;

    fn upload(age_s: Option<u64>, silent_s: Option<u64>) -> UnfinishedUpload {
        UnfinishedUpload {
            key: "db.tar.gz".to_owned(),
            upload_id: Some("u".to_owned()),
            started: None,
            age_s,
            run: silent_s.map(|silent_s| RunMarker {
                run_id: "r".to_owned(),
                host: "h".to_owned(),
                silent_s,
            }),
            extra: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_run_is_gone_after_an_hour_of_silence_and_others_uploads_are_left_alone() {
        let day = Some(Duration::from_secs(86_400));
        assert!(is_gone(&upload(None, Some(3600)), None));
        assert!(!is_gone(&upload(Some(90_000), Some(3599)), None));
        assert!(!is_gone(&upload(Some(90_000), None), None));
        assert!(!is_gone(&upload(Some(90_000), Some(60)), day));
        assert!(belongs("db.tar.gz.run.json", "db.tar.gz") && !belongs("db.tar.gzip", "db.tar.gz"));
        assert!(is_gone(&upload(Some(90_000), None), day));
        assert!(!is_gone(&upload(Some(80_000), None), day));
        assert!(!is_gone(&upload(None, None), day));
    }
}
