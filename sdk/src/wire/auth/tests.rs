//! Answers of the login plugins: what they may reveal, and to whom.

use super::{Login, Plugin, Way};
use crate::wire::{Secret, WireError};

const CHALLENGE: &[u8] = b"12345678901234567890";

#[test]
fn the_password_itself_is_sent_over_private_ways_alone() {
    let password = Secret::new("hunter2");
    let switched = |name: &str, way| {
        let mut login = Login::new("mysql_native_password", CHALLENGE, &password, way);
        login.switch(name, CHALLENGE).map(|answer| answer.to_vec())
    };
    for way in [Way::Encrypted, Way::Local] {
        assert_eq!(switched("mysql_clear_password", way).expect("private"), b"hunter2\0");
    }
    assert!(matches!(
        switched("mysql_clear_password", Way::Open),
        Err(WireError::ClearPassword { .. })
    ));
    assert_eq!(switched("sha256_password", Way::Encrypted).expect("TLS"), b"hunter2\0");
    for way in [Way::Local, Way::Open] {
        assert_eq!(switched("sha256_password", way).expect("asks for the key"), [1]);
    }
    let mut login = Login::new("caching_sha2_password", CHALLENGE, &password, Way::Open);
    assert_eq!(login.next_answer(&[4]).expect("asks for the key").expect("an answer")[..], [2]);
    assert!(login.next_answer(b"-----BEGIN PUBLIC KEY-----\nnonsense").is_err());
    assert!(login.next_answer(b"").is_err() && login.next_answer(&[9, 9]).is_err());
    assert!(matches!(login.switch("dialog", CHALLENGE), Err(WireError::AuthPlugin { .. })));
    assert!(!format!("{login:?}").contains("hunter2"));
}

#[test]
fn a_server_cannot_make_clear_passwords_the_default() {
    let password = Secret::new("hunter2");
    for name in ["mysql_clear_password", "dialog", ""] {
        let login = Login::new(name, CHALLENGE, &password, Way::Encrypted);
        assert_eq!(login.plugin(), Plugin::Native);
        assert_eq!(login.first_answer().expect("a scramble").len(), 20);
    }
}

#[test]
fn an_empty_password_has_an_empty_answer() {
    let nothing = Secret::default();
    for (name, length) in
        [("mysql_native_password", 0), ("caching_sha2_password", 0), ("sha256_password", 1)]
    {
        let login = Login::new(name, CHALLENGE, &nothing, Way::Open);
        assert_eq!(login.first_answer().expect("an answer").len(), length, "{name}");
    }
}
