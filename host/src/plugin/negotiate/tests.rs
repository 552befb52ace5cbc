use super::{HostApi, negotiate};
use crate::plugin::{Reason, note};
use semver::Version;

fn host(api: &str) -> HostApi {
    let version = |text| Version::parse(text).unwrap();
    let api = version(api);
    let oldest = Version::new(api.major, 2, 0);
    HostApi { tool: version("1.4.0"), api, oldest }
}

fn negotiated(built: &str, requires: &str, offered: &str) -> &'static str {
    let json = format!(
        r#"{{"schema":"dbbackup.plugin/1","api":"{built}","version":"2.3.0","plugin":{{
        "id":"acme-snap","vendor":"acme","summary":"s","requires":"{requires}","engines":[
        {{"id":"acme-snap","family":"snapshot","summary":"s","roles":["a.b/1"]}}]}}}}"#
    );
    match negotiate(&note::parse(&json).unwrap(), &host(offered)) {
        Ok(()) => "loads",
        Err(Reason::Api(_)) => "api",
        Err(Reason::Major(_)) => "major",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn both_sides_have_a_say() {
    for (built, requires, offered, expected) in [
        ("1.6.0", ">=1.0, <2", "1.6.0", "loads"),
        // An older plugin on a newer host, down to the oldest accepted.
        ("1.2.0", ">=1.0, <2", "1.6.0", "loads"),
        ("1.1.9", ">=1.0, <2", "1.6.0", "api"),
        // A newer plugin on an older host, where its range allows it.
        ("1.8.2", ">=1.0, <2", "1.6.0", "loads"),
        ("1.8.2", ">=1.8, <2", "1.6.0", "api"),
        ("2.0.0", ">=1.0, <3", "1.6.0", "major"),
        ("1.9.0", ">=1.0, <3", "2.2.0", "major"),
    ] {
        assert_eq!(negotiated(built, requires, offered), expected, "{built} {requires} {offered}");
    }
}

#[test]
fn the_versions_of_this_host_are_versions() {
    let current = HostApi::current();
    assert!(current.oldest <= current.api);
    assert_eq!(current.oldest.major, current.api.major);
    assert_ne!(current.api, Version::new(0, 0, 0));
}
