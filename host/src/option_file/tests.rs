//! Option files as people write them.
use super::*;
use std::{fs, os::unix::fs::PermissionsExt};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn only(file: PathBuf) -> OptionFileChoice {
    OptionFileChoice { only: Some(file), ..OptionFileChoice::default() }
}

fn values(text: &str) -> OptionFileValues {
    let files = Files::new();
    OptionFiles::read(&only(files.write("my.cnf", text))).unwrap().named
}

fn password(values: &OptionFileValues) -> &str {
    std::str::from_utf8(values.password.as_ref().unwrap()).unwrap()
}

#[test]
fn groups_comments_and_spaces() {
    let values = values(
        "host=ignored.example.com\n# comment\n; another\n[mysqld]\nport = 1\n[client]\n\
         host = db1 # the primary\nport=3307\nloose-nonsense\ncolumn-names\n[dbbackup]\nuser = me\n",
    );
    assert_eq!(values.host.as_deref(), Some("db1"));
    assert_eq!(values.port, Some(3307));
    assert_eq!(values.user.as_deref(), Some("me"));
}

#[test]
fn quotes_and_escapes_in_passwords() {
    for (line, secret) in [
        ("password=plain", "plain"),
        ("password = \"a # b\"", "a # b"),
        ("password='it''s'", "it''s"),
        ("password=\"say \\\"hi\\\"\"", "say \"hi\""),
        ("password=a\\sb\\\\c\\td", "a b\\c\td"),
        ("password=a=b=c", "a=b=c"),
        ("password=\"", "\""),
        ("password=", ""),
        ("password", ""),
    ] {
        assert_eq!(password(&values(&format!("[client]\n{line}\n"))), secret, "{line}");
    }
}

#[test]
fn includes_and_their_order() {
    let files = Files::new();
    files.write("conf.d/20.cnf", "[client]\nuser=second\n");
    files.write("conf.d/10.cnf", "[client]\nuser=first\nport=3310\n");
    files.write("conf.d/99.txt", "[client]\nuser=nobody\n");
    files.write("one.cnf", "[client]\nhost=included\n");
    let text =
        "[client]\nhost=own\nuser=zero\n!includedir conf.d\n!include one.cnf\n!include gone.cnf\n";
    let values = OptionFiles::read(&only(files.write("my.cnf", text))).unwrap().named;
    assert_eq!(values.user.as_deref(), Some("second"));
    assert_eq!(values.port, Some(3310));
    assert_eq!(values.host.as_deref(), Some("included"));
}

#[test]
fn a_file_that_includes_itself_ends() {
    let files = Files::new();
    let file = files.write("my.cnf", "!include my.cnf\n");
    let error = OptionFiles::read(&only(file)).err().unwrap().to_string();
    assert!(error.ends_with(":1: files include each other more than 10 deep"), "{error}");
}

#[test]
fn suffixed_groups_win_when_asked_for() {
    let files = Files::new();
    let file =
        files.write("my.cnf", "[client_b]\nport=2\n[client]\nhost=a\nport=1\n[client_b]\nport=3\n");
    assert_eq!(OptionFiles::read(&only(file.clone())).unwrap().named.port, Some(1));
    let choice = OptionFileChoice { group_suffix: Some("_b".into()), ..only(file) };
    assert_eq!(OptionFiles::read(&choice).unwrap().named.port, Some(3));
}

#[test]
fn transport_security_in_both_dialects() {
    for (line, mode) in [
        ("ssl-mode=VERIFY_CA", SslMode::VerifyCa),
        ("ssl_mode = required", SslMode::Required),
        ("ssl", SslMode::Required),
        ("ssl=0", SslMode::Disabled),
        ("skip-ssl", SslMode::Disabled),
        ("ssl-verify-server-cert", SslMode::VerifyIdentity),
    ] {
        assert_eq!(values(&format!("[client]\n{line}\n")).ssl_mode, Some(mode), "{line}");
    }
}

#[test]
fn the_users_file_and_the_extra_file() {
    let home = Files::new();
    home.write(".my.cnf", "[client]\nhost=home\nuser=home\n");
    let extra = home.write("extra.cnf", "[client]\nhost=extra\n");
    let choice = OptionFileChoice {
        home: Some(home.0.path().to_owned()),
        extra: Some(extra),
        ..OptionFileChoice::default()
    };
    let files = OptionFiles::read(&choice).unwrap();
    assert_eq!(files.usual.user.as_deref(), Some("home"));
    assert_eq!(files.named.host.as_deref(), Some("extra"));
    let files = OptionFiles::read(&OptionFileChoice { none: true, ..choice }).unwrap();
    assert_eq!(files.usual.user, None);
}

#[test]
fn a_file_that_everybody_can_write_is_ignored() {
    let files = Files::new();
    let file = files.write("my.cnf", "[client]\nhost=evil\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let read = OptionFiles::read(&only(file)).unwrap();
    assert_eq!(read.named.host, None);
    assert!(read.warnings[0].ends_with("is ignored: everybody can write it"));
}

#[test]
fn wrong_lines_are_named() {
    for (text, end) in [
        ("[client]\nport=many\n", ":2: port must be a port number"),
        ("[dbbackup]\n\nhots=x\n", ":3: unknown option hots; did you mean host?"),
        ("[client\n", ":1: the group \"[client\" has no ]"),
        ("!inclood x\n", ":1: !inclood x is neither !include FILE nor !includedir DIR"),
        (
            "[client]\nssl-mode=MAYBE\n",
            ":2: ssl-mode must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
        ),
    ] {
        let files = Files::new();
        let error = OptionFiles::read(&only(files.write("my.cnf", text))).err().unwrap();
        assert!(error.to_string().ends_with(end), "{error}");
    }
    let absent = only(PathBuf::from("/nowhere/my.cnf"));
    assert!(matches!(OptionFiles::read(&absent), Err(ConfigError::Read { .. })));
}
