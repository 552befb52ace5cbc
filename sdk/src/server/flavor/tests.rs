//! Version texts of real servers.

use super::{ServerFlavor, ServerVersion};

#[test]
fn versions_of_every_flavour_are_read() {
    let cases = [
        ("9.7.4-debug", "Source distribution", ServerFlavor::MySQL, [9, 7, 4]),
        ("8.0.36", "MySQL Community Server - GPL", ServerFlavor::MySQL, [8, 0, 36]),
        ("5.6.24-log", "", ServerFlavor::MySQL, [5, 6, 24]),
        ("8.0.35-27", "Percona Server (GPL), Release 27", ServerFlavor::Percona, [8, 0, 35]),
        ("10.11.19-MariaDB-0+deb12u1", "Debian 12", ServerFlavor::MariaDB, [10, 11, 19]),
        ("5.5.5-10.4.2-MariaDB-log", "", ServerFlavor::MariaDB, [10, 4, 2]),
        ("11.8.6", "mariadb.org binary distribution", ServerFlavor::MariaDB, [11, 8, 6]),
        ("nonsense", "", ServerFlavor::MySQL, [0, 0, 0]),
    ];
    for (version, comment, flavor, numbers) in cases {
        let parsed = ServerVersion::parse(version, comment);
        assert_eq!((parsed.flavor, parsed.numbers), (flavor, numbers), "{version}");
    }
}

#[test]
fn versions_are_ordered_by_number() {
    let version = ServerVersion::parse("10.11.19-MariaDB", "");
    assert!(version.at_least([10, 4, 0]));
    assert!(version.at_least([10, 11, 19]));
    assert!(!version.at_least([10, 12, 0]));
}
