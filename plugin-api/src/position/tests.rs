use super::*;
use proptest::prelude::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

fn set(text: &str) -> MysqlGtidSet {
    text.parse().unwrap()
}

#[test]
fn mysql_sets_have_one_canonical_text() {
    for (text, canonical) in [
        (format!("{A}:1-3:5"), format!("{A}:1-3:5")),
        (format!("{}:3:1-2:9", A.to_uppercase()), format!("{A}:1-3:9")),
        (format!("{B}:1,\n{A}:7"), format!("{A}:7,{B}:1")),
        (format!("{A}:1-4:tag:2-3"), format!("{A}:1-4:tag:2-3")),
        (String::new(), String::new()),
    ] {
        assert_eq!(set(&text).to_string(), canonical);
    }
}

#[test]
fn texts_that_are_no_position_are_refused() {
    for bad in [A.to_owned(), format!("{A}:0"), format!("{A}:5-2"), "x:1".into(), format!("{A}:-")]
    {
        assert!(bad.parse::<MysqlGtidSet>().is_err(), "{bad}");
    }
    for bad in ["0-1", "0-1-2-3", "a-1-2", "0-1-"] {
        assert!(bad.parse::<MariadbGtidPosition>().is_err(), "{bad}");
    }
    for bad in ["binlog.000001", ":4", "binlog.000001:x", "../b:4"] {
        assert!(bad.parse::<BinlogCoordinates>().is_err(), "{bad}");
    }
}

#[test]
fn coordinates_are_ordered_by_sequence() {
    let at: BinlogCoordinates = "binlog.1000000:157".parse().unwrap();
    assert_eq!((at.sequence(), at.position), (Some(1_000_000), 157));
    assert_eq!(at.to_string(), "binlog.1000000:157");
}

#[test]
fn dialects_are_told_apart() {
    assert!(matches!("0-1-2,5-1-9".parse(), Ok(GtidSet::Mariadb(_))));
    assert!(matches!(format!("{A}:1").parse(), Ok(GtidSet::Mysql(_))));
    let behind: MariadbGtidPosition = "0-1-2".parse().unwrap();
    assert!(behind.is_reached_by(&"0-3-2,1-1-1".parse().unwrap()));
    assert!(!behind.is_reached_by(&"0-1-1".parse().unwrap()));
}

fn some_set() -> impl Strategy<Value = MysqlGtidSet> {
    prop::collection::vec((0..3_u8, 1..30_u64, 1..6_u64), 0..8).prop_map(|parts| {
        let mut set = MysqlGtidSet::default();
        for (who, start, length) in parts {
            let tag = if who == 2 { "t".to_owned() } else { String::new() };
            let uuid = if who == 1 { B } else { A }.to_owned();
            set.insert(GtidSource { uuid, tag }, start, start + length);
        }
        set
    })
}

proptest! {
    #[test]
    fn set_algebra_holds(a in some_set(), b in some_set()) {
        let union = a.union(&b);
        prop_assert!(a.is_subset_of(&union) && b.is_subset_of(&union));
        let left = union.subtract(&b);
        prop_assert!(left.is_subset_of(&a));
        prop_assert_eq!(left.union(&b), union.clone());
        prop_assert_eq!(union.count(), left.count() + b.count());
        prop_assert_eq!(&union.to_string().parse::<MysqlGtidSet>().unwrap(), &union);
    }
}
