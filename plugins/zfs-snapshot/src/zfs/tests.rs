use super::{
    DESTROYS, destroy, is_tried_again, lacking, lines, record_sizes, smallest, snapshot,
    snapshots_of,
};

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_dataset_is_in_one_command() {
    let words = snapshot(&named(&["tank/mysql@x", "tank/mysql/redo@x"])).words();
    assert_eq!(words, ["zfs", "snapshot", "tank/mysql@x", "tank/mysql/redo@x"]);
    let words = record_sizes(&named(&["tank/a", "tank/b"])).words().join(" ");
    assert_eq!(words, "zfs get -H -p -o value recordsize tank/a tank/b");
    let words = snapshots_of("tank/mysql").words().join(" ");
    assert_eq!(words, "zfs list -H -p -o name -t snapshot -d 1 tank/mysql");
}

#[test]
fn nothing_but_a_snapshot_is_ever_destroyed() {
    assert_eq!(destroy("tank/mysql@x").unwrap().words(), ["zfs", "destroy", "tank/mysql@x"]);
    assert!(destroy("tank/mysql").is_err());
}

#[test]
fn a_busy_snapshot_is_tried_again_a_few_times_and_a_refused_one_never() {
    let busy = "cannot destroy snapshot tank/mysql@x: dataset is busy";
    assert!(is_tried_again(1, busy) && is_tried_again(DESTROYS - 1, busy));
    assert!(!is_tried_again(DESTROYS, busy));
    for refused in [
        "cannot destroy snapshots: permission denied",
        "could not find any snapshots to destroy; check snapshot names.",
        "cannot destroy 'tank/mysql@x': snapshot has dependent clones",
        "",
    ] {
        assert!(!is_tried_again(1, refused), "{refused}");
    }
}

#[test]
fn answers_are_read() {
    assert_eq!(lines("tank\ntank/mysql\n"), ["tank", "tank/mysql"]);
    assert_eq!(smallest("131072\n16384\n"), Some(16_384));
    assert_eq!(smallest("131072\n-\n"), None);
    assert_eq!(smallest(""), None);
}

/// What OpenZFS 2.3 prints.
const ALLOWED: &str = "---- Permissions on tank/mysql ---------------------------------------\n\
    Local+Descendent permissions:\n\tuser mysql create,destroy,mount,snapshot\n";

#[test]
fn delegations_are_those_of_the_account() {
    assert_eq!(lacking(ALLOWED, "mysql"), Vec::<&str>::new());
    assert_eq!(lacking(ALLOWED, "other"), ["snapshot", "mount", "destroy"]);
    assert_eq!(lacking("", "mysql"), ["snapshot", "mount", "destroy"]);
    let partly = ALLOWED.replace(",snapshot", "");
    assert_eq!(lacking(&partly, "mysql"), ["snapshot"]);
    for whoever in ["\teveryone snapshot,mount,destroy\n", "\tgroup dba @backup\n"] {
        assert_eq!(lacking(whoever, "mysql"), Vec::<&str>::new(), "{whoever}");
    }
}
