//! A restored directory is a data directory, and what lay elsewhere is told of.
use super::*;
use crate::manifest::tests::draft;
use crate::manifest::{Written, assemble};
use dbbackup_plugin_api::document::{
    backup::BackupSummary,
    manifest::{PagesRecord, ReplicaSourceRecord},
};
use jiff::Timestamp;

fn manifest(roots: &[(&str, &str)]) -> Manifest {
    let written = Written {
        summary: BackupSummary::default(),
        files: Vec::new(),
        objects: Vec::new(),
        pages: PagesRecord::default(),
    };
    let mut manifest = assemble(draft("b1"), written, Timestamp::UNIX_EPOCH);
    let named = roots.iter().map(|(root, path)| ((*root).to_owned(), (*path).to_owned()));
    manifest.roots = named.collect();
    manifest
}

fn path(layout: &Layout, member: &str) -> String {
    layout.path(&EntryPath::from(member)).unwrap().display().to_string()
}

fn mapping(old: &str, new: &str) -> Vec<Mapping> {
    vec![Mapping { old: old.to_owned(), new: new.to_owned() }]
}

#[test]
fn the_directory_is_the_data_directory_where_everything_lay_in_one() {
    let roots =
        [("data", "/var/lib/mysql/"), ("redo", "/var/lib/mysql"), ("undo", "/var/lib/mysql/undo")];
    let layout = Layout::new(Path::new("/t"), &manifest(&roots), &[]).unwrap();
    assert_eq!(path(&layout, "data/shop/a.ibd"), "/t/shop/a.ibd");
    assert_eq!(path(&layout, "redo/#innodb_redo/#ib_redo0"), "/t/#innodb_redo/#ib_redo0");
    assert_eq!(path(&layout, "undo/undo_001"), "/t/undo/undo_001");
    assert_eq!(path(&layout, "data"), "/t");
    assert_eq!(path(&layout, "database/x"), "/t/database/x");
    assert_eq!(path(&layout, ".dbbackup/clone.json"), "/t/.dbbackup/clone.json");
    assert_eq!(layout.data_directory(), Some(PathBuf::from("/t")));
    assert_eq!(layout.options(), ["--innodb-undo-directory=/t/undo"]);
    assert_eq!(path(&layout.staged("r1"), "data/ibdata1"), "/t.r1.partial/ibdata1");
    assert!(layout.path(&EntryPath::from("data/../x")).is_none());
}

#[test]
fn what_lay_elsewhere_is_kept_beside_or_goes_where_it_is_mapped() {
    let roots =
        [("data", "/var/lib/mysql"), ("external/1", "/srv/one"), ("external/11", "/srv/eleven")];
    let manifest = manifest(&roots);
    let layout = Layout::new(Path::new("/t"), &manifest, &[]).unwrap();
    assert_eq!(path(&layout, "data/ibdata1"), "/t/data/ibdata1");
    assert_eq!(path(&layout, "external/11/a.ibd"), "/t/external/11/eleven/a.ibd");
    assert_eq!(layout.options(), ["--innodb-directories=/t/external/1/one;/t/external/11/eleven"]);

    let mut map = mapping("external/1", "/new/dir");
    map.extend(mapping("/srv/eleven/", "/srv/eleven"));
    let layout = Layout::new(Path::new("/t"), &manifest, &map).unwrap();
    assert_eq!(path(&layout, "data/ibdata1"), "/t/ibdata1");
    assert_eq!(path(&layout, "external/1/a.ibd"), "/new/dir/one/a.ibd");
    assert_eq!(layout.tree_of(&EntryPath::from("external/11/a.ibd")), 2);
    assert_eq!(layout.options(), ["--innodb-directories=/new/dir/one"]);
    let staged = layout.staged("r1");
    assert_eq!(path(&staged, "external/11/a.ibd"), "/srv/eleven.r1.partial/a.ibd");
}

#[test]
fn a_map_of_nothing_is_refused_and_files_without_a_data_directory_stay_as_they_are() {
    let without = manifest(&[]);
    let error = Layout::new(Path::new("/t"), &without, &mapping("a", "b")).unwrap_err();
    assert!(matches!(error, RestoreError::NoSuchRoot { .. }), "{error}");
    let layout = Layout::new(Path::new("/t"), &without, &[]).unwrap();
    assert_eq!(path(&layout, "data/a"), "/t/data/a");
    assert_eq!(layout.data_directory(), None);
}

#[test]
fn the_server_is_told_where_the_binlog_is_that_came_with_the_files() {
    let options = |basename: &str, roots: &[(&str, &str)]| {
        let mut manifest = manifest(roots);
        let facts = &mut manifest.source.facts;
        facts.insert("log_bin_basename".to_owned(), basename.into());
        Layout::new(Path::new("/t"), &manifest, &[]).unwrap().options().to_vec()
    };
    let data = ("data", "/var/lib/mysql/");
    assert_eq!(options("/var/lib/mysql/binlog", &[data]), ["--log-bin=binlog"]);
    assert_eq!(options("/var/lib/mysql/logs/b", &[data]), ["--log-bin=logs/b"]);
    let apart = [data, ("binlog", "/var/log/mysql")];
    assert_eq!(options("/var/log/mysql/bin", &apart), ["--log-bin=/t/binlog/bin"]);
    assert_eq!(options("/var/log/mysql/bin", &[data]), Vec::<String>::new());
}

/// The channels of a replica come along with its files.
#[test]
fn a_server_on_the_files_of_a_replica_is_told_not_to_start_its_channels() {
    let mut manifest = manifest(&[("data", "/var/lib/mysql")]);
    let options = |manifest: &Manifest| {
        Layout::new(Path::new("/t"), manifest, &[]).unwrap().options().to_vec()
    };
    assert_eq!(options(&manifest), Vec::<String>::new());
    manifest.replica_sources.push(ReplicaSourceRecord::default());
    assert_eq!(options(&manifest), ["--skip-replica-start"]);
    manifest.source.version = "8.0.25".to_owned();
    assert_eq!(options(&manifest), ["--skip-slave-start"]);
}

#[test]
fn the_server_is_told_where_a_system_tablespace_of_its_own_directory_is() {
    let mut manifest = manifest(&[("data", "/var/lib/mysql"), ("external/1", "/srv/system")]);
    let facts = &mut manifest.source.facts;
    facts.insert("innodb_data_home_dir".to_owned(), "/srv/system/".into());
    let layout = Layout::new(Path::new("/t"), &manifest, &[]).unwrap();
    let expected = "--innodb-data-home-dir=/t/external/1/system".to_owned();
    assert!(layout.options().contains(&expected), "{:?}", layout.options());
}

/// A server that was started with the paths of the source would open the source's own files.
#[test]
fn files_of_the_system_tablespace_with_full_paths_are_told_where_they_are_now() {
    let layout = |value: &str, roots: &[(&str, &str)]| {
        let mut manifest = manifest(roots);
        let value = serde_json::Value::from(value);
        manifest.source.facts.insert("innodb_data_file_path".to_owned(), value);
        Layout::new(Path::new("/t"), &manifest, &[])
    };
    let roots = [("data", "/var/lib/mysql"), ("external/1", "/srv/one")];
    let full = "/srv/one/ibdata1:12M;/var/lib/mysql/ibdata2:12M:autoextend:max:1G";
    let options = layout(full, &roots).unwrap().options().to_vec();
    let path = "/t/external/1/one/ibdata1:12M;/t/data/ibdata2:12M:autoextend:max:1G";
    assert!(options.contains(&format!("--innodb-data-file-path={path}")), "{options:?}");
    assert!(options.contains(&"--innodb-data-home-dir=".to_owned()), "{options:?}");
    let relative = layout("ibdata1:12M;ibdata2:12M:autoextend", &roots[..1]).unwrap();
    assert_eq!(relative.options(), ["--innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend"]);
    let error = layout("/elsewhere/ibdata1:12M", &roots).unwrap_err();
    assert!(matches!(error, RestoreError::SystemFile { .. }), "{error}");
}
