use super::{LeftOut, ends_a_log};
use std::path::Path;

fn left_out() -> LeftOut {
    LeftOut {
        data: "/data".into(),
        files: vec!["/data/host.pid".into()],
        logs: vec![("/data".into(), "binlog".into()), ("/data".into(), "relay-bin".into())],
    }
}

#[test]
fn what_a_restored_server_makes_anew_or_must_not_have_stays_out() {
    let out = left_out();
    for name in [
        "auto.cnf",
        "host.pid",
        "binlog.000007",
        "binlog.index",
        "binlog.state",
        "relay-bin.000001",
        "relay-bin-east.000001",
        "ibtmp1",
        "#innodb_temp",
        "shop/x.ibt",
        "mysql.sock.lock",
        "master.info",
        "master-east.info",
        ".dbbackup-20260101T000000Z-1",
    ] {
        assert!(out.has(&Path::new("/data").join(name)), "{name}");
    }
}

#[test]
fn all_that_the_server_needs_comes() {
    let out = left_out();
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
        "binlogs",
        "ib_buffer_pool",
        "ca.pem",
    ] {
        assert!(!out.has(&Path::new("/data").join(name)), "{name}");
    }
}

#[test]
fn names_of_logs_end_in_a_number_or_in_a_word_of_the_server() {
    assert!(ends_a_log(".000001") && ends_a_log("-east.index") && ends_a_log(".~rec~"));
    assert!(!ends_a_log("") && !ends_a_log(".ibd") && !ends_a_log("s.000001") && !ends_a_log("."));
}
