use super::{PlannedSnapshot, thick_bytes};
use crate::{
    error::LvmError,
    lvm::{self, Row},
    options::Options,
    volume::Volume,
};
use dbbackup_sdk::Classify;

const MIB: u64 = 1024 * 1024;

fn row(name: &str) -> Row {
    let rows = lvm::parse(include_str!("../lvm/report.json")).unwrap();
    rows.into_iter().find(|row| row.name == name).unwrap()
}

fn volume(name: &str) -> Volume {
    Volume { row: row(name), pool: None, filesystem: "ext4".to_owned(), mounts: Vec::new() }
}

fn wanting(bytes: u64) -> Options {
    Options { snapshot_bytes: Some(bytes), ..Options::default() }
}

#[test]
fn a_thick_snapshot_gets_whole_extents_and_no_more_than_it_can_use() {
    let row = row("lv_data");
    assert_eq!(thick_bytes(&row, &Options::default()), 60 * MIB);
    assert_eq!(thick_bytes(&row, &wanting(61 * MIB)), 64 * MIB);
    // 300 MiB, a 64th of that for the places, and an extent.
    assert_eq!(thick_bytes(&row, &wanting(1 << 40)), 312 * MIB);
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused_with_the_way_out() {
    let error = PlannedSnapshot::of(volume("lv_data"), "7", &wanting(300 * MIB)).unwrap_err();
    assert!(matches!(error, LvmError::NoSpace { free_bytes, .. } if free_bytes == 200 * MIB));
    assert_eq!(
        error.to_string(),
        "volume group vg_mysql has 200.0 MiB free, and the snapshot of vg_mysql/lv_data needs \
         300.0 MiB"
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("vgs vg_mysql") && hint.contains("snapshot_bytes"), "{hint}");
}

#[test]
fn the_record_finds_the_snapshot_again() {
    let planned = PlannedSnapshot::of(volume("lv_data"), "20260101-7", &Options::default());
    let record = planned.unwrap().undo_record().unwrap();
    assert_eq!(record.summary, "LVM snapshot vg_mysql/dbbackup-20260101-7");
    assert_eq!(
        record.facts.to_string(),
        r#"{"group":"vg_mysql","name":"dbbackup-20260101-7","origin":"lv_data"}"#
    );
}

#[test]
fn a_thin_snapshot_takes_no_room_of_its_own() {
    let planned = PlannedSnapshot::of(volume("thin"), "7", &wanting(1 << 40)).unwrap();
    assert_eq!(planned.bytes(), None);
}
