use super::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_run_is_at_an_end_after_an_hour_of_the_stores_time() {
    let seen = DateTime::from(at(10_000));
    let silent = |now| is_silent(age(Some(&seen), at(now)));
    assert!(!silent(10_000 + 3599));
    assert!(silent(10_000 + 3600));
}

#[test]
fn a_time_of_the_future_or_none_is_no_silence() {
    assert_eq!(age(Some(&DateTime::from(at(20_000))), at(10_000)), Duration::ZERO);
    assert!(!is_silent(age(None, at(1_000_000))));
}

#[test]
fn a_marker_lies_beside_its_manifest() {
    assert_eq!(marker_key("a/db.tar.gz.manifest.json"), "a/db.tar.gz.run.json");
    assert_eq!(marker_key("a/odd"), "a/odd.run.json");
}

fn marker_of(run: &str) -> Marker {
    Marker {
        schema: SCHEMA.to_owned(),
        run_id: run.to_owned(),
        host: "db1".to_owned(),
        heartbeat: "2026-01-01T00:00:00Z".to_owned(),
        manifest_key: "a/db.manifest.json".to_owned(),
        objects: vec![MarkedObject { key: "a/db".to_owned(), upload_id: None }],
    }
}

#[test]
fn a_marker_of_another_run_or_none_at_all_is_not_ours_any_more() {
    assert_eq!(other_owner(Some(marker_of("a")), "a"), None);
    assert_eq!(other_owner(Some(marker_of("b")), "a"), Some("b".to_owned()));
    assert_eq!(other_owner(None, "a"), Some("nobody".to_owned()));
}

#[test]
fn a_marker_comes_back_as_it_was_written() {
    let marker = marker_of("b7");
    let written = serde_json::to_string(&marker).unwrap();
    assert_eq!(serde_json::from_str::<Marker>(&written).unwrap(), marker);
    let facts = Facts {
        key: "a/db.run.json".to_owned(),
        size_bytes: 1,
        etag: None,
        modified: Some(DateTime::from(at(0))),
    };
    let shown = marker.to_document(&facts, at(90));
    assert_eq!(shown.silent_s, 90, "the store's time counts");
}
