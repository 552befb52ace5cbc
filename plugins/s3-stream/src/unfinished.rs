//! What runs have begun and not brought to their end: uploads as the store lists them, joined with
//! the markers that name them.

use std::time::SystemTime;

use dbbackup_sdk::document::target::{UnfinishedUpload, UnfinishedUploads};

use crate::{
    error::S3Error,
    leftovers::Sweep,
    location::Place,
    marker::{self, MARKER_ENDING, Marker, age, expect_silence, rfc3339},
    store::{Facts, OpenUpload, Store, Upload},
};

/// A marker as it was found.
type Found = (Marker, Facts);

/// All of them below a prefix.
///
/// # Errors
/// What would make the answer incomplete.
pub(crate) async fn find(
    store: &Store,
    place: &Place,
    prefix: &str,
) -> Result<UnfinishedUploads, S3Error> {
    let below = place.below(prefix);
    let uploads = store.uploads(&below).await?;
    let mut markers = Vec::new();
    for object in store.list(&below).await? {
        if !object.key.ends_with(MARKER_ENDING) {
            continue;
        }
        match marker::read(store, &object.key).await {
            Ok(found) => markers.extend(found),
            // Somebody else's file of that name is none of our business.
            Err(S3Error::ForeignMarker { marker, .. }) => {
                tracing::info!(marker, "this is no run marker of dbbackup, and is left alone");
            }
            Err(error) => return Err(error),
        }
    }
    let uploads = joined(place, uploads, &markers, store.clock().time_there());
    Ok(UnfinishedUploads { uploads, extra: Default::default() })
}

/// Each upload with the marker that names it, and each marker that names none of them.
fn joined(
    place: &Place,
    uploads: Vec<OpenUpload>,
    markers: &[Found],
    time_there: SystemTime,
) -> Vec<UnfinishedUpload> {
    let mut joined = Vec::new();
    let mut alone: Vec<&Found> = markers.iter().collect();
    for upload in uploads {
        let Some(key) = place.relative(&upload.key) else { continue };
        let found = markers.iter().find(|(marker, _)| names(marker, &upload));
        if let Some((_, facts)) = found {
            alone.retain(|(_, other)| other.key != facts.key);
        }
        joined.push(UnfinishedUpload {
            key: key.to_owned(),
            upload_id: Some(upload.id.clone()),
            started: upload.started.as_ref().and_then(rfc3339),
            age_s: upload.started.as_ref().map(|begun| age(Some(begun), time_there).as_secs()),
            run: found.map(|(marker, facts)| marker.to_document(facts, time_there)),
            extra: Default::default(),
        });
    }
    for (marker, facts) in alone {
        let Some(key) = place.relative(&facts.key) else { continue };
        joined.push(UnfinishedUpload {
            key: key.to_owned(),
            upload_id: None,
            started: None,
            age_s: None,
            run: Some(marker.to_document(facts, time_there)),
            extra: Default::default(),
        });
    }
    joined.sort_by(|one, other| one.key.cmp(&other.key));
    joined
}

/// True if the marker names the upload, or its key while it does not know the upload's id yet.
fn names(marker: &Marker, upload: &OpenUpload) -> bool {
    marker.objects.iter().any(|object| {
        object.key == upload.key && object.upload_id.as_ref().is_none_or(|id| *id == upload.id)
    })
}

/// Removes one of them; of a marker alone everything that it names.
///
/// # Errors
/// Something of it may still be there. [`S3Error::Locked`] if its run is heard of again: nothing was
/// touched then.
pub(crate) async fn abandon(
    store: &Store,
    place: &Place,
    upload: &UnfinishedUpload,
) -> Result<(), S3Error> {
    let key = place.key_of(&upload.key)?;
    let mut markers = match &upload.run {
        Some(_) => markers_of(store, &key, upload.upload_id.is_some()).await?,
        None => Vec::new(),
    };
    // Another run may have taken its place since the list was made.
    markers
        .retain(|(marker, _)| upload.run.as_ref().is_some_and(|run| run.run_id == marker.run_id));
    for (marker, facts) in &markers {
        // The list may be old: a run that was suspended may have come back.
        expect_silence(store, marker, facts)?;
    }
    let mut sweep = Sweep::new(store);
    if let Some(id) = &upload.upload_id {
        sweep.upload(&Upload { key, id: id.clone() }).await?;
    }
    for (marker, facts) in &markers {
        sweep.run(&facts.key, marker).await?;
    }
    Ok(())
}

/// The marker itself, or those that may name an upload: beside it, and so below the same directory.
async fn markers_of(store: &Store, key: &str, is_upload: bool) -> Result<Vec<Found>, S3Error> {
    if !is_upload {
        return Ok(marker::read(store, key).await?.into_iter().collect());
    }
    let directory = key.rfind('/').map_or("", |slash| key.get(..=slash).unwrap_or_default());
    let mut found = Vec::new();
    for object in store.list(directory).await? {
        if object.key.ends_with(MARKER_ENDING) {
            match marker::read(store, &object.key).await {
                Ok(read) => found.extend(read),
                Err(S3Error::ForeignMarker { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn marker(run: &str, key: &str, upload: Option<&str>) -> Found {
        let marker = json!({
            "schema": "dbbackup.run-marker/1", "run_id": run, "host": "db1", "heartbeat": "",
            "manifest_key": format!("{key}.manifest.json"),
            "objects": [{"key": key, "upload_id": upload}],
        });
        let facts =
            Facts { key: format!("{key}.run.json"), size_bytes: 1, etag: None, modified: None };
        (serde_json::from_value(marker).unwrap(), facts)
    }

    fn upload(key: &str, id: &str) -> OpenUpload {
        OpenUpload { key: key.to_owned(), id: id.to_owned(), started: None }
    }

    #[test]
    fn uploads_are_joined_with_the_markers_that_name_them() {
        let place = Place::parse("s3://bucket/a").unwrap();
        let uploads = vec![upload("a/x", "1"), upload("a/x", "2"), upload("a/y", "3")];
        let markers = [
            marker("run-x", "a/x", Some("1")),
            marker("run-y", "a/y", None),
            marker("run-z", "a/z", Some("9")),
        ];
        let found: Vec<_> = joined(&place, uploads, &markers, SystemTime::UNIX_EPOCH)
            .into_iter()
            .map(|it| (it.key, it.upload_id, it.run.map(|run| run.run_id)))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("x".to_owned(), some("1"), some("run-x")),
                ("x".to_owned(), some("2"), None),
                ("y".to_owned(), some("3"), some("run-y")),
                ("z.run.json".to_owned(), None, some("run-z")),
            ]
        );
    }
}
