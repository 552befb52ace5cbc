use super::{Datasets, writes_of};
use crate::error::ZfsError;
use dbbackup_sdk::snapshot::{Mounts, PageWrites, Place, Tablespace};
use std::path::{Path, PathBuf};

const TABLE: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
    38 28 0:35 / /srv/mysql rw,relatime - zfs tank/mysql rw\n\
    39 38 0:36 / /srv/mysql/redo rw,relatime - zfs tank/mysql/redo rw\n\
    40 38 0:37 / /backup rw,relatime - zfs other/backup rw\n\
    41 38 0:35 /data /var/lib/mysql rw,relatime - zfs tank/mysql rw\n\
    42 38 0:38 /data /bound rw,relatime - zfs tank/hidden rw\n";

fn place(role: &str, path: &str, minor: u32) -> Place {
    let device = rustix::fs::makedev(0, minor);
    Place { role: role.to_owned(), path: PathBuf::from(path), device, facts: None }
}

fn of(places: &[Place]) -> Result<Datasets, ZfsError> {
    Datasets::of(places, &Mounts::parse(TABLE))
}

#[test]
fn every_path_brings_its_dataset_once_and_nested_ones_too() {
    let places = [
        place("data", "/srv/mysql/data", 35),
        place("undo", "/srv/mysql/data", 35),
        place("redo", "/srv/mysql/redo", 36),
        place("binlog", "/var/lib/mysql/logs", 35),
    ];
    let datasets = of(&places).unwrap();
    assert_eq!(datasets.names(), ["tank/mysql", "tank/mysql/redo"]);
    let [mysql, redo] = datasets.0.as_slice() else { panic!("{datasets:?}") };
    let pair = |live: &str, inside: &str| (PathBuf::from(live), PathBuf::from(inside));
    assert_eq!(
        mysql.view("x"),
        [
            pair("/srv/mysql", "/srv/mysql/.zfs/snapshot/x"),
            pair("/var/lib/mysql", "/srv/mysql/.zfs/snapshot/x/data"),
        ]
    );
    assert_eq!(redo.top("x"), Path::new("/srv/mysql/redo/.zfs/snapshot/x"));
}

#[test]
fn several_pools_are_refused_with_the_list() {
    let places = [place("data", "/srv/mysql", 35), place("redo", "/backup/redo", 37)];
    let error = of(&places).unwrap_err().to_string();
    assert_eq!(
        error,
        "the server's files are in several pools: data /srv/mysql on tank/mysql, redo /backup/redo \
         on other/backup"
    );
}

#[test]
fn other_file_systems_and_hidden_roots_are_refused() {
    let sda1 = Place { device: rustix::fs::makedev(8, 1), ..place("data", "/var/lib/x", 0) };
    assert_eq!(of(&[sda1]).unwrap_err().to_string(), "/var/lib/x is on ext4, not on ZFS");
    let error = of(&[place("data", "/bound/mysql", 38)]).unwrap_err();
    assert!(matches!(error, ZfsError::NoRoot { .. }), "{error}");
}

#[test]
fn the_option_names_a_dataset_above() {
    let datasets = of(&[place("data", "/srv/mysql/redo", 36)]).unwrap();
    for above in ["tank", "tank/mysql", "tank/mysql/redo"] {
        datasets.refuse_outside_of(above).unwrap();
    }
    for other in ["tan", "tank/my", "other"] {
        assert!(datasets.refuse_outside_of(other).is_err(), "{other}");
    }
}

#[test]
fn files_keep_the_record_size_that_they_were_made_with() {
    const KIB: u64 = 1024;
    let file = |kib: u64, record_kib: u64| Tablespace {
        path: PathBuf::from("/srv/mysql/shop/orders.ibd"),
        bytes: kib * KIB,
        block_bytes: record_kib * KIB,
    };
    let writes = |files: &[Tablespace]| writes_of(files, 16 * KIB);
    assert_eq!(writes(&[]), PageWrites::AreAtomic);
    assert_eq!(writes(&[file(10_240, 16), file(10_240, 128)]), PageWrites::AreAtomic);
    assert_eq!(writes(&[file(10_240, 16), file(10_240, 8)]), PageWrites::MayTear);
    // The only record of a small file is as long as the file, rounded up.
    assert_eq!(writes(&[file(7, 7), file(112, 112)]), PageWrites::AreAtomic);
}
