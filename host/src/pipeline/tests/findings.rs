//! Bad pages reach the records, the findings and the counters, and do not end the run.
use super::{EntryKind, Memory, Output, Pipeline, meta, noise, spec};
use dbbackup_plugin_api::document::entry::PageCheck;

#[test]
fn a_tablespace_without_a_header_is_found_and_recorded() {
    let spec = spec(".tar.gz");
    let progress = spec.progress.clone();
    let pipeline = Pipeline::start(spec, Output::Chunks(Box::new(Memory::default()))).unwrap();
    let content = noise(1, 3_000_000);
    for (path, pages) in [
        ("data/shop/asked.ibd", PageCheck::Strict),
        ("data/shop/not_asked.ibd", PageCheck::None),
        ("data/shop/no_tablespace.cnf", PageCheck::Strict),
    ] {
        let mut meta = meta(EntryKind::File, path, Some(content.len() as u64));
        meta.pages = pages;
        let mut writer = pipeline.open_entry(&meta).unwrap();
        writer.write(&content).unwrap();
        writer.finish().unwrap();
    }
    let members = pipeline.records().unwrap();
    assert_eq!(pipeline.finish().unwrap().members, members);
    let found: Vec<_> = members.findings.iter().map(|found| found.path.to_string()).collect();
    assert_eq!(found, ["data/shop/asked.ibd"]);
    let bad: Vec<_> = members.files.iter().map(|file| file.pages.map(|p| p.bad)).collect();
    assert_eq!(bad, [Some(1), None, Some(0)]);
    assert_eq!(progress.bad_pages(), 1);
    assert_eq!((progress.members(), progress.content_bytes()), (3, 9_000_000));
}
