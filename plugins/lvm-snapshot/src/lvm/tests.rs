use super::{activate, create_thick, create_thin, list_one, parse, remove};

/// What LVM 2.03.16 reported of an origin, an overflowed and a whole thick snapshot, a pool, a thin
/// volume, and an inactive snapshot of it.
const REPORT: &str = include_str!("report.json");

#[test]
fn a_report_is_read_with_every_kind_of_volume() {
    let rows = parse(REPORT).unwrap();
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let origin = row("lv_data");
    assert_eq!(origin.device, "/dev/mapper/vg_mysql-lv_data");
    assert_eq!((origin.size_bytes, origin.number), (314_572_800, Some((254, 0))));
    assert_eq!((origin.group_free_bytes, origin.extent_bytes), (209_715_200, 4_194_304));
    assert!(!origin.is_thin() && !origin.is_thick_snapshot() && !origin.has_overflowed());
    let overflowed = row("full");
    assert!(overflowed.is_thick_snapshot() && overflowed.has_overflowed());
    assert_eq!((overflowed.origin.as_str(), overflowed.data_percent), ("lv_data", Some(100.0)));
    assert_eq!(overflowed.tags, ["dbbackup"]);
    let whole = row("snap");
    assert!(whole.is_thick_snapshot() && !whole.has_overflowed());
    assert!(row("thin").is_thin() && !row("thin").has_failed_pool());
    assert_eq!((row("tsnap").pool.as_str(), row("tsnap").number), ("pool", None));
    assert!(!row("pool").is_thin());
}

#[test]
fn a_full_pool_shows_in_the_health_of_its_volumes() {
    let mut rows = parse(REPORT).unwrap();
    for row in rows.iter_mut().filter(|row| row.name == "thin") {
        for health in ["Vwi-aotzD-", "Vwi-aotzM-", "Vwi-aotzF-"] {
            row.attributes = health.to_owned();
            assert!(row.has_failed_pool(), "{health}");
        }
    }
}

#[test]
fn a_report_that_is_none_is_an_error() {
    for text in ["", "{}", "WARNING: no", &REPORT.replace("314572800", "300.00m")] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert_eq!(parse(r#"{"report":[{"lv":[]}]}"#).unwrap(), []);
}

#[test]
fn commands_say_what_they_do() {
    let words = create_thick("vg", "lv", "dbbackup-7", 1 << 30).words().join(" ");
    assert_eq!(
        words,
        "lvcreate --yes --snapshot --name dbbackup-7 --addtag dbbackup --size 1073741824b vg/lv"
    );
    let words = create_thin("vg", "lv", "dbbackup-7").words().join(" ");
    assert_eq!(words, "lvcreate --yes --snapshot --name dbbackup-7 --addtag dbbackup vg/lv");
    let words = activate("vg", "dbbackup-7").words().join(" ");
    assert_eq!(words, "lvchange --activate y --ignoreactivationskip vg/dbbackup-7");
    assert_eq!(remove("vg", "dbbackup-7").words().join(" "), "lvremove --yes vg/dbbackup-7");
    let words = list_one("vg", "dbbackup-7").words();
    assert_eq!(words.last().unwrap(), r#"vg_name="vg" && lv_name="dbbackup-7""#);
}
