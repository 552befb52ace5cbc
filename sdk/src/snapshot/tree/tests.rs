use super::{Kind, LeftOut, ends_a_log};
use std::path::Path;

fn left_out() -> LeftOut {
    LeftOut {
        data: "/data".into(),
        files: vec!["/data/host.pid".into(), "/data/errors".into()],
        logs: vec![("/data".into(), "binlog".into()), ("/data".into(), "relay-bin".into())],
    }
}

const DIRECTORY: Kind = Kind::Directory { device: 0, above: 0 };

/// Whether a file stays out, or a directory that it is in.
fn stays_out(name: &str) -> bool {
    let (out, live) = (left_out(), Path::new("/data").join(name));
    let mut above = live.ancestors().skip(1).take_while(|path| *path != Path::new("/data"));
    out.has(&live, Kind::File) || above.any(|path| out.has(path, DIRECTORY))
}

#[test]
fn what_a_restored_server_makes_anew_or_must_not_have_stays_out() {
    for name in [
        "auto.cnf",
        "host.pid",
        "errors",
        "binlog.000007",
        "binlog.index",
        "binlog.state",
        "relay-bin.000001",
        "relay-bin-east.000001",
        "ibtmp1",
        "#innodb_temp/temp_1.ibt",
        "lost+found/17",
        "shop/.zfs/snapshot/daily/orders.ibd",
        "shop/x.ibt",
        "mysql.sock.lock",
        "master.info",
        "master-east.info",
        ".dbbackup-20260101T000000Z-1/ibdata1",
    ] {
        assert!(stays_out(name), "{name}");
    }
}

#[test]
fn links_of_the_server_stay_out_and_one_that_may_be_a_schema_is_shown() {
    let has = |name: &str| left_out().has(&Path::new("/data").join(name), Kind::Link);
    assert!(has("errors") && has("auto.cnf") && has("binlog.000007"));
    assert!(!has("ibtmp_archive") && !has("shop"));
}

#[test]
fn all_that_the_server_needs_comes() {
    for name in [
        "ibdata1",
        "undo_001",
        "#innodb_redo/#ib_redo6",
        "#ib_16384_0.dblwr",
        "ib_logfile0",
        "aria_log_control",
        "aria_log.00000001",
        "ddl_recovery.log",
        "mysql.ibd",
        "shop/orders.ibd",
        "shop/auto.cnf",
        "ibtmp_shop/t.ibd",
        "ibtmp1/t.ibd",
        "ibtmp_general.ibd",
        "errors/t.ibd",
        "binlogs",
        "ib_buffer_pool",
        "ca.pem",
    ] {
        assert!(!stays_out(name), "{name}");
    }
}

#[test]
fn names_of_logs_end_in_a_number_or_in_a_word_of_the_server() {
    assert!(ends_a_log(".000001") && ends_a_log("-east.index") && ends_a_log(".~rec~"));
    assert!(!ends_a_log("") && !ends_a_log(".ibd") && !ends_a_log("s.000001") && !ends_a_log("."));
}
