//! What a run leaves behind when it does not come to its end, and how it is removed: uploads, objects
//! that no manifest makes a backup, and the run's marker last, because it names the others.

use dbbackup_sdk::shown;
use serde::Deserialize;

use crate::{
    error::S3Error,
    marker::{self, Marker},
    refusal::Refusal,
    store::{Store, Upload},
};

/// Largest manifest that is read for the name of its run.
const MOST_MANIFEST_BYTES: u64 = 256 << 20;

/// Removes leftovers, or only says what it would remove.
#[derive(Debug)]
pub(crate) struct Sweep<'s> {
    store: &'s Store,
    dry_run: bool,
    /// What was removed, or would be, a clause each.
    removed: Vec<String>,
}

impl<'s> Sweep<'s> {
    /// Removes.
    pub(crate) fn new(store: &'s Store) -> Self {
        Self { store, dry_run: false, removed: Vec::new() }
    }

    /// Only says.
    pub(crate) fn dry(store: &'s Store) -> Self {
        Self { dry_run: true, ..Self::new(store) }
    }

    /// What was removed, or would be.
    pub(crate) fn removed(&self) -> &[String] {
        &self.removed
    }

    /// An upload by its id.
    ///
    /// # Errors
    /// It may still be there.
    pub(crate) async fn upload(&mut self, upload: &Upload) -> Result<(), S3Error> {
        if !self.dry_run {
            self.store.abort(upload).await?;
        }
        self.note(format!("upload {} of {}", upload.id, self.store.url(&upload.key)));
        Ok(())
    }

    fn note(&mut self, what: String) {
        if !self.removed.contains(&what) {
            self.removed.push(what);
        }
    }

    /// All uploads of exactly this key, but for one that is to be kept.
    ///
    /// # Errors
    /// As for [`upload`](Self::upload), and if they cannot be listed.
    pub(crate) async fn uploads_of(
        &mut self,
        key: &str,
        kept: Option<&str>,
    ) -> Result<(), S3Error> {
        for found in self.store.uploads(key).await? {
            if found.key == key && Some(found.id.as_str()) != kept {
                self.upload(&Upload { key: found.key, id: found.id }).await?;
            }
        }
        Ok(())
    }

    /// An object, if this run wrote it.
    ///
    /// # Errors
    /// It may still be there; one whose writer cannot be seen is left alone with an error.
    pub(crate) async fn object(&mut self, key: &str, run: &str) -> Result<(), S3Error> {
        let head = self.store.head(key).await?;
        if head.is_none_or(|head| head.run.as_deref() != Some(run)) {
            return Ok(());
        }
        if !self.dry_run {
            self.store.delete(key).await?;
        }
        self.note(self.store.url(key));
        Ok(())
    }

    /// A marker.
    ///
    /// # Errors
    /// It may still be there.
    pub(crate) async fn marker(&mut self, key: &str) -> Result<(), S3Error> {
        if !self.dry_run {
            self.store.delete(key).await?;
        }
        self.note(self.store.url(key));
        Ok(())
    }

    /// The objects that a marker names, unless the run's manifest is there. To keys that may not list,
    /// a manifest that is not there looks like one that may not be read: they leave the objects.
    async fn objects_of(&mut self, marker: &Marker) -> Result<(), S3Error> {
        match is_backup(self.store, &marker.manifest_key, &marker.run_id).await {
            Ok(true) => {}
            Ok(false) => {
                for object in &marker.objects {
                    self.object(&object.key, &marker.run_id).await?;
                }
            }
            Err(error) if error.is_blind() => {
                let urls = marker.objects.iter().map(|object| self.store.url(&object.key));
                let objects = urls.collect::<Vec<_>>().join(", ");
                let run = &marker.run_id;
                tracing::warn!(
                    objects,
                    run,
                    error = %shown(&error),
                    "these keys may not look whether this is a backup: it is left alone"
                );
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Everything that a marker names, and the marker; of a run whose manifest is there, the
    /// marker only.
    ///
    /// # Errors
    /// As for each of them; the marker stays then. [`S3Error::TakenOver`] if it is another run's by now.
    pub(crate) async fn run(&mut self, marker_key: &str, marker: &Marker) -> Result<(), S3Error> {
        for object in &marker.objects {
            match &object.upload_id {
                Some(id) => {
                    self.upload(&Upload { key: object.key.clone(), id: id.clone() }).await?;
                }
                // Its id did not come into the marker any more.
                None => self.uploads_of(&object.key, None).await?,
            }
        }
        self.objects_of(marker).await?;
        let there = marker::read(self.store, marker_key).await?;
        if let Some((other, _)) = there.filter(|(there, _)| there.run_id != marker.run_id) {
            // Somebody else has done all this a moment ago, and is at work now.
            let by = other.run_id;
            return Err(S3Error::TakenOver { marker: self.store.url(marker_key), by });
        }
        self.marker(marker_key).await
    }
}

/// True if the manifest is there and is that of this run.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn is_backup(
    store: &Store,
    manifest_key: &str,
    run: &str,
) -> Result<bool, S3Error> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let manifest = match store.get(manifest_key, MOST_MANIFEST_BYTES).await {
        Ok(Some((manifest, _))) => manifest,
        Ok(None) => return Ok(false),
        // As one that cannot be read.
        Err(error) if error.is(Refusal::is_too_long) => return Ok(true),
        Err(error) => return Err(error),
    };
    // A manifest that cannot be read may be this run's: what it may need is left alone.
    Ok(serde_json::from_slice::<Named>(&manifest).map_or(true, |manifest| manifest.id == run))
}
