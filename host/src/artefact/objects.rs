//! The files of this machine that make up an artefact: copied out of a store, they lie beside its manifest
//! under the names that it gives them.
use super::ArtefactError;
use dbbackup_plugin_api::document::manifest::ObjectRecord;
use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

/// Where an object of an artefact lies: beside it, under its own name. The first one bears the artefact's
/// name, whatever that has been changed to since, unless it replaced a backup in a store: then it has its
/// own, and what bears the artefact's name, if anything, is of the backup that it has replaced.
pub(crate) fn object_path(artefact: &Path, objects: &[ObjectRecord], object: &str) -> PathBuf {
    let own = artefact.with_file_name(object);
    let Some(first) = objects.first().filter(|first| first.name == object) else { return own };
    let fits = fs::metadata(artefact).is_ok_and(|file| file.len() == first.size_bytes);
    if fits || !own.is_file() { artefact.to_owned() } else { own }
}

/// Where the bytes of an artefact begin.
pub(crate) fn first_path(artefact: &Path, objects: &[ObjectRecord]) -> PathBuf {
    match objects {
        [first, ..] => object_path(artefact, objects, &first.name),
        [] => artefact.to_owned(),
    }
}

/// What the system knows of a file that a manifest speaks of.
pub(super) fn facts_of(path: &Path) -> Result<Metadata, ArtefactError> {
    fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            ArtefactError::Mismatch { path: path.to_owned(), what: "it is missing".to_owned() }
        }
        _ => ArtefactError::io(path, source),
    })
}

/// Compares the sizes of the objects that an artefact continues in.
pub(super) fn check_objects(
    artefact: &Path,
    objects: &[ObjectRecord],
) -> Result<(), ArtefactError> {
    for object in objects {
        let path = object_path(artefact, objects, &object.name);
        let found = facts_of(&path)?.len();
        if found != object.size_bytes {
            let what = format!("it has {found} bytes, the manifest says {}", object.size_bytes);
            return Err(ArtefactError::Mismatch { path, what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, size_bytes: u64) -> ObjectRecord {
        ObjectRecord { name: name.to_owned(), size_bytes, sha256: String::new(), checksum: None }
    }

    #[test]
    fn objects_lie_beside_the_artefact_and_the_first_bears_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let objects = [object("db.b1.tar", 3), object("db.b1.tar.0002", 2)];
        let first = || first_path(&at("db.tar"), &objects);
        assert_eq!(first(), at("db.tar"), "nothing is there: the backup is said to be missing");
        assert!(check_objects(&at("db.tar"), &objects).is_err());

        fs::write(at("db.b1.tar"), "abc").unwrap();
        assert_eq!(first(), at("db.b1.tar"));
        let missing = check_objects(&at("db.tar"), &objects).unwrap_err();
        assert!(missing.to_string().contains("db.b1.tar.0002"), "{missing}");

        fs::write(at("db.b1.tar.0002"), "de").unwrap();
        check_objects(&at("db.tar"), &objects).unwrap();

        fs::write(at("db.tar"), "of the backup before").unwrap();
        assert_eq!(first(), at("db.b1.tar"));
        fs::copy(at("db.b1.tar"), at("db.tar")).unwrap();
        fs::remove_file(at("db.b1.tar")).unwrap();
        assert_eq!(first(), at("db.tar"));
        check_objects(&at("db.tar"), &objects).unwrap();
    }
}
