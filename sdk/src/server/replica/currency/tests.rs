use super::*;
use dbbackup_plugin_api::document::{environment::ServerFlavor, manifest::ReplicaSourceRecord};

fn channel(receiver: ReplicaThread, applier: ReplicaThread) -> ReplicaChannel {
    let record = ReplicaSourceRecord {
        channel: "east".to_owned(),
        source: "db1:3306".to_owned(),
        receiver,
        applier,
        ..ReplicaSourceRecord::default()
    };
    ReplicaChannel { record, receiver_error: 0, applier_error: 1062 }
}

#[test]
fn what_does_not_run_is_named() {
    use ReplicaThread::{Connecting, Running, Stopped, Unknown};
    let text = |receiver, applier| {
        stopped(&channel(receiver, applier)).map(|state| state.to_string()).unwrap_or_default()
    };
    assert_eq!(text(Running, Running), "");
    assert_eq!(text(Unknown, Unknown), "");
    let start = "channel east from db1:3306: ";
    assert_eq!(text(Running, Stopped), format!("{start}the applier is stopped by error 1062"));
    assert_eq!(text(Connecting, Running), format!("{start}the receiver has no connection"));
    assert_eq!(
        text(Stopped, Stopped),
        format!("{start}the applier is stopped by error 1062 and the receiver is stopped")
    );
}

#[test]
fn a_delay_that_was_asked_for_is_no_lag() {
    let mut channel = channel(ReplicaThread::Running, ReplicaThread::Running);
    let limit = Duration::from_secs(60);
    assert_eq!(lagging(&channel, limit), None, "nothing is known");
    channel.record.seconds_behind = Some(60);
    assert_eq!(lagging(&channel, limit), None);
    channel.record.seconds_behind = Some(61);
    assert!(lagging(&channel, limit).is_some());
    channel.record.delay_seconds = 3600;
    channel.record.seconds_behind = Some(3660);
    assert_eq!(lagging(&channel, limit), None);
    channel.record.seconds_behind = Some(3661);
    assert!(lagging(&channel, limit).is_some());
}

#[test]
fn each_server_is_told_to_start_in_its_own_words() {
    let version = |flavor, numbers| ServerVersion { flavor, numbers, text: String::new() };
    let named = |name: &str| ChannelState {
        channel: name.to_owned(),
        source: String::new(),
        what: String::new(),
    };
    for (flavor, numbers, name, statement) in [
        (ServerFlavor::MySQL, [9, 7, 0], "", "START REPLICA;"),
        (ServerFlavor::MySQL, [8, 0, 22], "a'b", r"START REPLICA FOR CHANNEL 'a\'b';"),
        (ServerFlavor::Percona, [5, 7, 40], "east", "START SLAVE FOR CHANNEL 'east';"),
        (ServerFlavor::MySQL, [5, 6, 24], "", "START SLAVE;"),
        (ServerFlavor::MariaDB, [10, 11, 6], "", "START SLAVE;"),
        (ServerFlavor::MariaDB, [11, 8, 1], "east", "START SLAVE 'east';"),
    ] {
        assert_eq!(start_statement(&version(flavor, numbers), &named(name)), statement);
    }
}
