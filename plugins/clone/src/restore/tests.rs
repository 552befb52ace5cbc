//! Names, sizes and first pages after DDL, on files made by hand.
use std::{fs, path::Path};

use dbbackup_sdk::document::{manifest::Manifest, path::EntryPath, restore::RestoreRequest};
use serde_json::json;

use super::{
    RestoreError,
    fate::Fates,
    finish::{Finisher, mark_unfinished},
    first_page::first_page,
    places::Places,
};
use crate::artefact::CloneDocument;

const PAGE_BYTES: usize = 16_384;

/// A file as the document names it.
fn file(index: u32, space_id: u32, member: Option<&str>, final_size: u64) -> serde_json::Value {
    let mut value = json!({
        "index": index, "space_id": space_id, "name": "./x", "size_bytes": 16384,
        "final_size_bytes": final_size, "fsp_flags": 16417, "flags": 0, "fs_block_bytes": 4096,
    });
    if let Some(member) = member {
        value["member"] = member.into();
    }
    value
}

fn change(kind: &str, index: u32, space_id: u32, member: Option<&str>) -> serde_json::Value {
    let mut value = json!({
        "kind": kind, "index": index, "stage": "page_copy", "space_id": space_id,
        "size_bytes": 16384, "fsp_flags": 16417, "flags": 0,
    });
    if let Some(member) = member {
        value["member"] = member.into();
    }
    value
}

fn document(files: Vec<serde_json::Value>, changes: Vec<serde_json::Value>) -> CloneDocument {
    let value = json!({
        "schema": "dbbackup.clone/1", "protocol_version": 259, "descriptor_version": 100,
        "page_size_bytes": PAGE_BYTES, "encrypted": false, "ddl_blocked": false,
        "layout": "files", "donor": {"configs": {}, "plugins": [], "collations": []},
        "files": files, "changes": changes,
        "redo": [{"index": 7, "size_bytes": 1_048_576}], "streams": [],
    });
    CloneDocument::parse(value.to_string().as_bytes()).unwrap()
}

fn manifest(members: &[&str]) -> Manifest {
    let files: Vec<_> = members
        .iter()
        .map(|path| json!({"kind": "file", "path": path, "size_bytes": PAGE_BYTES}))
        .collect();
    serde_json::from_value(json!({
        "schema": "dbbackup.manifest/1", "id": "test", "state": "complete",
        "tool": {"name": "dbbackup", "version": "0", "api": "1"},
        "engine": {"id": "clone", "family": "clone", "plugin": "clone",
                   "plugin_version": "0", "plugin_sha256": "", "reason": ""},
        "source": {"flavor": "MySQL", "version": "9.7.0", "hostname": "h", "address": "a"},
        "times": {"started": "", "ended": ""}, "coordinates": {},
        "encoding": {"container": "tar", "compression": "none", "encryption": "none"},
        "objects": [], "files": files,
    }))
    .unwrap()
}

fn places(directory: &Path, manifest: Manifest) -> Places {
    places_of(directory, &[("data", directory)], manifest)
}

fn places_of(directory: &Path, roots: &[(&str, &Path)], manifest: Manifest) -> Places {
    let roots = roots.iter().map(|(root, path)| ((*root).to_owned(), path.to_path_buf()));
    let request = RestoreRequest {
        manifest,
        connection: None,
        directory: Some(directory.to_owned()),
        places: roots.collect(),
        server: None,
        only: Vec::new(),
        map: Vec::new(),
        force: false,
        extra: serde_json::Map::new(),
    };
    Places::new(&request).unwrap()
}

/// One page that names its file.
fn page(letter: u8) -> Vec<u8> {
    let mut page = vec![letter; PAGE_BYTES];
    page[8..16].copy_from_slice(b"versions");
    page
}

#[test]
fn names_are_exchanged_dropped_and_made() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path();
    fs::create_dir(data.join("shop")).unwrap();
    for (name, letter) in [("a", b'a'), ("b", b'b'), ("c", b'c')] {
        fs::write(data.join(format!("shop/{name}.ibd")), page(letter)).unwrap();
    }
    let members = ["data/shop/a.ibd", "data/shop/b.ibd", "data/shop/c.ibd"];
    let manifest = manifest(&members);
    let document = document(
        vec![
            file(1, 11, Some(members[0]), 16384),
            file(2, 12, Some(members[1]), 2_000_000),
            file(3, 13, Some(members[2]), 16384),
            file(4, 14, None, 16384),
            file(5, 15, None, 16384),
        ],
        vec![
            change("rename", 1, 11, Some("data/shop/b.ibd")),
            change("rename", 2, 12, Some("data/shop/a.ibd")),
            change("delete", 3, 13, None),
            change("create", 4, 14, Some("data/shop/c.ibd")),
            change("rename", 4, 14, Some("data/late/d.ibd")),
            change("create", 5, 15, Some("data/shop/e.ibd")),
            change("delete", 5, 15, None),
        ],
    );
    let places = places(data, manifest.clone());
    mark_unfinished(&places).unwrap();
    assert!(data.join("#clone/#status_in_progress").exists());
    let fates = Fates::of(&document, &manifest, &places).unwrap();
    Finisher::new(&document, &fates, &places).finish().unwrap();

    let read = |name: &str| fs::read(data.join(name)).unwrap();
    assert_eq!(read("shop/b.ibd"), page(b'a'));
    let grown = read("shop/a.ibd");
    assert_eq!((grown.len(), &grown[..PAGE_BYTES]), (2 << 20, page(b'b').as_slice()));
    let made = read("late/d.ibd");
    assert_eq!(made.len(), 7 * PAGE_BYTES);
    assert_eq!(&made[..PAGE_BYTES], first_page(14, 16417, 16384, *b"versions"));
    let mut left: Vec<String> = fs::read_dir(data.join("shop"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["a.ibd", "b.ibd"]);
    assert_eq!(read("#innodb_redo/#ib_redo7").len(), 1 << 20);
    for name in ["#clone/#status_fix", "#clone/#replace_files", "mysql"] {
        assert!(data.join(name).exists(), "{name}");
    }
    assert!(!data.join("#clone/#status_in_progress").exists());
}

/// `RENAME` to another schema, and a new table: no member lies in the directory that they lead to.
#[test]
fn a_directory_that_ddl_alone_leads_to_is_made_where_its_root_is() {
    let scratch = tempfile::tempdir().unwrap();
    let [data, shop, late] =
        ["data", "external/1/shop", "external/2/late"].map(|below| scratch.path().join(below));
    let places = |roots: &[(&str, &Path)], manifest: &Manifest| {
        places_of(scratch.path(), roots, manifest.clone())
    };
    let manifest = manifest(&["external/1/a.ibd"]);
    let document = document(
        vec![file(1, 11, Some("external/1/a.ibd"), 16384)],
        vec![
            change("rename", 1, 11, Some("external/2/a.ibd")),
            change("create", 2, 12, Some("external/2/b.ibd")),
        ],
    );
    let roots =
        [("data", data.as_path()), ("external/1", shop.as_path()), ("external/2", late.as_path())];
    let refused = Fates::of(&document, &manifest, &places(&roots[..2], &manifest)).unwrap_err();
    assert!(matches!(refused, RestoreError::NoPlace { .. }), "{refused}");

    let places = places(&roots, &manifest);
    places.create().unwrap();
    fs::write(shop.join("a.ibd"), page(b'a')).unwrap();
    let fates = Fates::of(&document, &manifest, &places).unwrap();
    // The applier writes a new file's pages under this name, before its own is there.
    assert_eq!(fates.get(2).unwrap().working, Some(late.join(".dbbackup-2")));
    fs::write(late.join(".dbbackup-2"), page(b'b')).unwrap();
    Finisher::new(&document, &fates, &places).finish().unwrap();
    assert_eq!(fs::read(late.join("a.ibd")).unwrap(), page(b'a'));
    assert_eq!(fs::read(late.join("b.ibd")).unwrap()[..PAGE_BYTES], page(b'b'));
    assert!(!shop.join("a.ibd").exists());
}

#[test]
fn a_document_that_contradicts_itself_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let manifest = manifest(&["data/a.ibd"]);
    let places = places(scratch.path(), manifest.clone());
    let known = || vec![file(1, 11, Some("data/a.ibd"), 16384)];
    for bad in [
        change("create", 1, 11, Some("data/b.ibd")),
        change("create", 2, 12, None),
        change("rename", 1, 11, None),
        change("rename", 9, 19, Some("data/b.ibd")),
        change("rename", 1, 11, Some("data/../../b.ibd")),
    ] {
        let document = document(known(), vec![bad.clone()]);
        assert!(Fates::of(&document, &manifest, &places).is_err(), "{bad}");
    }
    assert!(places.path(&EntryPath::from("/etc/passwd")).is_err());
}

#[test]
fn first_pages_carry_their_checksums() {
    for (flags, bytes) in [(16417_u32, 16_384_usize), (41, 8192), (39, 4096)] {
        let page = first_page(99, flags, 16_384, [1; 8]);
        assert_eq!(page.len(), bytes, "{flags}");
        assert_eq!(page[34..38], 99_u32.to_be_bytes());
        assert_eq!(page[54..58], flags.to_be_bytes());
        assert_ne!(page[..4], [0; 4]);
        assert_eq!(page[..4] == page[bytes - 8..bytes - 4], bytes == 16_384);
    }
}
