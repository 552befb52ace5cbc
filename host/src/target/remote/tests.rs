//! What a place says, and what it means for a backup.
use super::*;
use crate::supervisor::job::ErrorReport;

fn refused(retryable: bool) -> RemoteError {
    let report = ErrorReport {
        code: "E-TARGET".to_owned(),
        exit: Exit::Target.code(),
        message: "503".to_owned(),
        causes: Vec::new(),
        hint: None,
        retryable,
    };
    let what = "look at s3://bucket/db.sql".to_owned();
    RemoteError::Refused { what, refusal: Refusal::Other, source: report.into() }
}

/// Asks until the deadline for what is refused so often; answers whether it came, and the looks.
fn looks(until: Instant, refusals: u32, retryable: bool) -> (bool, u32) {
    let mut looks = 0;
    let answer = Patience { until, pause: Duration::ZERO }.ask(|| {
        looks += 1;
        if looks <= refusals { Err(refused(retryable)) } else { Ok(()) }
    });
    (answer.is_ok(), looks)
}

#[test]
fn a_place_in_trouble_is_asked_again_for_a_time() {
    let later = Instant::now() + LONGEST_OUTAGE;
    assert_eq!(looks(later, 3, true), (true, 4));
    assert_eq!(looks(later, 3, false), (false, 1));
    assert_eq!(looks(later, u32::MAX, true), (false, MOST_LOOKS));
    assert_eq!(looks(Instant::now(), 3, true), (false, 1));
}

#[test]
fn an_object_of_another_size_or_checksum_is_not_what_was_written() {
    let sum = |text: &str| Some(text.to_owned());
    let unchanged = |size_bytes, there: Option<&str>, written: Option<&str>| {
        let facts = ObjectFacts {
            key: "db.sql".to_owned(),
            size_bytes,
            etag: None,
            modified: None,
            checksum: there.and_then(sum),
            extra: serde_json::Map::new(),
        };
        let object = ObjectRecord {
            name: "db.sql".to_owned(),
            size_bytes: 7,
            sha256: String::new(),
            checksum: written.and_then(sum),
        };
        is_unchanged(&facts, &object)
    };
    assert!(unchanged(7, None, None));
    assert!(!unchanged(8, None, None));
    assert!(unchanged(7, Some("crc64nvme:a="), Some("crc64nvme:a=")));
    assert!(!unchanged(7, Some("crc64nvme:b="), Some("crc64nvme:a=")));
    assert!(unchanged(7, None, Some("crc64nvme:a=")), "the store does not say");
    assert!(unchanged(7, Some("sha256:c="), Some("crc64nvme:a=")), "they cannot be compared");
}

#[test]
fn objects_tell_the_backup_that_they_are_a_part_of() {
    let id = "20261201T122457Z-b158c3";
    for name in ["db.tar.gz", "db.sql", "a.b.sql.zst.age"] {
        let stamped = stamped(name, id);
        for object in [name, stamped.as_str()] {
            let expected = Some((object, name.to_owned()));
            assert_eq!(artefact_of_object(object), expected);
            let continued = format!("{object}.0002");
            assert_eq!(artefact_of_object(&continued), expected, "{continued}");
        }
    }
    assert_eq!(artefact_of_object("db.tar.gz.2"), None);
    assert_eq!(artefact_of_object("db.sql.manifest.json"), None);
    assert_eq!(artefact_of_object("db.1.sql"), Some(("db.1.sql", "db.1.sql".to_owned())));
}

#[test]
fn the_objects_of_a_replacement_have_names_of_their_own_and_their_ending() {
    assert_eq!(stamped("db.tar.gz", "b1"), "db.b1.tar.gz");
    assert_eq!(stamped("db.sql.zst.age", "b1"), "db.b1.sql.zst.age");
    assert_eq!(stamped("db", "b1"), "db.b1");
}

#[test]
fn what_was_refused_is_not_done_and_what_was_not_answered_may_be() {
    let refused_as = |refusal| match refused(false) {
        RemoteError::Refused { what, source, .. } => RemoteError::Refused { what, refusal, source },
        other => other,
    };
    let definite = [Refusal::Missing, Refusal::Exists, Refusal::Denied, Refusal::Other];
    assert!(!definite.into_iter().any(|refusal| may_be_done(&refused_as(refusal), true)));
    assert!(may_be_done(&refused_as(Refusal::Unanswered), false));
    // A worker that is gone may have sent it.
    let source = std::io::ErrorKind::UnexpectedEof.into();
    let gone = RemoteError::Answer { what: "write".to_owned(), source };
    assert!(may_be_done(&gone, true), "an old backup could be lost");
    assert!(!may_be_done(&gone, false), "a manifest of nothing is seen to be one");
    let error = PlaceError::InDoubt {
        manifest: "s3://bucket/db.sql.manifest.json".to_owned(),
        source: Box::new(refused_as(Refusal::Unanswered)),
    };
    assert_eq!((error.exit(), error.code().as_str()), (Exit::Target, "E-TARGET-IN-DOUBT"));
    assert!(error.to_string().contains("s3://bucket/db.sql.manifest.json"));
}
