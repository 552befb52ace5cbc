//! What of the environment stays away from plugins.
use super::is_scrubbed;
use std::ffi::OsStr;

#[test]
fn secrets_and_settings_are_scrubbed_and_the_rest_stays() {
    for name in ["MYSQL_PWD", "AWS_SECRET_ACCESS_KEY", "DBBACKUP_CONFIG", "my_token", "LD_PRELOAD"]
    {
        assert!(is_scrubbed(OsStr::new(name)), "{name}");
    }
    for name in ["PATH", "HOME", "PWD", "LANG", "TZ", "SSL_CERT_FILE"] {
        assert!(!is_scrubbed(OsStr::new(name)), "{name}");
    }
}
