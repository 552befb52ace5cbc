//! What of the environment stays away from plugins.
use super::is_scrubbed;
use std::ffi::OsStr;

#[test]
fn secrets_and_settings_are_scrubbed_and_the_rest_stays() {
    for name in ["MYSQL_PWD", "AWS_SECRET_ACCESS_KEY", "DBBACKUP_CONFIG", "my_token", "LD_PRELOAD"]
    {
        assert!(is_scrubbed(OsStr::new(name), &[]), "{name}");
    }
    for name in ["PATH", "HOME", "PWD", "LANG", "TZ", "SSL_CERT_FILE"] {
        assert!(!is_scrubbed(OsStr::new(name), &[]), "{name}");
    }
}

#[test]
fn a_target_keeps_the_credentials_that_it_names_and_nothing_of_the_servers() {
    let kept = ["AWS_".to_owned(), "MYSQL_".to_owned(), String::new()];
    for name in ["AWS_SECRET_ACCESS_KEY", "aws_session_token"] {
        assert!(!is_scrubbed(OsStr::new(name), &kept[..1]), "{name}");
    }
    for name in ["MYSQL_PWD", "LD_PRELOAD", "DBBACKUP_CLONE_DONOR_PASSWORD"] {
        assert!(is_scrubbed(OsStr::new(name), &kept), "{name}");
    }
    assert!(is_scrubbed(OsStr::new("AZURE_TOKEN"), &kept[..1]));
}
